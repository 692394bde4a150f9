-- It counts bytes, too.
ALTER TABLE quota_use ALTER COLUMN used TYPE BIGINT;
