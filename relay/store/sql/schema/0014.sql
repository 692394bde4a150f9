-- The tables that have values in clear of an older relay, which are sealed when the store is opened: the domain in
-- `item.destination`, the client's address in `message.detail`, hosts in `event.data`. Rows up to `after_id` are done.
-- 'disk' stands for what deleted and overwritten rows have left on the disk.
CREATE TABLE unsealed (
    subject  TEXT PRIMARY KEY,
    after_id TEXT NOT NULL
);
INSERT INTO unsealed (subject, after_id) VALUES ('item', ''), ('message', ''), ('event', '');

CREATE INDEX mailbox_by_party ON mailbox (party_id);
