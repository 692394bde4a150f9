-- `after_id` is the item before it, of those that one decision has released to one recipient. A claim takes the item when
-- the one before is finished or late (R-SND-02).
ALTER TABLE item ADD COLUMN after_id TEXT;
DROP INDEX item_awake;
-- It covers all columns that a claim reads, because a claim may skip the whole backlog of a busy destination.
CREATE INDEX item_awake ON item (wake_at, id, destination, after_id) WHERE wake_at IS NOT NULL;
