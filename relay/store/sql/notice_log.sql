-- The notices that parties were sent, and marks on messages.

-- name: tell
INSERT INTO told (party_id, topic, at) VALUES ($1, $2, $3)
ON CONFLICT (party_id, topic) DO UPDATE SET at = excluded.at
WHERE CAST($4 AS BIGINT) IS NULL OR told.at < $4
RETURNING at

-- name: told_at
SELECT at FROM told WHERE party_id = $1 AND topic = $2

-- name: notices_since
SELECT id, due_at FROM item WHERE key_holder_id = $1 AND kind = 'notice' AND due_at > $2

-- name: notices_accepted
-- The due time of a delivered item is the time of its delivery.
SELECT id, due_at FROM item
WHERE key_holder_id = $1 AND kind = 'notice' AND due_at > $2 AND due_at <= $3 AND state = 'accepted'

-- name: lock_message
UPDATE message SET state = state WHERE id = $1 RETURNING id

-- name: marks
SELECT data FROM event WHERE message_id = $1 AND type = 'marked'

-- name: mark_no_reply
UPDATE message SET no_reply_needed = $2 WHERE id = $1 AND author_role = 'buyer' AND no_reply_needed <> $2 RETURNING id
