-- Never deleted (R-SND-03); append-only (R-REC-02).
CREATE TRIGGER sender_delete BEFORE DELETE ON sender BEGIN SELECT RAISE(ABORT, 'a sender is never deleted'); END;
CREATE TRIGGER misuse_update BEFORE UPDATE ON misuse BEGIN SELECT RAISE(ABORT, 'misuse is append-only'); END;
CREATE TRIGGER misuse_delete BEFORE DELETE ON misuse BEGIN SELECT RAISE(ABORT, 'misuse is append-only'); END;
CREATE TRIGGER thread_reopening_update BEFORE UPDATE ON thread_reopening
BEGIN SELECT RAISE(ABORT, 'thread_reopening is append-only'); END;
CREATE TRIGGER thread_reopening_delete BEFORE DELETE ON thread_reopening
BEGIN SELECT RAISE(ABORT, 'thread_reopening is append-only'); END;
