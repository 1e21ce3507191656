-- name: submission
SELECT body FROM intake.state WHERE table_name = 'reception_submission' AND key = $1 AND part = '';
