-- The audit log: who did what to the installation.

-- name: audit
SELECT * FROM audit ORDER BY at DESC, id DESC LIMIT $1

-- name: audit_of_marketplace
SELECT * FROM audit WHERE marketplace_id = $2 ORDER BY at DESC, id DESC LIMIT $1
