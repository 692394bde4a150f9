-- Sealing what an older relay has left in clear, in the order of ids, so that it goes on where it was cut off.

-- name: unsealed
SELECT subject FROM unsealed

-- name: lock_unsealed
UPDATE unsealed SET after_id = after_id WHERE subject = $1 RETURNING after_id

-- name: sealed_up_to
UPDATE unsealed SET after_id = $2 WHERE subject = $1

-- name: all_sealed
DELETE FROM unsealed WHERE subject = $1

-- name: left_on_disk
INSERT INTO unsealed (subject, after_id) VALUES ('disk', '') ON CONFLICT DO NOTHING

-- name: unsealed_items
SELECT id, destination FROM item WHERE id > $1 ORDER BY id LIMIT $2

-- name: set_destination
UPDATE item SET destination = $2 WHERE id = $1

-- name: unsealed_messages
SELECT message.id, message.detail, body.sealed,
       message_key.wrapped AS wrapped_key, message_key.holder_id, holder_key.wrapped
FROM message
LEFT JOIN body ON body.content_id = message.id AND body.part = 'meta'
LEFT JOIN message_key ON message_key.content_id = message.id
LEFT JOIN holder_key ON holder_key.holder_id = message_key.holder_id
WHERE message.id > $1 ORDER BY message.id LIMIT $2

-- name: set_detail
UPDATE message SET detail = $2 WHERE id = $1

-- name: set_meta
UPDATE body SET sealed = $2 WHERE content_id = $1 AND part = 'meta'

-- name: unsealed_events
SELECT event.id, event.message_id, event.at, event.type, event.data, message.key_holder_id, holder_key.wrapped
FROM event
JOIN message ON message.id = event.message_id
LEFT JOIN holder_key ON holder_key.holder_id = message.key_holder_id
WHERE event.id > $1 ORDER BY event.id LIMIT $2

-- name: set_event_data
UPDATE event SET data = $2, leaf_hash = $3 WHERE id = $1
