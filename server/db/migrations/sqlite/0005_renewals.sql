-- Renewals. A command is a row before anything else.

CREATE TABLE renewal (
    id              BLOB    NOT NULL PRIMARY KEY,
    vendor          BLOB    NOT NULL,
    clinic          BLOB    NOT NULL,
    host            BLOB    NOT NULL REFERENCES host (id),
    location        TEXT    NOT NULL,
    old_certificate BLOB    NOT NULL,
    requested_by    TEXT    NOT NULL,
    reason          TEXT,
    created_at      INTEGER NOT NULL,
    failures        INTEGER NOT NULL,
    -- The state's name, and the state with its facts as JSON.
    state           TEXT    NOT NULL,
    state_facts     TEXT    NOT NULL,
    is_over         INTEGER NOT NULL,
    -- When the server can move it on by itself; NULL when it cannot.
    due_at          INTEGER,
    version         INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX renewal_live ON renewal (host, location, old_certificate) WHERE is_over = 0;
CREATE INDEX renewal_live_host ON renewal (host, id) WHERE is_over = 0;
CREATE INDEX renewal_due ON renewal (due_at, host) WHERE due_at IS NOT NULL;
CREATE INDEX renewal_list ON renewal (vendor, id);
CREATE INDEX renewal_over ON renewal (vendor, is_over, id);
CREATE INDEX renewal_state ON renewal (vendor, state, id);
CREATE INDEX renewal_clinic ON renewal (vendor, clinic, id);
CREATE INDEX renewal_host ON renewal (vendor, host, id);
CREATE INDEX renewal_old ON renewal (vendor, old_certificate, id);
