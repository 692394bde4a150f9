-- `domain_hash` is the keyed hash of the organizational domain of an entry, written as "@domain": unlisted senders are
-- counted by it (R-SND-02). It is NULL in the rows of an older relay until the store is opened, which also disowns
-- entries at the relay's own domains; it is empty for an entry of an erased party.
ALTER TABLE sender ADD COLUMN domain_hash BYTEA;
CREATE INDEX sender_of_older_relay ON sender (id) WHERE domain_hash IS NULL;
CREATE INDEX message_not_passed_on ON message (sender_id, received_at)
    WHERE sender_id IS NOT NULL AND state IN ('held', 'returned');

-- Questions to the owners of accounts. `subject_id` is a pending sender, or a message that nothing proves to be the
-- owner's own; `purpose` is that of the signed link (`core/signed_link.py`). `asked_at` is NULL until housekeeping has
-- written to the owner, and 0 if the owner is not asked.
CREATE TABLE owner_request (
    subject_id TEXT PRIMARY KEY,
    party_id   TEXT NOT NULL REFERENCES party (id),
    pair_id    TEXT NOT NULL REFERENCES pair (id),
    purpose    TEXT NOT NULL,
    since      BIGINT NOT NULL,
    asked_at   BIGINT
);
CREATE INDEX owner_request_open ON owner_request (party_id, since) WHERE asked_at IS NULL;
INSERT INTO owner_request (subject_id, party_id, pair_id, purpose, since, asked_at)
SELECT sender.id, sender.party_id, MIN(message.pair_id), 's', sender.changed_at,
       CASE WHEN told.at >= sender.changed_at THEN told.at END
FROM sender
JOIN message ON message.sender_id = sender.id AND message.state = 'held' AND message.pair_id IS NOT NULL
LEFT JOIN told ON told.party_id = sender.party_id AND told.topic = 'pending'
WHERE sender.state = 'unknown'
GROUP BY sender.id, sender.party_id, sender.changed_at, told.at;
INSERT INTO owner_request (subject_id, party_id, pair_id, purpose, since, asked_at)
SELECT message.id, sender.party_id, message.pair_id, 'c', message.received_at, message.received_at
FROM message JOIN sender ON sender.id = message.sender_id AND sender.state = 'approved'
WHERE message.state = 'held' AND message.pair_id IS NOT NULL AND message.detail LIKE '%"sender_unproven"%';
