-- Counts, changed in the transaction that changes what they count. Those of one clinic or host stand on its row.
-- Only hosts in service count, but for "rollup_host", which counts each state by itself.

CREATE TABLE rollup_host (
    vendor BLOB    NOT NULL,
    state  TEXT    NOT NULL,
    worst  INTEGER NOT NULL,
    hosts  INTEGER NOT NULL,
    PRIMARY KEY (vendor, state, worst)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_prefecture (
    vendor      BLOB    NOT NULL,
    prefecture  INTEGER NOT NULL,
    clinics     INTEGER NOT NULL,
    hosts_now   INTEGER NOT NULL,
    hosts_soon  INTEGER NOT NULL,
    hosts_watch INTEGER NOT NULL,
    PRIMARY KEY (vendor, prefecture)
) STRICT, WITHOUT ROWID;

-- Days since 1970-01-01 in Japan's calendar.
CREATE TABLE rollup_expiry (
    vendor        BLOB    NOT NULL,
    day           INTEGER NOT NULL,
    installations INTEGER NOT NULL,
    PRIMARY KEY (vendor, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_finding (
    vendor   BLOB    NOT NULL,
    rule     TEXT    NOT NULL,
    urgency  INTEGER NOT NULL,
    findings INTEGER NOT NULL,
    PRIMARY KEY (vendor, rule, urgency)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_renewal (
    vendor   BLOB    NOT NULL,
    state    TEXT    NOT NULL,
    renewals INTEGER NOT NULL,
    PRIMARY KEY (vendor, state)
) STRICT, WITHOUT ROWID;

-- Over all vendors: "certificate" and "cert_set".
CREATE TABLE rollup_total (
    what  TEXT    NOT NULL PRIMARY KEY,
    total INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
