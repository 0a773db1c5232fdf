//! A host's report: facts, Locations, Installations, rollups and timeline in one transaction.
//!
//! Work is done for what changed only. A Location whose set is the same keeps its installations untouched; equal sets
//! of many hosts are one row, so a report usually writes a handful of rows.

use std::collections::BTreeMap;

use inkan_core::ports::{ReportRecord, deserves_installation};
use inkan_core::search::fold;
use inkan_model::event::Happening;
use inkan_model::store::{KeyPresence, Location};
use inkan_model::sync::{HostReport, LocationState};
use inkan_model::{HostId, StateDigest, Timestamp};
use sqlx::SqliteConnection;

use crate::sqlite::events::{self, Moment};
use crate::sqlite::fault::Fault;
use crate::sqlite::rollups::{self, HostBucket};
use crate::sqlite::rows::{Origin, code, is_in_service, json, key_code, moment};
use crate::sqlite::writer::WriteConnection;

/// Whether this is the report that is stored already.
pub(super) async fn is_known(db: &mut SqliteConnection, host: HostId, state: StateDigest) -> Result<bool, Fault> {
    let stored: Option<Option<Vec<u8>>> = sqlx::query_scalar("SELECT state_digest FROM host WHERE id = $1")
        .bind(host.as_bytes().as_slice())
        .fetch_optional(db)
        .await?;
    Ok(stored.flatten().as_deref() == Some(state.as_bytes().as_slice()))
}

#[derive(sqlx::FromRow)]
struct HeldRow {
    id: i64,
    location: String,
    set_id: i64,
    errors: String,
}

/// The host that reports, and what comes of it.
struct Intake {
    host: HostId,
    bucket: HostBucket,
    now: Timestamp,
    /// Nothing was stored before: what is there was not seen to change.
    first: bool,
    done: ReportRecord,
}

impl Intake {
    const fn moment(&self) -> Moment {
        Moment { vendor: self.bucket.vendor, host: self.host, at: self.now, by: None }
    }
}

pub(super) async fn record(
    db: &mut WriteConnection,
    host: HostId,
    report: &HostReport,
    state: StateDigest,
    now: Timestamp,
) -> Result<ReportRecord, Fault> {
    if is_known(db, host, state).await? {
        return Ok(ReportRecord::default());
    }
    let bucket = rollups::find_bucket(db, host).await?.ok_or_else(|| Fault::conflict("the host"))?;
    let reported_at: Option<i64> = sqlx::query_scalar("SELECT reported_at FROM host WHERE id = $1")
        .bind(host.as_bytes().as_slice())
        .fetch_one(&mut **db)
        .await?;
    let mut intake = Intake { host, bucket, now, first: reported_at.is_none(), done: ReportRecord::default() };

    let mut held = find_held(db, host).await?;
    for location in &report.locations {
        let before = held.remove(&json(&location.location)?);
        take_location(db, &mut intake, location, before).await?;
    }
    for gone in held.into_values() {
        drop_location(db, &mut intake, &gone).await?;
    }
    update_host(db, &intake, report, state).await?;
    Ok(intake.done)
}

async fn find_held(db: &mut WriteConnection, host: HostId) -> Result<BTreeMap<String, HeldRow>, Fault> {
    let sql = "SELECT id, location, set_id, errors FROM host_location WHERE host = $1";
    let rows: Vec<HeldRow> = sqlx::query_as(sql).bind(host.as_bytes().as_slice()).fetch_all(&mut **db).await?;
    Ok(rows.into_iter().map(|row| (row.location.clone(), row)).collect())
}

async fn take_location(
    db: &mut WriteConnection,
    intake: &mut Intake,
    state: &LocationState,
    before: Option<HeldRow>,
) -> Result<(), Fault> {
    let set: Option<i64> = sqlx::query_scalar("SELECT id FROM cert_set WHERE digest = $1")
        .bind(state.set.as_bytes().as_slice())
        .fetch_optional(&mut **db)
        .await?;
    let set = set.ok_or_else(|| Fault::conflict("a set of the report"))?;
    let errors = json(&state.errors)?;
    let (location, old_set) = match before {
        None => (insert_location(db, intake, &state.location, set, &errors).await?, None),
        Some(row) if row.set_id == set && row.errors == errors => return Ok(()),
        Some(row) => {
            update_location(db, intake, &row, set, &errors).await?;
            if row.set_id == set {
                return Ok(());
            }
            (row.id, Some(row.set_id))
        }
    };
    intake.done.locations_changed += 1;
    if !intake.first {
        record_change(db, intake, &state.location, old_set, Some(set)).await?;
    }
    take_installations(db, intake, &state.location, location, Some(set)).await
}

