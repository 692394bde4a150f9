-- Both engines run this text; the parts that differ are in sqlite/ and postgres/ under the same number.
-- Times are microseconds since 1970 in UTC; flags are 0 or 1; `sealed` and `wrapped` values are ciphertext.

CREATE TABLE secret (
    name    TEXT PRIMARY KEY,
    wrapped BYTEA NOT NULL
);

CREATE TABLE dkim_key (
    domain    TEXT NOT NULL,
    selector  TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    wrapped   BYTEA NOT NULL,
    PRIMARY KEY (domain, selector)
);

-- The keys of parties, and of marketplaces for mail of strangers and mail to the operator.
CREATE TABLE holder_key (
    holder_id TEXT PRIMARY KEY,
    wrapped   BYTEA NOT NULL
);

CREATE TABLE marketplace (
    id TEXT PRIMARY KEY
);

CREATE TABLE party (
    id             TEXT PRIMARY KEY,
    marketplace_id TEXT NOT NULL REFERENCES marketplace (id),
    role           TEXT NOT NULL,
    external_ref   TEXT NOT NULL,
    state          TEXT NOT NULL,
    locale         TEXT NOT NULL,
    sealed_name    BYTEA NOT NULL,
    mailbox_id     TEXT,
    UNIQUE (marketplace_id, role, external_ref)
);
CREATE INDEX party_by_ref ON party (external_ref);

-- The history of a party's mailboxes; `party.mailbox_id` names the current one (R-ADR-04).
CREATE TABLE mailbox (
    id           TEXT PRIMARY KEY,
    party_id     TEXT NOT NULL REFERENCES party (id),
    address_hash BYTEA NOT NULL,
    sealed       BYTEA NOT NULL,
    added_at     BIGINT NOT NULL
);
CREATE INDEX mailbox_by_address ON mailbox (address_hash);

CREATE TABLE pair (
    id             TEXT PRIMARY KEY,
    marketplace_id TEXT NOT NULL REFERENCES marketplace (id),
    buyer_id       TEXT NOT NULL REFERENCES party (id),
    seller_id      TEXT NOT NULL REFERENCES party (id),
    created_at     BIGINT NOT NULL,
    UNIQUE (buyer_id, seller_id)
);
CREATE INDEX pair_by_marketplace ON pair (marketplace_id, id);

-- Aliases are never deleted, so that they are never issued again (R-ADR-02).
CREATE TABLE alias (
    local_part TEXT NOT NULL,
    domain     TEXT NOT NULL,
    pair_id    TEXT NOT NULL REFERENCES pair (id),
    party_id   TEXT NOT NULL REFERENCES party (id),
    role       TEXT NOT NULL,
    retired    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (local_part, domain)
);
CREATE INDEX alias_by_pair ON alias (pair_id);

CREATE TABLE order_ (
    id             TEXT PRIMARY KEY,
    marketplace_id TEXT NOT NULL REFERENCES marketplace (id),
    external_id    TEXT NOT NULL,
    pair_id        TEXT NOT NULL REFERENCES pair (id),
    items          TEXT NOT NULL,
    state          TEXT NOT NULL,
    fulfilled_by   TEXT NOT NULL,
    UNIQUE (marketplace_id, external_id)
);

CREATE TABLE sender (
    id           TEXT PRIMARY KEY,
    party_id     TEXT NOT NULL REFERENCES party (id),
    address_hash BYTEA NOT NULL,
    sealed       BYTEA NOT NULL,
    is_domain    INTEGER NOT NULL,
    shared       INTEGER NOT NULL,
    state        TEXT NOT NULL,
    changed_at   BIGINT NOT NULL,
    UNIQUE (party_id, address_hash)
);
CREATE INDEX sender_by_address ON sender (address_hash);

-- '' means all sellers, or all kinds.
CREATE TABLE opt_out (
    buyer_id   TEXT NOT NULL REFERENCES party (id),
    seller_id  TEXT NOT NULL,
    kind       TEXT NOT NULL,
    in_force   INTEGER NOT NULL,
    source     TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (buyer_id, seller_id, kind)
);

