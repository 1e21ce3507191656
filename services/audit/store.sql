-- name: case
SELECT body FROM audit.state WHERE table_name = 'controls_case' AND key = $1 AND part = '';

-- name: journal
SELECT n, at, kind, body, cause FROM audit.journal WHERE processor = 'controls' AND key = $1 ORDER BY n LIMIT $2;
