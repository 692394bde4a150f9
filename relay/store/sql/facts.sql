-- Indexed look-ups of few rows, made for each message. `$2...` is replaced by one placeholder for each value.

-- name: alias
SELECT local_part, domain, role, retired FROM alias WHERE local_part = $1 AND domain = $2

-- name: pair
SELECT * FROM pair_side WHERE pair_id = $1 ORDER BY retired DESC

-- name: pair_by_alias
SELECT * FROM pair_side
WHERE pair_id = (SELECT pair_id FROM alias WHERE local_part = $1 AND domain = $2)
ORDER BY retired DESC

-- name: pair_between
SELECT * FROM pair_side
WHERE pair_id = (SELECT id FROM pair WHERE buyer_id = $1 AND seller_id = $2)
ORDER BY retired DESC

-- name: entries
SELECT id, party_id, sealed, state, shared, was_retired FROM sender WHERE party_id IN ($1...)

-- name: listed_elsewhere
SELECT 1 FROM sender WHERE address_hash = $1 AND party_id <> $2 AND state = 'approved' LIMIT 1

-- name: order
SELECT * FROM order_entry WHERE marketplace_id = $1 AND external_id = $2

-- name: orders_of
SELECT * FROM order_entry WHERE pair_id = $1 ORDER BY id

-- name: thread_refs_by_id
-- The caller compares the pair: a planner without statistics may read all messages of the pair instead of a few ids.
SELECT message.id, message.pair_id, message.author_role, message.order_id, message.received_at, body.sealed,
       message_key.wrapped AS wrapped_key, message_key.holder_id, holder_key.wrapped
FROM message
JOIN body ON body.content_id = message.id AND body.part = 'meta'
JOIN message_key ON message_key.content_id = message.id
JOIN holder_key ON holder_key.holder_id = message_key.holder_id
WHERE message.id IN ($1...)

-- name: thread_refs_by_original_id
-- The hash covers the pair, so no other pair's message is found.
SELECT id, original_id_hash, order_id, received_at FROM message WHERE original_id_hash IN ($2...) AND author_role = $1 ORDER BY id

-- name: open_question
-- A message that went to the operator is not a question to the seller (R-POL-13).
SELECT author_role FROM message
WHERE pair_id = $1 AND automatic IN ('no', 'typed') AND state IN ('queued', 'deferred', 'accepted')
  AND to_operator = 0
ORDER BY received_at DESC, id DESC LIMIT 1

-- name: auto_replies_since
SELECT COUNT(*) AS replies FROM message
WHERE pair_id = $1 AND received_at >= $3 AND author_role = $2 AND automatic = 'reply'
  AND state IN ('held', 'queued', 'deferred', 'accepted', 'bounced')

-- name: thread_last_at
-- A message that was held counts only once it has been delivered.
SELECT
    (SELECT received_at FROM message WHERE pair_id = $1 AND state NOT IN ('returned', 'refused', 'held')
       AND (state NOT IN ('queued', 'deferred') OR action <> 'hold')
     ORDER BY received_at DESC, id DESC LIMIT 1) AS mail_at,
    (SELECT MAX(at) FROM thread_reopening WHERE pair_id = $1) AS reopened_at

-- name: order_thread_last_at
SELECT
    (SELECT MAX(received_at) FROM message WHERE order_id = $2 AND state NOT IN ('returned', 'refused', 'held')
       AND (state NOT IN ('queued', 'deferred') OR action <> 'hold')) AS mail_at,
    (SELECT MAX(at) FROM thread_reopening WHERE pair_id = $1) AS reopened_at

-- name: thread_times
-- The row without an order is that of `thread_last_at`.
SELECT
    order_.id AS order_id,
    (SELECT MAX(received_at) FROM message WHERE order_id = order_.id AND state NOT IN ('returned', 'refused', 'held')
       AND (state NOT IN ('queued', 'deferred') OR action <> 'hold')) AS mail_at,
    (SELECT MAX(at) FROM thread_reopening WHERE pair_id = $1) AS reopened_at
FROM order_ WHERE order_.pair_id = $1
UNION ALL
SELECT
    NULL,
    (SELECT received_at FROM message WHERE pair_id = $1 AND state NOT IN ('returned', 'refused', 'held')
       AND (state NOT IN ('queued', 'deferred') OR action <> 'hold')
     ORDER BY received_at DESC, id DESC LIMIT 1),
    (SELECT MAX(at) FROM thread_reopening WHERE pair_id = $1)

-- name: reopen_thread
INSERT INTO thread_reopening (id, pair_id, at, reopened_by) VALUES ($1, $2, $3, $4)

-- name: turns
SELECT message.id, message.pair_id, message.author_role, message.received_at, message.automatic,
       message.no_reply_needed
FROM pair JOIN message ON message.pair_id = pair.id
WHERE pair.seller_id = $1 AND message.received_at >= $2 AND message.author_role IS NOT NULL
  AND message.state IN ('queued', 'deferred', 'accepted') AND message.to_operator = 0
ORDER BY message.pair_id, message.received_at, message.id

-- name: holder_key
SELECT wrapped FROM holder_key WHERE holder_id = $1

-- name: mailbox
SELECT mailbox.id, mailbox.sealed, holder_key.wrapped
FROM party JOIN mailbox ON mailbox.id = party.mailbox_id
LEFT JOIN holder_key ON holder_key.holder_id = party.id
WHERE party.id = $1

-- name: signatures_taken
SELECT message_id FROM signature_taken WHERE mark IN ($1...) ORDER BY message_id LIMIT 1

-- name: confirmed_domain
SELECT 1 FROM signing_domain WHERE party_id = $1 AND confirmed = 1 AND domain_hash IN ($2...) LIMIT 1
