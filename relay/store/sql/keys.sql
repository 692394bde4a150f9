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
INSERT INTO dkim_key (domain, selector, algorithm, wrapped) VALUES ($1, $2, $3, $4)
ON CONFLICT (domain, selector) DO UPDATE SET algorithm = excluded.algorithm, wrapped = excluded.wrapped
