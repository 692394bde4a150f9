-- Append-only, but for the hosts that an older relay has written.
DROP TRIGGER event_update;
CREATE TRIGGER event_update BEFORE UPDATE ON event
WHEN NOT EXISTS (SELECT 1 FROM unsealed WHERE subject = 'event') BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;
