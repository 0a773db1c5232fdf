-- What hosts hold: certificates once per fleet, store contents once per distinct set.

CREATE TABLE certificate (
    id             INTEGER NOT NULL PRIMARY KEY,
    sha256         BLOB    NOT NULL UNIQUE,
    -- These four are NULL when the DER could not be read.
    subject_digest BLOB,
    issuer_digest  BLOB,
    not_after      INTEGER,
    common_name    TEXT,
    -- 1 when it could be read and is not a certification authority's.
    is_end_entity  INTEGER NOT NULL,
    -- Subject, folded.
    search_text    TEXT    NOT NULL,
    -- Last, so that the columns before it are read without it.
    der            BLOB    NOT NULL
) STRICT;
CREATE INDEX certificate_subject ON certificate (subject_digest);
CREATE INDEX certificate_search ON certificate (search_text);

CREATE TABLE cert_set (
    id           INTEGER NOT NULL PRIMARY KEY,
    digest       BLOB    NOT NULL UNIQUE,
    certificates INTEGER NOT NULL,
    unreadable   INTEGER NOT NULL
) STRICT;

-- The entries of a set in its order. A certificate has "certificate"; what could not be read has "why".
CREATE TABLE set_entry (
    set_id       INTEGER NOT NULL REFERENCES cert_set (id),
    place        INTEGER NOT NULL,
    certificate  INTEGER REFERENCES certificate (id),
    -- As on the wire: 1 not expected, 2 absent, 3 present, 4 unknown; 0 for what could not be read.
    key_presence INTEGER NOT NULL,
    name         TEXT,
    sha256       BLOB,
    why          TEXT,
    PRIMARY KEY (set_id, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX set_entry_certificate ON set_entry (certificate, set_id) WHERE certificate IS NOT NULL;

CREATE TABLE host_location (
    id       INTEGER NOT NULL PRIMARY KEY,
    host     BLOB    NOT NULL REFERENCES host (id),
    vendor   BLOB    NOT NULL,
    kind     TEXT    NOT NULL,
    scope    TEXT    NOT NULL,
    path     TEXT    NOT NULL,
    -- The three above as one JSON text, by which renewals and findings name a location too.
    location TEXT    NOT NULL,
    set_id   INTEGER NOT NULL REFERENCES cert_set (id),
    errors   TEXT    NOT NULL,
    since    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX host_location_place ON host_location (host, location);
CREATE INDEX host_location_host ON host_location (host, id);
CREATE INDEX host_location_set ON host_location (set_id, vendor, host);

-- A row goes when the certificate goes; the timeline remembers it.
CREATE TABLE installation (
    id           INTEGER NOT NULL PRIMARY KEY,
    vendor       BLOB    NOT NULL,
    clinic       BLOB    NOT NULL,
    host         BLOB    NOT NULL REFERENCES host (id),
    in_service   INTEGER NOT NULL,
    location     INTEGER NOT NULL REFERENCES host_location (id),
    certificate  INTEGER NOT NULL REFERENCES certificate (id),
    key_presence INTEGER NOT NULL,
    name         TEXT,
    not_after    INTEGER NOT NULL,
    first_seen   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX installation_place ON installation (location, certificate);
CREATE INDEX installation_expiry ON installation (vendor, in_service, not_after, host, id, certificate);
CREATE INDEX installation_clinic ON installation (vendor, clinic, in_service, not_after, host, id);
CREATE INDEX installation_host ON installation (vendor, host, not_after, id);
