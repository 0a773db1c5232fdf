//! Identities of hosts: the one in use, the one that waits to be used, recoveries and conflicts.

use inkan_core::ports::{DbResult, HostSession, NewIdentity};
use inkan_model::directive::Generation;
use inkan_model::event::Happening;
use inkan_model::host::HostState;
use inkan_model::sync::SpoolPosition;
use inkan_model::{HostId, Timestamp};
use sqlx::SqliteConnection;

use crate::sqlite::events::{self, Moment};
use crate::sqlite::fault::Fault;
use crate::sqlite::rollups::{self, HostBucket};
use crate::sqlite::rows::{Origin, code, moment};
use crate::sqlite::writer::WriteConnection;

pub(in crate::sqlite) const FIND_SESSION: &str =
    "SELECT h.vendor, h.clinic, h.state, h.spki_sha256, h.current_serial, h.pending_serial, h.current_issued_at,
            h.current_not_after, h.recoveries, h.recovery_limit, p.last_seen, p.clock_offset_ms, h.state_digest,
            h.spool_epoch, h.spool_sequence, h.generation, h.applied_generation
     FROM host h LEFT JOIN presence p ON p.host = h.id
     WHERE h.id = $1";

#[derive(sqlx::FromRow)]
struct SessionRow {
    vendor: Vec<u8>,
    clinic: Vec<u8>,
    state: String,
    spki_sha256: Vec<u8>,
    current_serial: Vec<u8>,
    pending_serial: Option<Vec<u8>>,
    current_issued_at: i64,
    current_not_after: i64,
    recoveries: i64,
    recovery_limit: i64,
    last_seen: Option<i64>,
    clock_offset_ms: Option<i64>,
    state_digest: Option<Vec<u8>>,
    spool_epoch: i64,
    spool_sequence: i64,
    generation: i64,
    applied_generation: i64,
}

impl SessionRow {
    fn fold(self, host: HostId) -> DbResult<HostSession> {
        let origin = Origin::new("host", &host);
        let presence = Origin::new("presence", &host);
        Ok(HostSession {
            vendor: origin.id("vendor", &self.vendor)?,
            clinic: origin.id("clinic", &self.clinic)?,
            state: origin.code("state", &self.state)?,
            spki_sha256: origin.array("spki_sha256", &self.spki_sha256)?,
            current_serial: origin.array("current_serial", &self.current_serial)?,
            pending_serial: self.pending_serial.map(|serial| origin.array("pending_serial", &serial)).transpose()?,
            identity_issued_at: moment(self.current_issued_at),
            identity_not_after: moment(self.current_not_after),
            recoveries: origin.number("recoveries", self.recoveries)?,
            recovery_limit: origin.number("recovery_limit", self.recovery_limit)?,
            last_seen: self.last_seen.map(moment).ok_or_else(|| presence.inconsistent("last_seen"))?,
            clock_offset_ms: self.clock_offset_ms.ok_or_else(|| presence.inconsistent("clock_offset_ms"))?,
            state_digest: self.state_digest.map(|digest| origin.state_digest("state_digest", &digest)).transpose()?,
            // Agents choose these numbers; all 64 bits are kept.
            spool: SpoolPosition {
                epoch: self.spool_epoch.cast_unsigned(),
                sequence: self.spool_sequence.cast_unsigned(),
            },
            generation: Generation(self.generation.cast_unsigned()),
            applied_generation: Generation(self.applied_generation.cast_unsigned()),
        })
    }
}

pub(super) async fn find_session(db: &mut SqliteConnection, host: HostId) -> Result<Option<HostSession>, Fault> {
    let row: Option<SessionRow> =
        sqlx::query_as(FIND_SESSION).bind(host.as_bytes().as_slice()).fetch_optional(db).await?;
    Ok(row.map(|row| row.fold(host)).transpose()?)
}

