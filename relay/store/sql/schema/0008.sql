-- Who did what to the installation. `actor` is a name without an address, or the id of the party that acted; `data` is
-- JSON without addresses and texts. The ids refer to rows of several tables, so none is a foreign key.
CREATE TABLE audit (
    id             TEXT PRIMARY KEY,
    at             BIGINT NOT NULL,
    marketplace_id TEXT,
    actor          TEXT NOT NULL,
    way            TEXT NOT NULL,
    action         TEXT NOT NULL,
    party_id       TEXT,
    subject_id     TEXT,
    data           TEXT NOT NULL
);
CREATE INDEX audit_by_time ON audit (at, id);
CREATE INDEX audit_by_marketplace ON audit (marketplace_id, at, id);
