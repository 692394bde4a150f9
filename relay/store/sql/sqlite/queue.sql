-- name: claim
UPDATE item SET state = 'leased', owner = $1, wake_at = $2, attempts = attempts + 1
WHERE id IN (
    SELECT id FROM (
        SELECT id FROM item WHERE wake_at IS NULL AND state IN ('held', 'queued') AND due_at <= $3
          AND destination NOT IN ($8...) ORDER BY due_at, id LIMIT $6
    )
    UNION ALL
    SELECT id FROM (
        SELECT id FROM item WHERE wake_at <= $3 AND destination NOT IN ($8...) AND (
            after_id IS NULL OR NOT EXISTS (
                SELECT 1 FROM item AS before WHERE before.id = item.after_id AND before.queued_at > $7
                  AND before.state IN ('held', 'queued', 'leased', 'deferred')
            )
        ) ORDER BY wake_at, id LIMIT $6
    )
    UNION ALL
    SELECT id FROM (
        SELECT id FROM item WHERE wake_at > $4 AND destination NOT IN ($8...) ORDER BY wake_at, id LIMIT $6
    )
    UNION ALL
    SELECT id FROM (
        SELECT id FROM item WHERE wake_at IS NULL AND state IN ('held', 'queued') AND due_at > $5 AND hold <> 'word'
          AND destination NOT IN ($8...) ORDER BY due_at, id LIMIT $6
    )
    LIMIT $6
)
RETURNING *
