-- What `/readyz` and `relay check` overwrite to see whether writes are taken: a row for each process, by a random number.
CREATE TABLE heartbeat (
    id         INTEGER PRIMARY KEY,
    written_at BIGINT NOT NULL
);
