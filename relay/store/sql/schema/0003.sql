-- DKIM keys have a state (`relay.core.dkim.KeyState`); `since` is when it began, 0 for keys that were there before.
ALTER TABLE dkim_key ADD COLUMN state TEXT NOT NULL DEFAULT 'active';
ALTER TABLE dkim_key ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
