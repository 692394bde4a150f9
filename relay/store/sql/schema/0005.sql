-- `was_retired`: the entry had been decided on and retired before it began to wait again, so that its address stays
-- hidden as one of the party's own. An older store did not keep this: a mailbox of the party, and a sender whose mail has
-- been relayed, are known to have been approved once.
ALTER TABLE sender ADD COLUMN was_retired INTEGER NOT NULL DEFAULT 0;
UPDATE sender SET was_retired = 1
WHERE state = 'unknown' AND (
    EXISTS (
        SELECT 1 FROM mailbox
        WHERE mailbox.party_id = sender.party_id AND mailbox.address_hash = sender.address_hash
    )
    OR EXISTS (
        SELECT 1 FROM message
        WHERE message.sender_id = sender.id AND message.state IN ('queued', 'deferred', 'accepted', 'bounced')
    )
);
