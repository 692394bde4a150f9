-- Mail that counts once towards a limit however often it comes (R-POL-11): `mark` is a keyed hash of the mail.
CREATE TABLE quota_mark (
    scope      TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    day        TEXT NOT NULL,
    mark       TEXT NOT NULL,
    PRIMARY KEY (scope, subject_id, day, mark)
);
