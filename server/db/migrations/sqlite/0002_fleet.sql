-- Clinics, their PCs, and the permissions to enrol.

CREATE TABLE clinic (
    id          BLOB    NOT NULL PRIMARY KEY,
    vendor      BLOB    NOT NULL REFERENCES vendor (id),
    code        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    prefecture  INTEGER NOT NULL,
    contact     TEXT,
    phone       TEXT,
    mail        TEXT,
    -- Code and name, folded.
    search_text TEXT    NOT NULL,
    -- Rollup: PCs in service, and those of them whose worst open finding has this urgency.
    hosts       INTEGER NOT NULL DEFAULT 0,
    hosts_now   INTEGER NOT NULL DEFAULT 0,
    hosts_soon  INTEGER NOT NULL DEFAULT 0,
    hosts_watch INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX clinic_code ON clinic (vendor, code);
CREATE INDEX clinic_prefecture ON clinic (vendor, prefecture, code);

CREATE TABLE join_token (
    id         BLOB    NOT NULL PRIMARY KEY,
    hash       BLOB    NOT NULL UNIQUE,
    vendor     BLOB    NOT NULL REFERENCES vendor (id),
    clinic     BLOB    NOT NULL REFERENCES clinic (id),
    created_by BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    uses       INTEGER NOT NULL,
    approve    INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX join_token_list ON join_token (vendor, id);
CREATE INDEX join_token_expiry ON join_token (expires_at);

-- One row for each PC that a token enrolled, with what a repetition is answered with.
CREATE TABLE join_token_use (
    token       BLOB    NOT NULL REFERENCES join_token (id) ON DELETE CASCADE,
    host        BLOB    NOT NULL,
    spki_sha256 BLOB    NOT NULL,
    used_at     INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    -- The chain as it was first issued: each certificate's length as four bytes, then its DER.
    chain       BLOB    NOT NULL,
    PRIMARY KEY (token, host)
) STRICT, WITHOUT ROWID;

-- Wide, and changed seldom. What changes with every sign of life is in "presence".
CREATE TABLE host (
    id                   BLOB    NOT NULL PRIMARY KEY,
    vendor               BLOB    NOT NULL REFERENCES vendor (id),
    clinic               BLOB    NOT NULL REFERENCES clinic (id),
    -- As the clinic's.
    prefecture           INTEGER NOT NULL,
    state                TEXT    NOT NULL,
    -- 0 when the state is retired or banned.
    in_service           INTEGER NOT NULL,
    name                 TEXT    NOT NULL,
    os                   TEXT    NOT NULL,
    agent_version        TEXT    NOT NULL,
    -- The host's name, then the clinic's search text, on a line of its own.
    search_text          TEXT    NOT NULL,
    facts                TEXT    NOT NULL,
    enrolled_at          INTEGER NOT NULL,

    spki_sha256          BLOB    NOT NULL,
    machine_binding      BLOB    NOT NULL,
    current_serial       BLOB    NOT NULL,
    current_issued_at    INTEGER NOT NULL,
    current_not_after    INTEGER NOT NULL,
    -- Issued and not used yet: all NULL, or none.
    pending_serial       BLOB,
    pending_issued_at    INTEGER,
    pending_not_after    INTEGER,
    -- 1 when the pending identity came by recovery.
    pending_recovery     INTEGER NOT NULL DEFAULT 0,
    recoveries           INTEGER NOT NULL DEFAULT 0,
    recovery_limit       INTEGER NOT NULL,
    identity_conflict_at INTEGER,

    state_digest         BLOB,
    reported_at          INTEGER,
    spool_epoch          INTEGER NOT NULL DEFAULT 0,
    spool_sequence       INTEGER NOT NULL DEFAULT 0,
    generation           INTEGER NOT NULL DEFAULT 0,
    applied_generation   INTEGER NOT NULL DEFAULT 0,
    next_review          INTEGER NOT NULL,

    -- Rollups. The worst open urgency: 0 now, 1 soon, 2 watch, 3 none.
    worst                INTEGER NOT NULL DEFAULT 3,
    findings             INTEGER NOT NULL DEFAULT 0,
    installations        INTEGER NOT NULL DEFAULT 0,
    next_expiry          INTEGER
) STRICT;
-- The last two columns let filters be answered without visiting the row.
CREATE INDEX host_list ON host (vendor, in_service, worst, name, id, prefecture, search_text);
CREATE INDEX host_state ON host (vendor, in_service, state, worst, name, id);
CREATE INDEX host_clinic ON host (vendor, clinic, in_service, worst, name, id);
CREATE UNIQUE INDEX host_name ON host (vendor, in_service, name, id);
CREATE INDEX host_review ON host (next_review, id);
CREATE INDEX host_spki ON host (spki_sha256, state);

CREATE TABLE presence (
    host            BLOB    NOT NULL PRIMARY KEY REFERENCES host (id),
    vendor          BLOB    NOT NULL,
    in_service      INTEGER NOT NULL,
    last_seen       INTEGER NOT NULL,
    clock_offset_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX presence_silent ON presence (vendor, in_service, last_seen);
