-- The queue. `$rows` is replaced by the rows of values. Each engine has its own `come_due` and `claim`.

-- name: lanes
-- The destinations with due items, from `$1` on: one seek in the index for each.
WITH RECURSIVE lane (destination, number) AS (
    SELECT first.destination, 1 FROM (
        SELECT destination FROM item WHERE is_due = 1 AND destination >= $1 ORDER BY destination LIMIT 1
    ) AS first
    UNION ALL
    SELECT (
        SELECT item.destination FROM item WHERE item.is_due = 1 AND item.destination > lane.destination
        ORDER BY item.destination LIMIT 1
    ), lane.number + 1
    FROM lane WHERE lane.destination IS NOT NULL AND lane.number < $2
)
SELECT destination FROM lane WHERE destination IS NOT NULL ORDER BY number

-- name: settle_items
WITH settled (id, owner, state, hold, due_at, wake_at, delay_noticed, undialled, destination) AS (VALUES $rows)
UPDATE item SET
    state = settled.state, hold = settled.hold, due_at = settled.due_at, wake_at = settled.wake_at, owner = NULL,
    is_due = 0, destination = settled.destination,
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
UPDATE item SET wake_at = $2, is_due = 0 WHERE owner = $1 AND state = 'leased' AND id IN ($3...)

-- name: release
-- Items held for a decision return to `held`. Items whose lease has run out are due already.
UPDATE item SET
    state = CASE WHEN hold IN ('word', 'refused') THEN 'held' ELSE 'queued' END,
    wake_at = CASE WHEN hold IS NULL THEN due_at END,
    owner = NULL
WHERE wake_at IS NOT NULL AND is_due = 0 AND state = 'leased' AND (CAST($1 AS TEXT) IS NULL OR owner = $1)
RETURNING id

-- name: flush
-- A part of the items that are not due yet; the caller repeats it until nothing is left.
UPDATE item SET due_at = $1, wake_at = $1
WHERE id IN (
    SELECT id FROM item WHERE wake_at > $1 AND is_due = 0 AND state = 'deferred'
      AND (CAST($2 AS TEXT) IS NULL OR destination = $2) ORDER BY wake_at LIMIT $3
) AND state = 'deferred'
RETURNING id

-- name: item
SELECT item.*, holder_key.wrapped
FROM item LEFT JOIN holder_key ON holder_key.holder_id = item.key_holder_id
WHERE item.id = $1

-- name: mailboxes
-- All that a party has had, the newest first.
SELECT mailbox.id, mailbox.sealed, holder_key.wrapped
FROM mailbox LEFT JOIN holder_key ON holder_key.holder_id = mailbox.party_id
WHERE mailbox.party_id = $1 ORDER BY mailbox.added_at DESC, mailbox.id DESC

-- name: holder_keys
SELECT holder_id, wrapped FROM holder_key WHERE holder_id IN ($1...)

-- name: queue
SELECT destination, state, MIN(id) AS item_id, COUNT(*) AS items, MIN(queued_at) AS oldest_at, MIN(due_at) AS next_due_at
FROM (
    SELECT id, destination, state, queued_at, due_at FROM item WHERE wake_at IS NOT NULL AND is_due = 0
    UNION ALL
    SELECT id, destination, state, queued_at, due_at FROM item
    WHERE wake_at IS NULL AND state IN ('held', 'queued') AND is_due = 0
    UNION ALL
    SELECT id, destination, state, queued_at, due_at FROM item WHERE is_due = 1
    UNION ALL
    SELECT id, destination, state, queued_at, due_at FROM item WHERE state = 'parked'
) AS standing
GROUP BY destination, state ORDER BY destination, state

-- name: content_of_message
SELECT size_bytes, pair_id FROM message WHERE id = $1

-- name: content
-- The second half is the original that the message shares with others of its transaction.
SELECT body.content_id, body.part, body.sealed,
       message_key.wrapped AS wrapped_key, message_key.holder_id, holder_key.wrapped
FROM body
JOIN message_key ON message_key.content_id = body.content_id
JOIN holder_key ON holder_key.holder_id = message_key.holder_id
WHERE body.content_id = $1
UNION ALL
SELECT body.content_id, body.part, body.sealed,
       message_key.wrapped AS wrapped_key, message_key.holder_id, holder_key.wrapped
FROM message
JOIN body ON body.content_id = message.shared_body_id
JOIN message_key ON message_key.content_id = message.id
JOIN holder_key ON holder_key.holder_id = message_key.holder_id
WHERE message.id = $1
