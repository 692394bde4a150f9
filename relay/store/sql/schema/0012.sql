-- Signatures that have been taken as the only proof of a writer, each as a keyed hash over the alias, the domain, the
-- selector and `b=`. A signature is taken once for an alias, for the life of the pair (R-IN-09).
CREATE TABLE signature_taken (
    mark       BYTEA PRIMARY KEY,
    pair_id    TEXT NOT NULL REFERENCES pair (id),
    message_id TEXT NOT NULL REFERENCES message (id)
);
CREATE INDEX signature_taken_by_pair ON signature_taken (pair_id);

-- The signing domains that parties have confirmed. A row stays when a confirmation is taken back.
CREATE TABLE signing_domain (
    party_id    TEXT NOT NULL REFERENCES party (id),
    domain_hash BYTEA NOT NULL,
    sealed      BYTEA NOT NULL,
    confirmed   INTEGER NOT NULL,
    changed_at  BIGINT NOT NULL,
    PRIMARY KEY (party_id, domain_hash)
);

-- Held messages for which only the confirmation of a signing domain is missing.
CREATE TABLE signing_domain_wait (
    message_id  TEXT PRIMARY KEY REFERENCES message (id),
    party_id    TEXT NOT NULL REFERENCES party (id),
    domain_hash BYTEA NOT NULL
);
CREATE INDEX signing_domain_wait_by_domain ON signing_domain_wait (party_id, domain_hash);

-- Until when the content of a stranger's mail is kept, the part `stranger` of its body (R-REC-01).
CREATE TABLE stranger_body (
    message_id TEXT PRIMARY KEY REFERENCES message (id),
    kept_until BIGINT NOT NULL
);
CREATE INDEX stranger_body_by_time ON stranger_body (kept_until, message_id);
