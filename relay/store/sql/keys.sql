-- Secrets, holder keys, DKIM keys.

-- name: secret
SELECT wrapped FROM secret WHERE name = $1

-- name: add_secret
INSERT INTO secret (name, wrapped) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: add_holder_key
INSERT INTO holder_key (holder_id, wrapped) VALUES ($1, $2)

-- name: add_marketplace_key
INSERT INTO holder_key (holder_id, wrapped) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: dkim_keys
SELECT * FROM dkim_key WHERE domain = $1 ORDER BY algorithm, selector

-- name: put_dkim_key
INSERT INTO dkim_key (domain, selector, algorithm, wrapped, state, since) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (domain, selector) DO UPDATE SET algorithm = excluded.algorithm, wrapped = excluded.wrapped,
    state = excluded.state, since = excluded.since

-- name: activate_dkim_key
UPDATE dkim_key SET state = 'active', since = $3
WHERE domain = $1 AND selector = $2 AND state = 'prepared' RETURNING algorithm

-- name: replace_dkim_keys
-- Replaced by the key that has just become active.
UPDATE dkim_key SET state = 'replaced', since = $3
WHERE domain = $1 AND selector <> $2 AND state = 'active'
  AND algorithm = (SELECT fresh.algorithm FROM dkim_key AS fresh WHERE fresh.domain = $1 AND fresh.selector = $2)
RETURNING selector, algorithm

-- name: retire_dkim_key
UPDATE dkim_key SET state = 'retired', since = $3, wrapped = $4
WHERE domain = $1 AND selector = $2 AND state IN ('prepared', 'replaced') RETURNING algorithm
