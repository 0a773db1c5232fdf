-- Vendors, the people who work there, and how they are let in.
-- Moments are milliseconds since 1970-01-01T00:00:00Z. Identifiers are the 16 bytes of a UUID.

CREATE TABLE vendor (
    id         BLOB    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX vendor_name ON vendor (name, id);

CREATE TABLE operator (
    id            BLOB    NOT NULL PRIMARY KEY,
    vendor        BLOB    NOT NULL REFERENCES vendor (id),
    mail          TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    role          TEXT    NOT NULL,
    locale        TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    totp_sealed   BLOB    NOT NULL,
    -- The last TOTP step that was used; a step counts once.
    totp_step     INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX operator_vendor ON operator (vendor, mail);

-- At most one row: the link by which the first owner is created.
CREATE TABLE setup_link (
    one        INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    hash       BLOB    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
    hash       BLOB    NOT NULL PRIMARY KEY,
    operator   BLOB    NOT NULL REFERENCES operator (id),
    kind       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE idempotency (
    operator       BLOB    NOT NULL REFERENCES operator (id),
    request_key    TEXT    NOT NULL,
    request_sha256 BLOB    NOT NULL,
    begun_at       INTEGER NOT NULL,
    -- Both are NULL while the request is under way.
    status         INTEGER,
    body           TEXT,
    PRIMARY KEY (operator, request_key)
) STRICT;
CREATE INDEX idempotency_age ON idempotency (begun_at);
