-- The content that several records of one transaction share is one row of `body` under an id of its own, with a key of its
-- own, which each of these records keeps under its message key. NULL: the record's own id.
ALTER TABLE message ADD COLUMN shared_body_id TEXT;
