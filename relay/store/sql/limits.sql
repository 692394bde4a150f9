-- Opt-outs of buyers, quota use, and the points that misuse of importance marks costs.

-- name: put_opt_out
INSERT INTO opt_out (buyer_id, seller_id, kind, in_force, source, changed_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (buyer_id, seller_id, kind) DO UPDATE SET
    in_force = excluded.in_force, source = excluded.source, changed_at = excluded.changed_at

-- name: log_opt_out
INSERT INTO opt_out_change (id, buyer_id, seller_id, kind, in_force, source, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: opt_out_history
SELECT * FROM opt_out_change WHERE buyer_id = $1 ORDER BY changed_at, id

-- name: opt_outs
SELECT * FROM opt_out WHERE buyer_id = $1 AND seller_id IN ('', $2) AND in_force = 1

-- name: used
WITH asked (scope, subject_id, day) AS (VALUES $rows)
SELECT quota_use.* FROM asked JOIN quota_use
ON quota_use.scope = asked.scope AND quota_use.subject_id = asked.subject_id AND quota_use.day = asked.day

-- name: drop_counts
DELETE FROM quota_use WHERE scope = $1 AND subject_id < $2

-- name: add_misuse
INSERT INTO misuse (id, message_id, seller_id, cause, points, at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING RETURNING id

-- name: misuse_history
SELECT * FROM misuse WHERE seller_id = $1 ORDER BY at, id

-- name: misuse_score
SELECT COALESCE(SUM(points), 0) AS score FROM misuse
WHERE seller_id = $1 AND at >= $2
  AND at > COALESCE((SELECT MAX(at) FROM misuse WHERE seller_id = $1 AND message_id IS NULL), -1)
