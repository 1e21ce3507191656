-- name: orders
SELECT body FROM routing.state WHERE table_name = 'emergency' AND part LIKE 'order/%' ORDER BY part;

-- name: open_orders
SELECT body FROM routing.state
WHERE table_name = 'emergency' AND part LIKE 'order/%' AND CASE
    WHEN strpos(body::text, '\u0000') > 0 THEN true  -- ->> fails on it, for all rows: the reader looks itself
    ELSE body->>'over_at' IS NULL OR body->>'review' = 'open'
END
ORDER BY part;

-- name: begun
SELECT body FROM routing.state
WHERE table_name = 'emergency' AND part LIKE 'order/%' AND CASE
    WHEN strpos(body::text, '\u0000') > 0 THEN true  -- as above
    ELSE (body->>'started_at')::timestamptz BETWEEN $1 AND $2
END
ORDER BY part;

-- name: part
SELECT body FROM routing.state WHERE table_name = 'emergency' AND key = 'floor' AND part = $1;

-- name: history
SELECT kind, body FROM routing.journal
WHERE processor = 'emergency' AND key = 'floor'
    AND kind NOT IN ('routing.reroute-order.v1', 'routing.reroute-sent-back.v1') AND CASE
    WHEN strpos(body::text, '\u0000') > 0 THEN true  -- as above
    ELSE body->>'reroute_id' = $1
END
ORDER BY n;

-- name: sent_back
SELECT body FROM routing.state WHERE table_name = 'emergency' AND key = 'floor' AND part LIKE 'back/%' ORDER BY part;

-- name: moved
SELECT key, body FROM routing.state WHERE table_name = 'desk' AND part = 'heed' ORDER BY key;

-- name: waiting_at_desks
SELECT the_order->>'business_type' AS business_type, the_order->>'step' AS step, count(*) AS items
FROM (
    SELECT CASE
        WHEN strpos(body::text, '\u0000') > 0 THEN NULL  -- ->> fails on it, for all rows
        WHEN body->>'phase' = 'queued' THEN body->'order'
    END AS the_order
    FROM routing.state
    WHERE table_name = 'desk' AND key = ANY($1::text[]) AND part LIKE 'item/%'
    OFFSET 0  -- each row is taken apart once
) AS waiting
WHERE ($2::text[] IS NULL OR the_order->>'branch_id' = ANY($2))
    AND ($3::text[] IS NULL OR the_order->>'data_class' = ANY($3)) AND the_order IS NOT NULL
GROUP BY 1, 2;
