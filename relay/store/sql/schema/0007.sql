-- The queries about threads ask for these two values of `detail`. `action` is '' in rows whose detail does not name it.
ALTER TABLE message ADD COLUMN action TEXT NOT NULL DEFAULT '';
ALTER TABLE message ADD COLUMN to_operator INTEGER NOT NULL DEFAULT 0;
