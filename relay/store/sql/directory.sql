-- Parties, pairs, orders, app passwords. `$2...` is replaced by one placeholder for each value.

-- name: add_marketplace
INSERT INTO marketplace (id) VALUES ($1) ON CONFLICT DO NOTHING

-- name: marketplaces
SELECT id FROM marketplace

-- name: put_party
INSERT INTO party (id, marketplace_id, role, external_ref, state, locale, sealed_name, settings)
VALUES ($1, $2, $3, $4, COALESCE(CAST($5 AS TEXT), 'active'), COALESCE(CAST($6 AS TEXT), ''), $7, '{}')
ON CONFLICT (marketplace_id, role, external_ref) DO UPDATE SET
    state = COALESCE(CAST($5 AS TEXT), party.state),
    locale = COALESCE(CAST($6 AS TEXT), party.locale)
RETURNING id

-- name: set_party_name
UPDATE party SET sealed_name = $2 WHERE id = $1

-- name: set_party_settings
UPDATE party SET settings = $2 WHERE id = $1

-- name: set_party_mailbox
UPDATE party SET mailbox_id = $2 WHERE id = $1

-- name: add_mailbox
INSERT INTO mailbox (id, party_id, address_hash, sealed, added_at) VALUES ($1, $2, $3, $4, $5)

-- name: party
SELECT party.*, holder_key.wrapped, mailbox.sealed AS sealed_mailbox
FROM party
LEFT JOIN holder_key ON holder_key.holder_id = party.id
LEFT JOIN mailbox ON mailbox.id = party.mailbox_id
WHERE party.id = $1

-- name: party_by_ref
SELECT party.*, holder_key.wrapped
FROM party LEFT JOIN holder_key ON holder_key.holder_id = party.id
WHERE marketplace_id = $1 AND role = $2 AND external_ref = $3

-- name: parties
SELECT party.*, holder_key.wrapped
FROM party LEFT JOIN holder_key ON holder_key.holder_id = party.id
WHERE marketplace_id = $1 AND (CAST($2 AS TEXT) IS NULL OR role = $2)
ORDER BY role, external_ref

-- name: pair_parties
SELECT id, role FROM party WHERE marketplace_id = $1 AND id IN ($2, $3)

-- name: add_pair
INSERT INTO pair (id, marketplace_id, buyer_id, seller_id, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (buyer_id, seller_id) DO NOTHING RETURNING id

-- name: pair_of
SELECT id FROM pair WHERE buyer_id = $1 AND seller_id = $2

-- name: add_alias
INSERT INTO alias (local_part, domain, pair_id, party_id, role) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING local_part

-- name: retire_aliases
UPDATE alias SET retired = 1 WHERE pair_id = $1 AND role = $2

-- name: pair_owners
SELECT buyer_id, seller_id FROM pair WHERE id = $1

-- name: pairs
SELECT * FROM pair_side WHERE marketplace_id = $1 ORDER BY pair_id, retired DESC

-- name: pairs_by_id
SELECT * FROM pair_side WHERE pair_id IN ($1...) ORDER BY pair_id, retired DESC

-- name: pair_of_order
SELECT pair.marketplace_id, pair.buyer_id, holder_key.wrapped
FROM pair LEFT JOIN holder_key ON holder_key.holder_id = pair.buyer_id
WHERE pair.id = $1

-- name: put_order
INSERT INTO order_ (id, marketplace_id, external_id, pair_id, items, state, fulfilled_by, sealed_known)
VALUES ($1, $2, $3, $4, COALESCE(CAST($5 AS TEXT), '[]'), COALESCE(CAST($6 AS TEXT), ''),
        COALESCE(CAST($7 AS TEXT), 'seller'), $8)
ON CONFLICT (marketplace_id, external_id) DO UPDATE SET
    items = COALESCE(CAST($5 AS TEXT), order_.items),
    state = COALESCE(CAST($6 AS TEXT), order_.state),
    fulfilled_by = COALESCE(CAST($7 AS TEXT), order_.fulfilled_by),
    sealed_known = COALESCE(excluded.sealed_known, order_.sealed_known)
RETURNING id, pair_id

-- name: orders
SELECT * FROM order_entry WHERE marketplace_id = $1 AND external_id > $2 ORDER BY external_id LIMIT $3

-- name: add_app_password
INSERT INTO app_password (id, party_id, label, hash, added_at) VALUES ($1, $2, $3, $4, $5)

-- name: live_app_passwords
SELECT id FROM app_password WHERE party_id = $1 AND ended_at IS NULL ORDER BY added_at DESC, id DESC

-- name: end_app_password
UPDATE app_password SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL RETURNING id

-- name: app_passwords
SELECT party.id, app_password.hash
FROM app_password JOIN party ON party.id = app_password.party_id
WHERE app_password.ended_at IS NULL AND party.state <> 'erased' AND party.id IN (
    SELECT id FROM party WHERE external_ref = $1
    UNION
    SELECT party.id FROM mailbox JOIN party ON party.id = mailbox.party_id AND party.mailbox_id = mailbox.id
    WHERE mailbox.address_hash IN ($2...)
)
ORDER BY app_password.id
