-- Reading the records.

-- name: summary
SELECT message.*, order_.external_id, party.role AS writer_role, party.external_ref AS writer_ref
FROM message LEFT JOIN order_ ON order_.id = message.order_id LEFT JOIN party ON party.id = message.author_id
WHERE message.id = $1

-- name: messages
SELECT message.*, order_.external_id, party.role AS writer_role, party.external_ref AS writer_ref
FROM message LEFT JOIN order_ ON order_.id = message.order_id LEFT JOIN party ON party.id = message.author_id
WHERE (CAST($2 AS TEXT) IS NULL OR message.marketplace_id = $2)
  AND (CAST($3 AS TEXT) IS NULL OR message.state = $3)
  AND (CAST($4 AS TEXT) IS NULL OR message.pair_id = $4)
  AND (CAST($5 AS TEXT) IS NULL OR message.author_id = $5 OR message.recipient_id = $5
       OR message.pair_id IN (SELECT id FROM pair WHERE buyer_id = $5 OR seller_id = $5))
  AND (CAST($6 AS TEXT) IS NULL OR order_.external_id = $6)
  AND (CAST($7 AS TEXT) IS NULL OR message.sender_id = $7)
  AND (CAST($8 AS TEXT) IS NULL OR message.detail LIKE $8
       OR EXISTS (SELECT 1 FROM event WHERE event.message_id = message.id AND event.data LIKE $8))
ORDER BY message.id DESC LIMIT $1

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
