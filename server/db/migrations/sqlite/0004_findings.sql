-- What is wrong with hosts, and what happened to them.

CREATE TABLE finding (
    id          BLOB    NOT NULL PRIMARY KEY,
    vendor      BLOB    NOT NULL,
    clinic      BLOB    NOT NULL,
    clinic_code TEXT    NOT NULL,
    host        BLOB    NOT NULL REFERENCES host (id),
    in_service  INTEGER NOT NULL,
    rule        TEXT    NOT NULL,
    -- JSON; one host has at most one open finding of each.
    subject     TEXT    NOT NULL,
    -- From the subject, where it is about a certificate: its SHA-256, and the location's JSON.
    certificate BLOB,
    location    TEXT,
    -- 0 now, 1 soon, 2 watch.
    urgency     INTEGER NOT NULL,
    detail      TEXT    NOT NULL,
    opened_at   INTEGER NOT NULL,
    closed_at   INTEGER
) STRICT;
CREATE UNIQUE INDEX finding_open ON finding (host, subject) WHERE closed_at IS NULL;
CREATE INDEX finding_list ON finding (vendor, in_service, urgency, clinic_code, host, id) WHERE closed_at IS NULL;
CREATE INDEX finding_rule ON finding (vendor, in_service, rule, urgency, clinic_code, host, id) WHERE closed_at IS NULL;
CREATE INDEX finding_clinic ON finding (vendor, clinic, in_service, urgency, clinic_code, host, id) WHERE closed_at IS NULL;
CREATE INDEX finding_host ON finding (vendor, host, urgency, clinic_code, id) WHERE closed_at IS NULL;

CREATE TABLE event (
    host        BLOB    NOT NULL REFERENCES host (id),
    id          BLOB    NOT NULL,
    vendor      BLOB    NOT NULL,
    at          INTEGER NOT NULL,
    by_operator BLOB,
    what        TEXT    NOT NULL,
    PRIMARY KEY (host, id)
) STRICT, WITHOUT ROWID;
