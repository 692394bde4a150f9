-- Append-only tables (R-REC-02).
CREATE TRIGGER event_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;
CREATE TRIGGER event_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;
CREATE TRIGGER opt_out_change_update BEFORE UPDATE ON opt_out_change
BEGIN SELECT RAISE(ABORT, 'opt_out_change is append-only'); END;
CREATE TRIGGER opt_out_change_delete BEFORE DELETE ON opt_out_change
BEGIN SELECT RAISE(ABORT, 'opt_out_change is append-only'); END;
CREATE TRIGGER alias_delete BEFORE DELETE ON alias BEGIN SELECT RAISE(ABORT, 'an alias is never issued again'); END;
