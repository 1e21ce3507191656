-- name: subject
SELECT body FROM vendor.state WHERE table_name = 'supervision_subject' AND key = $1 AND part = '';

-- name: subjects_of_a_kind
SELECT key, body FROM vendor.state
WHERE table_name = 'supervision_subject' AND part = '' AND key LIKE $1 AND key > $2
ORDER BY key LIMIT $3;
