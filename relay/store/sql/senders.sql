-- Sender lists.

-- name: sender_owner
SELECT party.marketplace_id, holder_key.wrapped
FROM party LEFT JOIN holder_key ON holder_key.holder_id = party.id
WHERE party.id = $1

-- name: sender_entry
SELECT * FROM sender WHERE party_id = $1 AND address_hash = $2

-- name: add_sender
INSERT INTO sender (id, party_id, address_hash, sealed, is_domain, shared, state, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING

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

-- name: waiting_parties
SELECT DISTINCT sender.party_id
FROM sender LEFT JOIN told ON told.party_id = sender.party_id AND told.topic = 'pending'
WHERE sender.state = 'unknown' AND (told.at IS NULL OR (told.at < $1 AND sender.changed_at > told.at))
ORDER BY sender.party_id
