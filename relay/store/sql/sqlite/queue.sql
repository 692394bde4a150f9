-- name: claim
UPDATE item SET state = 'leased', owner = $1, wake_at = $2, attempts = attempts + 1
WHERE id IN (
    SELECT id FROM (
        SELECT id FROM item WHERE wake_at <= $3 AND destination NOT IN ($6...) ORDER BY wake_at, id LIMIT $5
    )
    UNION ALL
    SELECT id FROM (
        SELECT id FROM item WHERE wake_at > $4 AND destination NOT IN ($6...) ORDER BY wake_at, id LIMIT $5
    )
    LIMIT $5
)
RETURNING *
