-- `is_due` is 1 from the time when an item has come due until it is leased: it waits for a place in the lane of its
-- destination. The other two indexes leave it out, so that neither the search for items that come due nor a claim reads
-- past the backlog of a busy destination.
ALTER TABLE item ADD COLUMN is_due INTEGER NOT NULL DEFAULT 0;
DROP INDEX item_awake;
DROP INDEX item_waiting;
CREATE INDEX item_awake ON item (wake_at) WHERE wake_at IS NOT NULL AND is_due = 0;
CREATE INDEX item_waiting ON item (due_at) WHERE wake_at IS NULL AND state IN ('held', 'queued') AND is_due = 0;
CREATE INDEX item_due ON item (destination, due_at, id) WHERE is_due = 1;
