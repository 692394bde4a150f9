-- Mail to the return paths of messages.

-- name: lock_item
UPDATE item SET state = state WHERE id = $1 RETURNING state, kind

-- name: bounce
UPDATE item SET state = 'bounced' WHERE id = $1

-- name: reports
-- The events of a message that decide how much of a further report is kept.
SELECT id, message_id, at, type, data FROM event
WHERE message_id = $1 AND type IN ('bounced', 'reported_undeliverable', 'report_received', 'notice_queued')
ORDER BY at, id

-- name: message_holder
SELECT key_holder_id FROM message WHERE id = $1
