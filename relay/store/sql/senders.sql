-- Sender lists.

-- name: sender_owner
SELECT party.marketplace_id, holder_key.wrapped
FROM party LEFT JOIN holder_key ON holder_key.holder_id = party.id
WHERE party.id = $1

-- name: sender_entry
SELECT * FROM sender WHERE party_id = $1 AND address_hash = $2

-- name: add_sender
INSERT INTO sender (id, party_id, address_hash, sealed, is_domain, shared, state, changed_at, domain_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING

-- name: change_sender
UPDATE sender SET sealed = $2, shared = $3 WHERE id = $1

-- name: flip_sender
-- Also locks the entry: a transaction that holds mail for this sender waits for the lock.
UPDATE sender SET state = $2, changed_at = CASE WHEN state = $2 THEN changed_at ELSE $3 END WHERE id = $1

-- name: pending_beside
-- The entry of a domain and the pending entries of the same list; no rows for the entry of an address.
SELECT sender.*, holder_key.wrapped
FROM sender AS whole JOIN sender ON sender.party_id = whole.party_id
LEFT JOIN holder_key ON holder_key.holder_id = sender.party_id
WHERE whole.id = $1 AND whole.is_domain = 1 AND (sender.state = 'unknown' OR sender.id = $1) ORDER BY sender.id

-- name: senders
SELECT sender.*, holder_key.wrapped
FROM sender LEFT JOIN holder_key ON holder_key.holder_id = sender.party_id
WHERE party_id = $1 ORDER BY sender.id

-- name: sender
SELECT sender.*, holder_key.wrapped
FROM sender LEFT JOIN holder_key ON holder_key.holder_id = sender.party_id
WHERE sender.id = $1

-- name: pending
SELECT sender.*, holder_key.wrapped, (
    SELECT COUNT(*) FROM message JOIN item ON item.message_id = message.id
    WHERE message.sender_id = sender.id AND message.state = 'held' AND item.state = 'held' AND item.awaits_sender = 1
) AS held
FROM sender LEFT JOIN holder_key ON holder_key.holder_id = sender.party_id
WHERE party_id = $1 AND state = 'unknown' ORDER BY sender.changed_at, sender.id

-- name: unlisted
-- The unlisted senders of a party that have mail, with the number of messages that wait and the mail of late.
SELECT sender.id, sender.address_hash, sender.domain_hash, sender.changed_at,
       CAST(SUM(CASE WHEN message.state = 'held' THEN 1 ELSE 0 END) AS BIGINT) AS held,
       CAST(SUM(CASE WHEN message.received_at > $2 THEN 1 ELSE 0 END) AS BIGINT) AS mails,
       CAST(SUM(CASE WHEN message.received_at > $2 THEN message.size_bytes ELSE 0 END) AS BIGINT) AS size_bytes
FROM sender JOIN message ON message.sender_id = sender.id AND message.state IN ('held', 'returned')
WHERE sender.party_id = $1 AND sender.state = 'unknown'
GROUP BY sender.id, sender.address_hash, sender.domain_hash, sender.changed_at
ORDER BY sender.changed_at, sender.id

-- name: lock_party
-- Of several transactions that give places to unlisted senders, the later ones wait for the first.
UPDATE party SET state = state WHERE id = $1 RETURNING marketplace_id

-- name: unproven
SELECT COUNT(*) AS mails, CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) AS size_bytes FROM message
WHERE sender_id = $1 AND state = 'held' AND detail LIKE '%"sender_unproven"%'

-- name: state_of_sender
SELECT state FROM sender WHERE id = $1

-- name: listed_by_counterpart
SELECT 1 FROM sender WHERE address_hash IN ($2, $3) AND (state <> 'unknown' OR was_retired = 1) AND party_id IN (
    SELECT seller_id FROM pair WHERE buyer_id = $1 UNION ALL SELECT buyer_id FROM pair WHERE seller_id = $1
) LIMIT 1

-- name: senders_of_older_relay
SELECT sender.*, holder_key.wrapped, party.marketplace_id
FROM sender JOIN party ON party.id = sender.party_id LEFT JOIN holder_key ON holder_key.holder_id = sender.party_id
WHERE domain_hash IS NULL ORDER BY sender.id LIMIT 500

-- name: alias_domains
SELECT DISTINCT domain FROM alias

-- name: set_domain_hash
UPDATE sender SET domain_hash = $2 WHERE id = $1

-- name: disown_sender
UPDATE sender SET state = 'unknown', was_retired = 0 WHERE id = $1

-- name: disown_mailbox
UPDATE party SET mailbox_id = NULL WHERE id = $1
    AND mailbox_id IN (SELECT id FROM mailbox WHERE party_id = $1 AND address_hash = $2)

-- name: asked
UPDATE owner_request SET asked_at = $1 WHERE asked_at IS NULL AND subject_id IN ($2...) RETURNING subject_id

-- name: request_parties
SELECT DISTINCT party_id FROM owner_request WHERE asked_at IS NULL ORDER BY party_id

-- name: requests
SELECT owner_request.pair_id, owner_request.purpose, owner_request.subject_id, owner_request.since,
       sender.id, sender.party_id, sender.sealed, sender.state, sender.shared, sender.was_retired, holder_key.wrapped,
       CASE WHEN owner_request.purpose = 's'
           THEN (SELECT COUNT(*) FROM message AS other WHERE other.sender_id = sender.id AND other.state = 'held')
           WHEN message.state = 'held' THEN 1 ELSE 0 END AS held
FROM owner_request
LEFT JOIN message ON owner_request.purpose = 'c' AND message.id = owner_request.subject_id
JOIN sender ON sender.id = CASE WHEN owner_request.purpose = 's' THEN subject_id ELSE message.sender_id END
LEFT JOIN holder_key ON holder_key.holder_id = sender.party_id
WHERE owner_request.party_id = $1 AND owner_request.asked_at IS NULL
ORDER BY owner_request.since, owner_request.subject_id

-- name: was_asked
SELECT 1 FROM owner_request
WHERE subject_id IN ($1, (SELECT sender_id FROM message WHERE id = $1)) AND asked_at > 0 LIMIT 1

-- name: signing_domains
SELECT signing_domain.domain_hash, signing_domain.sealed, holder_key.wrapped
FROM signing_domain LEFT JOIN holder_key ON holder_key.holder_id = signing_domain.party_id
WHERE signing_domain.party_id = $1 AND signing_domain.confirmed = 1

-- name: add_signing_domain
INSERT INTO signing_domain (party_id, domain_hash, sealed, confirmed, changed_at) VALUES ($1, $2, $3, 0, $4)
ON CONFLICT DO NOTHING

-- name: confirm_signing_domain
UPDATE signing_domain SET confirmed = $3, changed_at = $4
WHERE party_id = $1 AND domain_hash = $2 AND confirmed <> $3 RETURNING party_id
