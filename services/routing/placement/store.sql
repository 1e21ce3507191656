-- What waits has the timer `try`, so that items at desks and closed ones, of which there are many more, are not read; each
-- body is parsed once.
-- name: waiting
SELECT item.reason, wanted.business_type || '/' || wanted.step AS work_type, coalesce(item.held_by::text, '[]') AS held_by, count(*) AS items, min(wanted.requested_at) AS oldest_requested_at
FROM routing.timer
JOIN routing.state ON state.table_name = 'placement' AND state.key = timer.key AND state.part = ''
     AND state.shard = timer.shard,
     json_to_record(state.body) AS item (phase text, reason text, held_by json, "order" json),
     json_to_record(item."order") AS wanted (business_type text, step text, requested_at timestamptz)
WHERE timer.processor = 'placement' AND timer.name = 'try' AND item.phase = 'waiting'
GROUP BY 1, 2, 3;
