-- Mail that waits for a decision. Only the first decision counts: a refused message is about to be returned.

-- name: held_messages
-- The index `item_waiting` has the items in the order of `due_at`.
SELECT message.*, order_.external_id, party.role AS writer_role, party.external_ref AS writer_ref, item.hold, item.due_at
FROM item JOIN message ON message.id = item.message_id LEFT JOIN order_ ON order_.id = message.order_id
LEFT JOIN party ON party.id = message.author_id
WHERE item.wake_at IS NULL AND item.state IN ('held', 'queued') AND item.is_due = 0
  AND item.state = 'held' AND item.hold <> 'refused' AND item.kind <> 'notice'
  AND (CAST($1 AS TEXT) IS NULL OR item.marketplace_id = $1)
  AND ($2 = 0 OR (item.hold = 'word' AND item.awaits_sender = 0))
ORDER BY item.due_at, item.id LIMIT $3

-- name: held
SELECT id, message_id, recipient_id FROM item WHERE message_id = $1 AND state = 'held' AND hold <> 'refused' AND kind <> 'notice'

-- name: held_of_senders
-- In the order of reception.
SELECT item.id, item.message_id, item.recipient_id, item.awaits_sender
FROM message JOIN item ON item.message_id = message.id
WHERE message.sender_id IN ($1...) AND message.state = 'held'
  AND item.state = 'held' AND item.hold <> 'refused' AND item.kind <> 'notice'
ORDER BY message.received_at, item.id

-- name: release_held
UPDATE item SET state = 'queued', hold = NULL, queued_at = $2, due_at = $2, wake_at = $2, is_due = 0, after_id = $3
WHERE id = $1 AND state = 'held' AND hold <> 'refused' RETURNING id

-- name: return_held
UPDATE item SET state = 'returned', hold = NULL, is_due = 0 WHERE id = $1 AND state = 'held' AND hold <> 'refused' RETURNING id

-- name: refuse_held
UPDATE item SET hold = 'refused', due_at = $2, is_due = 0 WHERE id = $1 AND state = 'held' AND hold <> 'refused' RETURNING id

-- name: expire_held
-- Mail that is due already gives way only once.
UPDATE item SET due_at = $2 WHERE id = $1 AND state = 'held' AND hold = 'word' AND due_at > $2 RETURNING id

-- name: lock_senders
UPDATE sender SET state = state WHERE id IN ($1...) RETURNING id, state

-- name: unretire_sender
UPDATE sender SET state = 'unknown', changed_at = $2, was_retired = 1 WHERE id = $1 AND state = 'retired'

-- name: held_for_domain
-- In the order of reception.
SELECT item.id, item.message_id, item.recipient_id
FROM signing_domain_wait AS waiting JOIN message ON message.id = waiting.message_id
JOIN item ON item.message_id = message.id
WHERE waiting.party_id = $1 AND waiting.domain_hash = $2 AND message.state = 'held'
  AND item.state = 'held' AND item.hold <> 'refused' AND item.kind <> 'notice'
ORDER BY message.received_at, item.id