CREATE TABLE opt_out_change (
    id         TEXT PRIMARY KEY,
    buyer_id   TEXT NOT NULL REFERENCES party (id),
    seller_id  TEXT NOT NULL,
    kind       TEXT NOT NULL,
    in_force   INTEGER NOT NULL,
    source     TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE app_password (
    id       TEXT PRIMARY KEY,
    party_id TEXT NOT NULL REFERENCES party (id),
    label    TEXT NOT NULL,
    hash     TEXT NOT NULL,
    added_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX app_password_by_party ON app_password (party_id);

-- The values of a record that are not encrypted; its texts are in `body`.
CREATE TABLE message (
    id               TEXT PRIMARY KEY,
    marketplace_id   TEXT NOT NULL,
    key_holder_id    TEXT NOT NULL,
    pair_id          TEXT REFERENCES pair (id),
    author_id        TEXT,
    author_role      TEXT,
    recipient_id     TEXT,
    sender_id        TEXT,
    order_id         TEXT,
    kind             TEXT NOT NULL,
    state            TEXT NOT NULL,
    automatic        TEXT NOT NULL,
    received_at      BIGINT NOT NULL,
    size_bytes       BIGINT NOT NULL,
    policy_version   TEXT NOT NULL,
    original_id_hash BYTEA,
    content_hash     BYTEA NOT NULL,
    detail           TEXT NOT NULL
);
CREATE INDEX message_by_pair ON message (pair_id, received_at, id) WHERE pair_id IS NOT NULL;
CREATE INDEX message_by_original_id ON message (original_id_hash) WHERE original_id_hash IS NOT NULL;
CREATE INDEX message_by_marketplace ON message (marketplace_id, id);
CREATE INDEX message_held ON message (sender_id) WHERE state = 'held';

-- `content_id` is the id of a record, or of the item of a notice. The keys are in another table than the contents.
CREATE TABLE message_key (
    content_id TEXT NOT NULL,
    holder_id  TEXT NOT NULL,
    wrapped    BYTEA NOT NULL,
    PRIMARY KEY (content_id, holder_id)
);

CREATE TABLE body (
    content_id TEXT NOT NULL,
    part       TEXT NOT NULL,
    sealed     BYTEA NOT NULL,
    PRIMARY KEY (content_id, part)
);

CREATE TABLE event (
    id         TEXT PRIMARY KEY,
    message_id TEXT NOT NULL REFERENCES message (id),
    at         BIGINT NOT NULL,
    type       TEXT NOT NULL,
    data       TEXT NOT NULL,
    leaf_hash  BYTEA NOT NULL
);
CREATE INDEX event_by_message ON event (message_id, at, id);

-- `wake_at` is when the item must be looked at: its due time, or the end of its lease while it is leased.
CREATE TABLE item (
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
    CHECK ((wake_at IS NOT NULL) = (state IN ('queued', 'deferred', 'leased'))),
    CHECK ((owner IS NOT NULL) = (state = 'leased'))
);
CREATE INDEX item_by_message ON item (message_id);
-- It covers all columns that a claim reads, because a claim may skip the whole backlog of a busy destination.
CREATE INDEX item_awake ON item (wake_at, id, destination) WHERE wake_at IS NOT NULL;
CREATE INDEX item_still ON item (state) WHERE state IN ('held', 'parked');

CREATE VIEW pair_side AS
SELECT pair.id AS pair_id, pair.marketplace_id, pair.created_at,
       alias.role, alias.local_part, alias.domain, alias.retired,
       party.id AS party_id, party.external_ref, party.state, party.locale, party.sealed_name,
       holder_key.wrapped, mailbox.id AS mailbox_id, mailbox.sealed AS sealed_mailbox
FROM alias
JOIN pair ON pair.id = alias.pair_id
JOIN party ON party.id = alias.party_id
LEFT JOIN holder_key ON holder_key.holder_id = party.id
LEFT JOIN mailbox ON mailbox.id = party.mailbox_id;
