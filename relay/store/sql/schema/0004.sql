-- `after_id`: the item before it in what one word has released to one recipient; a claim takes it when that one is done
-- with, or late (R-SND-02).
ALTER TABLE item ADD COLUMN after_id TEXT;
DROP INDEX item_awake;
-- With all that a claim asks for: it passes over the whole backlog of a busy destination.
CREATE INDEX item_awake ON item (wake_at, id, destination, after_id) WHERE wake_at IS NOT NULL;
