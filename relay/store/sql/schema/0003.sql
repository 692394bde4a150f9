-- DKIM keys have a life (`relay.core.dkim.KeyState`); `since` is when the state began, 0 for keys from before.
ALTER TABLE dkim_key ADD COLUMN state TEXT NOT NULL DEFAULT 'active';
ALTER TABLE dkim_key ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
