-- Whether the store takes writes.

-- name: heartbeat
INSERT INTO heartbeat (id, written_at) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET written_at = excluded.written_at
