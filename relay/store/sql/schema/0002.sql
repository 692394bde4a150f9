-- Senders, holds, quotas and marks.

ALTER TABLE party ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';

-- The values known of an order may identify a person (a postcode, a parcel), so they are sealed with the buyer's key.
ALTER TABLE order_ ADD COLUMN sealed_known BYTEA;
CREATE INDEX order_by_pair ON order_ (pair_id, id);

-- Whether the seller has said that a buyer's message needs no reply (R-REC-08).
ALTER TABLE message ADD COLUMN no_reply_needed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX message_by_order ON message (order_id, received_at) WHERE order_id IS NOT NULL;
CREATE INDEX message_by_time ON message (marketplace_id, received_at, id) WHERE pair_id IS NOT NULL;

CREATE INDEX pair_by_seller ON pair (seller_id, id);
CREATE INDEX sender_pending ON sender (party_id, changed_at) WHERE state = 'unknown';
CREATE INDEX opt_out_change_by_buyer ON opt_out_change (buyer_id, changed_at, id);

-- `hold` is the reason why an item is held. A held item is looked at when `due_at` has come, and its `wake_at` is NULL: its
-- due time may be weeks ahead, which for any other item means that the clock has jumped. A leased item keeps its hold, so
-- that it is held again after a crash.
CREATE TABLE item_2 (
    id             TEXT PRIMARY KEY,
    message_id     TEXT NOT NULL REFERENCES message (id),
    marketplace_id TEXT NOT NULL,
    kind           TEXT NOT NULL,
    state          TEXT NOT NULL,
    recipient_id   TEXT,
    key_holder_id  TEXT NOT NULL,
    sealed_address BYTEA,
    destination    TEXT NOT NULL,
    queued_at      BIGINT NOT NULL,
    due_at         BIGINT NOT NULL,
    wake_at        BIGINT,
    attempts       INTEGER NOT NULL,
    delay_noticed  INTEGER NOT NULL,
    owner          TEXT,
    hold           TEXT,
    awaits_sender  INTEGER NOT NULL,
    CHECK ((wake_at IS NOT NULL) = (state IN ('deferred', 'leased') OR (state = 'queued' AND hold IS NULL))),
    CHECK ((owner IS NOT NULL) = (state = 'leased')),
    CHECK (state <> 'held' OR hold IS NOT NULL),
    CHECK (hold IS NULL OR state IN ('held', 'queued', 'leased', 'parked'))
);
-- Items held before waited for a decision of the account owner, or of the person who confirms an unproven message.
INSERT INTO item_2
SELECT item.id, item.message_id, item.marketplace_id, item.kind, item.state, item.recipient_id, item.key_holder_id,
       item.sealed_address, item.destination, item.queued_at,
       CASE WHEN item.state = 'held' THEN item.queued_at + 1209600000000 ELSE item.due_at END,
       item.wake_at, item.attempts, item.delay_noticed, item.owner,
       CASE WHEN item.state = 'held' THEN 'word' END,
       CASE WHEN item.state = 'held' AND message.detail LIKE '%"sender_pending"%' THEN 1 ELSE 0 END
FROM item JOIN message ON message.id = item.message_id;
DROP TABLE item;
ALTER TABLE item_2 RENAME TO item;
CREATE INDEX item_by_message ON item (message_id);
-- It covers all columns that a claim reads, because a claim may skip the whole backlog of a busy destination.
CREATE INDEX item_awake ON item (wake_at, id, destination) WHERE wake_at IS NOT NULL;
CREATE INDEX item_waiting ON item (due_at, id, destination) WHERE wake_at IS NULL AND state IN ('held', 'queued');
CREATE INDEX item_parked ON item (destination) WHERE state = 'parked';
CREATE INDEX item_notice ON item (key_holder_id, due_at) WHERE kind = 'notice';

-- `day` is an ISO date.
CREATE TABLE quota_use (
    scope      TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    day        TEXT NOT NULL,
    used       INTEGER NOT NULL,
    PRIMARY KEY (scope, subject_id, day)
);

-- Points that marks of importance have cost; a line without a message is a restoration (R-POL-06).
CREATE TABLE misuse (
    id         TEXT PRIMARY KEY,
    message_id TEXT REFERENCES message (id),
    seller_id  TEXT NOT NULL REFERENCES party (id),
    cause      TEXT NOT NULL,
    points     INTEGER NOT NULL,
    at         BIGINT NOT NULL,
    UNIQUE (message_id, cause)
);
CREATE INDEX misuse_by_seller ON misuse (seller_id, at);
CREATE INDEX misuse_restored ON misuse (seller_id, at) WHERE message_id IS NULL;

CREATE TABLE told (
    party_id TEXT NOT NULL REFERENCES party (id),
    topic    TEXT NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (party_id, topic)
);

CREATE TABLE thread_reopening (
    id          TEXT PRIMARY KEY,
    pair_id     TEXT NOT NULL REFERENCES pair (id),
    at          BIGINT NOT NULL,
    reopened_by TEXT NOT NULL
);
CREATE INDEX thread_reopening_by_pair ON thread_reopening (pair_id, at);

CREATE VIEW order_entry AS
SELECT order_.*, pair.buyer_id, holder_key.wrapped
FROM order_
JOIN pair ON pair.id = order_.pair_id
LEFT JOIN holder_key ON holder_key.holder_id = pair.buyer_id;

DROP VIEW pair_side;
CREATE VIEW pair_side AS
SELECT pair.id AS pair_id, pair.marketplace_id, pair.created_at,
       alias.role, alias.local_part, alias.domain, alias.retired,
       party.id AS party_id, party.external_ref, party.state, party.locale, party.settings, party.sealed_name,
       holder_key.wrapped, mailbox.id AS mailbox_id, mailbox.sealed AS sealed_mailbox
FROM alias
JOIN pair ON pair.id = alias.pair_id
JOIN party ON party.id = alias.party_id
LEFT JOIN holder_key ON holder_key.holder_id = party.id
LEFT JOIN mailbox ON mailbox.id = party.mailbox_id;
