-- Checkups: what an operator asked a PC's doctor to look at, and what it found. The newest few of each PC are kept.

CREATE TABLE checkup (
    id           BLOB    NOT NULL PRIMARY KEY,
    vendor       BLOB    NOT NULL,
    host         BLOB    NOT NULL REFERENCES host (id),
    -- The programme's identifier, or empty for the checks that every PC has to pass; and the programme as JSON.
    programme_id TEXT    NOT NULL,
    programme    TEXT,
    requested_by BLOB    NOT NULL,
    requested_at INTEGER NOT NULL,
    -- All three are there once the PC has answered.
    examined_at  INTEGER,
    received_at  INTEGER,
    results      TEXT
) STRICT;
CREATE UNIQUE INDEX checkup_waiting ON checkup (host, programme_id) WHERE received_at IS NULL;
CREATE INDEX checkup_host ON checkup (host, id);
