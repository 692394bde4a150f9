-- The queue. `$rows` is replaced by the rows of values. Each engine has its own `claim`.

-- name: settle_items
WITH settled (id, owner, state, hold, due_at, wake_at, delay_noticed, undialled) AS (VALUES $rows)
UPDATE item SET
    state = settled.state, hold = settled.hold, due_at = settled.due_at, wake_at = settled.wake_at, owner = NULL,
    attempts = item.attempts - settled.undialled,
    queued_at = CASE WHEN settled.hold = 'time' THEN settled.due_at ELSE item.queued_at END,
    delay_noticed = CASE WHEN settled.delay_noticed = 1 THEN 1 ELSE item.delay_noticed END
FROM settled
WHERE item.id = settled.id AND item.owner = settled.owner AND item.state = 'leased'
RETURNING item.id

-- name: settle_messages
WITH settled (id, state) AS (VALUES $rows)
UPDATE message SET state = settled.state FROM settled WHERE message.id = settled.id

-- name: renew
UPDATE item SET wake_at = $2 WHERE owner = $1 AND state = 'leased' AND id IN ($3...)

-- name: release
-- Items held for a decision return to `held`.
UPDATE item SET
    state = CASE WHEN hold IN ('word', 'refused') THEN 'held' ELSE 'queued' END,
    wake_at = CASE WHEN hold IS NULL THEN due_at END,
    owner = NULL
WHERE wake_at IS NOT NULL AND state = 'leased' AND (CAST($1 AS TEXT) IS NULL OR owner = $1)
RETURNING id

-- name: flush
UPDATE item SET due_at = $1, wake_at = $1
WHERE wake_at IS NOT NULL AND state = 'deferred' AND (CAST($2 AS TEXT) IS NULL OR destination = $2)
RETURNING id

-- name: item
SELECT item.*, holder_key.wrapped
FROM item LEFT JOIN holder_key ON holder_key.holder_id = item.key_holder_id
WHERE item.id = $1

-- name: holder_keys
SELECT holder_id, wrapped FROM holder_key WHERE holder_id IN ($1...)

-- name: queue
SELECT destination, state, COUNT(*) AS items, MIN(queued_at) AS oldest_at, MIN(due_at) AS next_due_at
FROM (
    SELECT destination, state, queued_at, due_at FROM item WHERE wake_at IS NOT NULL
    UNION ALL
    SELECT destination, state, queued_at, due_at FROM item WHERE wake_at IS NULL AND state IN ('held', 'queued')
    UNION ALL
    SELECT destination, state, queued_at, due_at FROM item WHERE state = 'parked'
) AS standing
GROUP BY destination, state ORDER BY destination, state

-- name: content_of_message
SELECT size_bytes, pair_id FROM message WHERE id = $1

-- name: content
SELECT body.part, body.sealed, message_key.wrapped AS wrapped_key, message_key.holder_id, holder_key.wrapped
FROM body
JOIN message_key ON message_key.content_id = body.content_id
JOIN holder_key ON holder_key.holder_id = message_key.holder_id
WHERE body.content_id = $1
