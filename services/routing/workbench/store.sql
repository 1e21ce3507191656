-- name: part
SELECT body FROM routing.state WHERE table_name = $1 AND key = $2 AND part = $3;

-- name: seat
SELECT o.body AS operator, i.body AS item
FROM routing.state o
LEFT JOIN routing.state i
    ON i.table_name = o.table_name AND i.key = o.key AND i.part = 'item/' || (o.body ->> 'work_item_id')
WHERE o.table_name = $1 AND o.key = $2 AND o.part = $3;

-- name: parts
SELECT part, body FROM routing.state WHERE table_name = $1 AND key = $2 AND part = ANY ($3::text[]);

-- name: everyone_and_everything
SELECT part, body FROM routing.state
WHERE table_name = $1 AND key = $2 AND (part LIKE 'item/%' OR part LIKE 'operator/%')
ORDER BY part;