pub(super) async fn record_pending(
    db: &mut WriteConnection,
    host: HostId,
    identity: &NewIdentity,
) -> Result<(), Fault> {
    let sql =
        "UPDATE host SET pending_serial = $2, pending_issued_at = $3, pending_not_after = $4, pending_recovery = 0
               WHERE id = $1";
    let done = sqlx::query(sql)
        .bind(host.as_bytes().as_slice())
        .bind(identity.serial.as_slice())
        .bind(identity.issued_at.as_unix_millis())
        .bind(identity.not_after.as_unix_millis())
        .execute(&mut **db)
        .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Fault::conflict("the host")) }
}

#[derive(sqlx::FromRow)]
struct SerialsRow {
    vendor: Vec<u8>,
    current_serial: Vec<u8>,
    pending_serial: Option<Vec<u8>>,
    pending_recovery: i64,
}

pub(super) async fn activate(
    db: &mut WriteConnection,
    host: HostId,
    serial: [u8; 16],
    at: Timestamp,
) -> Result<(), Fault> {
    let sql = "SELECT vendor, current_serial, pending_serial, pending_recovery FROM host WHERE id = $1";
    let row: Option<SerialsRow> =
        sqlx::query_as(sql).bind(host.as_bytes().as_slice()).fetch_optional(&mut **db).await?;
    let row = row.ok_or_else(|| Fault::conflict("the host"))?;
    if row.current_serial == serial {
        // Two calls came with the new identity at once, and the other one was first.
        return Ok(());
    }
    if row.pending_serial.as_deref() != Some(serial.as_slice()) {
        return Err(Fault::conflict("the host's identity"));
    }
    let sql = "UPDATE host SET current_serial = pending_serial, current_issued_at = pending_issued_at,
                      current_not_after = pending_not_after, pending_serial = NULL, pending_issued_at = NULL,
                      pending_not_after = NULL, recoveries = recoveries + pending_recovery, pending_recovery = 0
               WHERE id = $1";
    sqlx::query(sql).bind(host.as_bytes().as_slice()).execute(&mut **db).await?;
    let origin = Origin::new("host", &host);
    let recovered = origin.flag("pending_recovery", row.pending_recovery)?;
    let what = if recovered { Happening::IdentityRecovered } else { Happening::IdentityRenewed };
    let vendor = origin.id("vendor", &row.vendor)?;
    events::record(db, &Moment { vendor, host, at, by: None }, &what).await
}

pub(super) async fn record_conflict(db: &mut WriteConnection, host: HostId, at: Timestamp) -> Result<(), Fault> {
    let Some(before) = rollups::find_bucket(db, host).await? else { return Err(Fault::conflict("the host")) };
    let sql = "UPDATE host SET identity_conflict_at = $2 WHERE id = $1 AND identity_conflict_at IS NULL";
    let done = sqlx::query(sql).bind(host.as_bytes().as_slice()).bind(at.as_unix_millis()).execute(&mut **db).await?;
    if done.rows_affected() == 0 {
        return Ok(());
    }
    if matches!(before.state, HostState::Active | HostState::ReportOnly) {
        let after = HostBucket { state: HostState::Suspended, ..before.clone() };
        sqlx::query("UPDATE host SET state = $2 WHERE id = $1")
            .bind(host.as_bytes().as_slice())
            .bind(code(after.state)?)
            .execute(&mut **db)
            .await?;
        rollups::move_host(db, &before, &after).await?;
    }
    events::record(db, &Moment { vendor: before.vendor, host, at, by: None }, &Happening::IdentityConflict).await
}

pub(super) async fn record_recovery(
    db: &mut WriteConnection,
    host: HostId,
    used_before: u32,
    identity: &NewIdentity,
) -> Result<(), Fault> {
    let sql = "UPDATE host SET pending_serial = $3, pending_issued_at = $4,
                      pending_not_after = $5, pending_recovery = 1
               WHERE id = $1 AND recoveries = $2";
    let done = sqlx::query(sql)
        .bind(host.as_bytes().as_slice())
        .bind(i64::from(used_before))
        .bind(identity.serial.as_slice())
        .bind(identity.issued_at.as_unix_millis())
        .bind(identity.not_after.as_unix_millis())
        .execute(&mut **db)
        .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Fault::conflict("the count of recoveries")) }
}
