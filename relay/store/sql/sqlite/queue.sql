-- name: come_due
-- The items whose time has come, and those whose time is so far ahead that the clock must have jumped back.
UPDATE item SET is_due = 1
WHERE id IN (
    SELECT id FROM (
        SELECT id FROM item WHERE wake_at <= $1 AND is_due = 0 ORDER BY wake_at LIMIT $4
    )
    UNION ALL
    SELECT id FROM (
        SELECT id FROM item WHERE wake_at > $2 AND is_due = 0 ORDER BY wake_at LIMIT $4
    )
    UNION ALL
    SELECT id FROM (
        SELECT id FROM item WHERE wake_at IS NULL AND state IN ('held', 'queued') AND due_at <= $1 AND is_due = 0 ORDER BY due_at LIMIT $4
    )
    UNION ALL
    SELECT id FROM (
        SELECT id FROM item WHERE wake_at IS NULL AND state IN ('held', 'queued')
          AND due_at > $3 AND hold <> 'word' AND is_due = 0 ORDER BY due_at LIMIT $4
    )
)
RETURNING id

-- name: claim
UPDATE item SET state = 'leased', owner = $1, wake_at = $2, is_due = 0, attempts = attempts + 1
WHERE id IN (
    SELECT id FROM item WHERE is_due = 1 AND destination = $3 AND (
        after_id IS NULL OR NOT EXISTS (
            SELECT 1 FROM item AS before WHERE before.id = item.after_id AND before.queued_at > $5
              AND before.state IN ('held', 'queued', 'leased', 'deferred')
        )
    ) ORDER BY due_at, id LIMIT $4
)
RETURNING *
