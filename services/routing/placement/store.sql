-- What waits has the timer `try`, so that items at desks and closed ones, of which there are many more, are not read.
-- name: waiting
SELECT state.body->>'reason' AS reason, state.body->'order'->>'business_type' AS business_type,
       count(*) AS items, min((state.body->'order'->>'requested_at')::timestamptz) AS oldest_requested_at
FROM routing.timer
JOIN routing.state ON state.table_name = 'placement' AND state.key = timer.key AND state.part = ''
     AND state.shard = timer.shard
WHERE timer.processor = 'placement' AND timer.name = 'try' AND state.body->>'phase' = 'waiting'
GROUP BY 1, 2;