async fn insert_location(
    db: &mut WriteConnection,
    intake: &Intake,
    location: &Location,
    set: i64,
    errors: &str,
) -> Result<i64, Fault> {
    let sql = "INSERT INTO host_location (host, vendor, kind, scope, path, location, set_id, errors, since)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id";
    let id = sqlx::query_scalar(sql)
        .bind(intake.host.as_bytes().as_slice())
        .bind(intake.bucket.vendor.as_bytes().as_slice())
        .bind(code(location.kind)?)
        .bind(code(&location.scope)?)
        .bind(location.path.as_str())
        .bind(json(location)?)
        .bind(set)
        .bind(errors)
        .bind(intake.now.as_unix_millis())
        .fetch_one(&mut **db)
        .await?;
    Ok(id)
}

async fn update_location(
    db: &mut WriteConnection,
    intake: &Intake,
    row: &HeldRow,
    set: i64,
    errors: &str,
) -> Result<(), Fault> {
    // Another read error does not make the content another one: since then stays.
    let sql = "UPDATE host_location
               SET since = CASE WHEN set_id = $2 THEN since ELSE $4 END, set_id = $2, errors = $3
               WHERE id = $1";
    sqlx::query(sql).bind(row.id).bind(set).bind(errors).bind(intake.now.as_unix_millis()).execute(&mut **db).await?;
    Ok(())
}

async fn drop_location(db: &mut WriteConnection, intake: &mut Intake, gone: &HeldRow) -> Result<(), Fault> {
    let location: Location = Origin::new("host_location", gone.id).json("location", &gone.location)?;
    take_installations(db, intake, &location, gone.id, None).await?;
    record_change(db, intake, &location, Some(gone.set_id), None).await?;
    sqlx::query("DELETE FROM host_location WHERE id = $1").bind(gone.id).execute(&mut **db).await?;
    intake.done.locations_changed += 1;
    Ok(())
}

/// Tells the timeline how many certificates came and went. No row means no set.
async fn record_change(
    db: &mut WriteConnection,
    intake: &Intake,
    location: &Location,
    old: Option<i64>,
    new: Option<i64>,
) -> Result<(), Fault> {
    let sql = "SELECT count(DISTINCT a.certificate) FROM set_entry a
               WHERE a.set_id = $1 AND a.certificate IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM set_entry b WHERE b.certificate = a.certificate AND b.set_id = $2)";
    let mut counts = [0_u32; 2];
    for (count, [of, beside]) in counts.iter_mut().zip([[new, old], [old, new]]) {
        let found: i64 = sqlx::query_scalar(sql).bind(of).bind(beside).fetch_one(&mut **db).await?;
        *count = u32::try_from(found).unwrap_or(u32::MAX);
    }
    let [added, removed] = counts;
    if added == 0 && removed == 0 {
        return Ok(());
    }
    let what = Happening::StoreChanged { location: location.clone(), added, removed };
    events::record(db, &intake.moment(), &what).await
}

#[derive(sqlx::FromRow)]
struct CandidateRow {
    certificate: i64,
    key_presence: i64,
    name: Option<String>,
    der: Vec<u8>,
}

/// An installation that ought to be there.
struct Wanted {
    key: KeyPresence,
    name: Option<String>,
    not_after: Timestamp,
}

#[derive(sqlx::FromRow)]
struct InstalledRow {
    id: i64,
    certificate: i64,
    key_presence: i64,
    name: Option<String>,
    not_after: i64,
}

/// Makes the installations of one Location those of a set; of none when the Location is gone.
async fn take_installations(
    db: &mut WriteConnection,
    intake: &mut Intake,
    location: &Location,
    location_id: i64,
    set: Option<i64>,
) -> Result<(), Fault> {
    let mut wanted = match set {
        Some(set) => find_wanted(db, set).await?,
        None => BTreeMap::new(),
    };
    let sql = "SELECT id, certificate, key_presence, name, not_after FROM installation WHERE location = $1";
    let installed: Vec<InstalledRow> = sqlx::query_as(sql).bind(location_id).fetch_all(&mut **db).await?;
    for row in installed {
        match wanted.remove(&row.certificate) {
            None => remove_installation(db, intake, location, &row).await?,
            Some(stays) if key_code(stays.key) != row.key_presence || stays.name != row.name => {
                sqlx::query("UPDATE installation SET key_presence = $2, name = $3 WHERE id = $1")
                    .bind(row.id)
                    .bind(key_code(stays.key))
                    .bind(stays.name)
                    .execute(&mut **db)
                    .await?;
            }
            Some(_) => {}
        }
    }
    for (certificate, came) in wanted {
        insert_installation(db, intake, location, location_id, certificate, came).await?;
    }
    Ok(())
}

