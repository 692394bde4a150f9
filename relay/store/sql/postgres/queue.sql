-- name: claim
WITH due AS (
    SELECT id FROM item WHERE wake_at <= $3 AND destination NOT IN ($6...)
    ORDER BY wake_at, id LIMIT $5 FOR UPDATE SKIP LOCKED
), ahead AS (
    SELECT id FROM item WHERE wake_at > $4 AND destination NOT IN ($6...)
    ORDER BY wake_at, id LIMIT $5 FOR UPDATE SKIP LOCKED
)
UPDATE item SET state = 'leased', owner = $1, wake_at = $2, attempts = attempts + 1
WHERE id IN (SELECT id FROM due UNION ALL SELECT id FROM ahead LIMIT $5)
RETURNING *
