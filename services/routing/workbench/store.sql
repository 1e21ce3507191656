-- name: part
SELECT body FROM routing.state WHERE table_name = $1 AND key = $2 AND part = $3;

-- name: parts
SELECT part, body FROM routing.state WHERE table_name = $1 AND key = $2 AND part = ANY ($3::text[]);

-- name: everyone_and_everything
SELECT part, body FROM routing.state
WHERE table_name = $1 AND key = $2 AND (part LIKE 'item/%' OR part LIKE 'operator/%')
ORDER BY part;
