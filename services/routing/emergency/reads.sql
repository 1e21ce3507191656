-- name: orders
SELECT body FROM routing.state WHERE table_name = 'emergency' AND part LIKE 'order/%' ORDER BY part;

-- name: open_orders
SELECT body FROM routing.state
WHERE table_name = 'emergency' AND part LIKE 'order/%' AND (body->>'over_at' IS NULL OR body->>'review' = 'open')
ORDER BY part;

-- name: part
SELECT body FROM routing.state WHERE table_name = 'emergency' AND key = 'floor' AND part = $1;

-- name: history
SELECT kind, body FROM routing.journal
WHERE processor = 'emergency' AND key = 'floor' AND body->>'reroute_id' = $1 AND kind <> 'routing.reroute-order.v1'
ORDER BY n;

-- name: moved
SELECT key, body FROM routing.state WHERE table_name = 'desk' AND part = 'heed' ORDER BY key;