/// The certificates of a set that deserve an installation. One that stands there twice counts once, with its key.
async fn find_wanted(db: &mut WriteConnection, set: i64) -> Result<BTreeMap<i64, Wanted>, Fault> {
    // What has no key by nature and what is a certification authority's never deserves one, and is most of all.
    let sql = "SELECT e.certificate, e.key_presence, e.name, c.der
               FROM set_entry e LEFT JOIN certificate c ON c.id = e.certificate
               WHERE e.set_id = $1 AND e.key_presence <> $2 AND c.is_end_entity = 1
               ORDER BY e.place";
    let rows: Vec<CandidateRow> =
        sqlx::query_as(sql).bind(set).bind(key_code(KeyPresence::NotExpected)).fetch_all(&mut **db).await?;
    let mut wanted: BTreeMap<i64, Wanted> = BTreeMap::new();
    for row in rows {
        let facts = Origin::new("certificate", row.certificate).facts(&row.der)?;
        let key = Origin::new("set_entry", set).key(row.key_presence)?;
        if !deserves_installation(&facts, key) {
            continue;
        }
        let better = wanted
            .get(&row.certificate)
            .is_none_or(|known| matches!(key, KeyPresence::Present) && !matches!(known.key, KeyPresence::Present));
        if better {
            wanted.insert(row.certificate, Wanted { key, name: row.name, not_after: facts.not_after });
        }
    }
    Ok(wanted)
}

async fn insert_installation(
    db: &mut WriteConnection,
    intake: &mut Intake,
    location: &Location,
    location_id: i64,
    certificate: i64,
    came: Wanted,
) -> Result<(), Fault> {
    let HostBucket { vendor, clinic, state, .. } = &intake.bucket;
    let (vendor, in_service) = (*vendor, is_in_service(*state));
    sqlx::query(
        "INSERT INTO installation (vendor, clinic, host, in_service, location, certificate, key_presence, name,
                                   not_after, first_seen)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(vendor.as_bytes().as_slice())
    .bind(clinic.as_bytes().as_slice())
    .bind(intake.host.as_bytes().as_slice())
    .bind(i64::from(in_service))
    .bind(location_id)
    .bind(certificate)
    .bind(key_code(came.key))
    .bind(came.name)
    .bind(came.not_after.as_unix_millis())
    .bind(intake.now.as_unix_millis())
    .execute(&mut **db)
    .await?;
    if in_service {
        rollups::count_expiry(db, vendor, came.not_after, 1).await?;
    }
    let (certificate, name) = find_name(db, certificate).await?;
    let what = Happening::CertificateAppeared { certificate, name, location: location.clone() };
    events::record(db, &intake.moment(), &what).await?;
    intake.done.appeared += 1;
    Ok(())
}

async fn remove_installation(
    db: &mut WriteConnection,
    intake: &mut Intake,
    location: &Location,
    row: &InstalledRow,
) -> Result<(), Fault> {
    sqlx::query("DELETE FROM installation WHERE id = $1").bind(row.id).execute(&mut **db).await?;
    if is_in_service(intake.bucket.state) {
        rollups::count_expiry(db, intake.bucket.vendor, moment(row.not_after), -1).await?;
    }
    let (certificate, name) = find_name(db, row.certificate).await?;
    let what = Happening::CertificateDisappeared { certificate, name, location: location.clone() };
    events::record(db, &intake.moment(), &what).await?;
    intake.done.disappeared += 1;
    Ok(())
}

async fn find_name(db: &mut WriteConnection, certificate: i64) -> Result<(inkan_model::Fingerprint, String), Fault> {
    let sql = "SELECT sha256, common_name FROM certificate WHERE id = $1";
    let (sha256, name): (Vec<u8>, Option<String>) = sqlx::query_as(sql).bind(certificate).fetch_one(&mut **db).await?;
    let origin = Origin::new("certificate", certificate);
    Ok((origin.fingerprint("sha256", &sha256)?, name.ok_or_else(|| origin.inconsistent("common_name"))?))
}

async fn update_host(
    db: &mut WriteConnection,
    intake: &Intake,
    report: &HostReport,
    state: StateDigest,
) -> Result<(), Fault> {
    let HostBucket { vendor, clinic, .. } = &intake.bucket;
    let clinic_text: String = sqlx::query_scalar("SELECT search_text FROM clinic WHERE id = $1")
        .bind(clinic.as_bytes().as_slice())
        .fetch_one(&mut **db)
        .await?;
    let sql = "SELECT count(*), min(not_after) FROM installation WHERE vendor = $1 AND host = $2";
    let (installations, next_expiry): (i64, Option<i64>) = sqlx::query_as(sql)
        .bind(vendor.as_bytes().as_slice())
        .bind(intake.host.as_bytes().as_slice())
        .fetch_one(&mut **db)
        .await?;
    let facts = &report.facts;
    sqlx::query(
        "UPDATE host SET name = $2, os = $3, agent_version = $4, search_text = $5, facts = $6, state_digest = $7,
                reported_at = $8, next_review = $8, installations = $9, next_expiry = $10
         WHERE id = $1",
    )
    .bind(intake.host.as_bytes().as_slice())
    .bind(facts.host_name.as_str())
    .bind(facts.os.as_str())
    .bind(facts.agent_version.as_str())
    .bind(format!("{}\n{clinic_text}", fold(&facts.host_name)))
    .bind(json(facts)?)
    .bind(state.as_bytes().as_slice())
    .bind(intake.now.as_unix_millis())
    .bind(installations)
    .bind(next_expiry)
    .execute(&mut **db)
    .await?;
    Ok(())
}
