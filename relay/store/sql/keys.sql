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


-- name: count_wrapped_secret
-- A wrapped value begins with the id of its master key. A retired DKIM key has no value.
SELECT substr(wrapped, 1, $1) AS key_id, count(*) AS wrapped FROM secret WHERE length(wrapped) > 0 GROUP BY 1

-- name: wrapped_by_others_secret
SELECT name, wrapped FROM secret WHERE substr(wrapped, 1, $1) <> $2 AND length(wrapped) > 0 LIMIT $3

-- name: rewrap_secret
UPDATE secret SET wrapped = $3 WHERE name = $1 AND wrapped = $2

-- name: count_wrapped_holder_key
-- A wrapped value begins with the id of its master key. A retired DKIM key has no value.
SELECT substr(wrapped, 1, $1) AS key_id, count(*) AS wrapped FROM holder_key WHERE length(wrapped) > 0 GROUP BY 1

-- name: wrapped_by_others_holder_key
SELECT holder_id, wrapped FROM holder_key WHERE substr(wrapped, 1, $1) <> $2 AND length(wrapped) > 0 LIMIT $3

-- name: rewrap_holder_key
UPDATE holder_key SET wrapped = $3 WHERE holder_id = $1 AND wrapped = $2

-- name: count_wrapped_dkim_key
-- A wrapped value begins with the id of its master key. A retired DKIM key has no value.
SELECT substr(wrapped, 1, $1) AS key_id, count(*) AS wrapped FROM dkim_key WHERE length(wrapped) > 0 GROUP BY 1

-- name: wrapped_by_others_dkim_key
SELECT domain, selector, wrapped FROM dkim_key WHERE substr(wrapped, 1, $1) <> $2 AND length(wrapped) > 0 LIMIT $3

-- name: rewrap_dkim_key
UPDATE dkim_key SET wrapped = $4 WHERE domain = $1 AND selector = $2 AND wrapped = $3
