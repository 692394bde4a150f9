-- Reading the records.

-- name: summary
SELECT message.*, order_.external_id FROM message LEFT JOIN order_ ON order_.id = message.order_id
WHERE message.id = $1

-- name: messages
SELECT message.*, order_.external_id FROM message LEFT JOIN order_ ON order_.id = message.order_id
WHERE (CAST($1 AS TEXT) IS NULL OR message.state = $1)
ORDER BY message.id DESC LIMIT $2

-- name: messages_of_marketplace
SELECT message.*, order_.external_id FROM message LEFT JOIN order_ ON order_.id = message.order_id
WHERE message.marketplace_id = $3 AND (CAST($1 AS TEXT) IS NULL OR message.state = $1)
ORDER BY message.id DESC LIMIT $2

-- name: history
SELECT * FROM event WHERE message_id = $1 ORDER BY at, id

-- name: answers
SELECT event.id, body.sealed, message_key.wrapped AS wrapped_key, message_key.holder_id, holder_key.wrapped
FROM event
JOIN body ON body.content_id = event.id AND body.part = 'answer'
JOIN message_key ON message_key.content_id = event.id
LEFT JOIN holder_key ON holder_key.holder_id = message_key.holder_id
WHERE event.message_id = $1 ORDER BY event.at, event.id

-- name: notices
SELECT id FROM item WHERE message_id = $1 AND kind = 'notice' ORDER BY id

-- name: recorded
SELECT id, received_at FROM message
WHERE marketplace_id = $1 AND (received_at, id) > ($2, $3) AND received_at < $4
  AND pair_id IS NOT NULL AND author_role IS NOT NULL
ORDER BY received_at, id LIMIT $5

-- name: strangers_bodies_due
SELECT message_id FROM stranger_body WHERE kept_until <= $1 ORDER BY kept_until, message_id LIMIT $2

-- name: drop_stranger_content
DELETE FROM body WHERE part = 'stranger' AND content_id IN ($1...)

-- name: drop_stranger_bodies
DELETE FROM stranger_body WHERE message_id IN ($1...)
