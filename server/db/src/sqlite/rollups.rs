//! Counts that change in the transaction that changes what they count.
//!
//! Whoever changes a host's state or worst urgency, an installation, a finding or a renewal tells it here; nobody else
//! writes these columns. A contract test counts everything anew after random operations and compares.

use inkan_model::host::HostState;
use inkan_model::{ClinicId, HostId, Timestamp, VendorId};
use sqlx::SqliteConnection;

use super::fault::Fault;
use super::rows::{Origin, code, is_in_service, japanese_day, moment};

/// Where a host counts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct HostBucket {
    pub(crate) vendor: VendorId,
    pub(crate) clinic: ClinicId,
    pub(crate) prefecture: i64,
    pub(crate) state: HostState,
    /// The worst open urgency: see [`super::rows::urgency_code`] and [`super::rows::NO_URGENCY`].
    pub(crate) worst: i64,
}

#[derive(sqlx::FromRow)]
struct BucketRow {
    vendor: Vec<u8>,
    clinic: Vec<u8>,
    prefecture: i64,
    state: String,
    worst: i64,
}

/// Where a host counts now; `None` when there is no such host.
pub(crate) async fn find_bucket(db: &mut SqliteConnection, host: HostId) -> Result<Option<HostBucket>, Fault> {
    let sql = "SELECT vendor, clinic, prefecture, state, worst FROM host WHERE id = $1";
    let row: Option<BucketRow> = sqlx::query_as(sql).bind(host.as_bytes().as_slice()).fetch_optional(db).await?;
    let Some(row) = row else { return Ok(None) };
    let origin = Origin::new("host", &host);
    Ok(Some(HostBucket {
        vendor: origin.id("vendor", &row.vendor)?,
        clinic: origin.id("clinic", &row.clinic)?,
        prefecture: row.prefecture,
        state: origin.code("state", &row.state)?,
        worst: row.worst,
    }))
}

/// Counts a host that came.
pub(crate) async fn add_host(db: &mut SqliteConnection, bucket: &HostBucket) -> Result<(), Fault> {
    count_host(db, bucket, 1).await
}

/// Counts a host elsewhere than before.
pub(crate) async fn move_host(db: &mut SqliteConnection, from: &HostBucket, to: &HostBucket) -> Result<(), Fault> {
    if from == to {
        return Ok(());
    }
    count_host(db, from, -1).await?;
    count_host(db, to, 1).await
}

async fn count_host(db: &mut SqliteConnection, bucket: &HostBucket, by: i64) -> Result<(), Fault> {
    let HostBucket { vendor, clinic, prefecture, state, worst } = bucket;
    sqlx::query(
        "INSERT INTO rollup_host (vendor, state, worst, hosts) VALUES ($1, $2, $3, $4)
         ON CONFLICT (vendor, state, worst) DO UPDATE SET hosts = rollup_host.hosts + excluded.hosts",
    )
    .bind(vendor.as_bytes().as_slice())
    .bind(code(state)?)
    .bind(worst)
    .bind(by)
    .execute(&mut *db)
    .await?;
    if !is_in_service(*state) {
        return Ok(());
    }
    let [now, soon, watch] = [0, 1, 2].map(|urgency| if *worst == urgency { by } else { 0 });
    sqlx::query(
        "UPDATE clinic SET hosts = hosts + $2, hosts_now = hosts_now + $3, hosts_soon = hosts_soon + $4,
                hosts_watch = hosts_watch + $5
         WHERE id = $1",
    )
    .bind(clinic.as_bytes().as_slice())
    .bind(by)
    .bind(now)
    .bind(soon)
    .bind(watch)
    .execute(&mut *db)
    .await?;
    count_prefecture(db, *vendor, *prefecture, [0, now, soon, watch]).await
}

/// Changes a prefecture's counts: clinics, and hosts by worst urgency (now, soon, watch).
pub(crate) async fn count_prefecture(
    db: &mut SqliteConnection,
    vendor: VendorId,
    prefecture: i64,
    by: [i64; 4],
) -> Result<(), Fault> {
    if by == [0; 4] {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO rollup_prefecture (vendor, prefecture, clinics, hosts_now, hosts_soon, hosts_watch)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (vendor, prefecture) DO UPDATE SET
             clinics = rollup_prefecture.clinics + excluded.clinics,
             hosts_now = rollup_prefecture.hosts_now + excluded.hosts_now,
             hosts_soon = rollup_prefecture.hosts_soon + excluded.hosts_soon,
             hosts_watch = rollup_prefecture.hosts_watch + excluded.hosts_watch",
    )
    .bind(vendor.as_bytes().as_slice())
    .bind(prefecture)
    .bind(by[0])
    .bind(by[1])
    .bind(by[2])
    .bind(by[3])
    .execute(db)
    .await?;
    Ok(())
}

/// Changes how many installations end on the day of this moment.
pub(crate) async fn count_expiry(
    db: &mut SqliteConnection,
    vendor: VendorId,
    not_after: Timestamp,
    by: i64,
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO rollup_expiry (vendor, day, installations) VALUES ($1, $2, $3)
         ON CONFLICT (vendor, day) DO UPDATE SET installations = rollup_expiry.installations + excluded.installations",
    )
    .bind(vendor.as_bytes().as_slice())
    .bind(japanese_day(not_after))
    .bind(by)
    .execute(db)
    .await?;
    Ok(())
}

/// Changes how many findings are open of this rule and urgency.
pub(crate) async fn count_finding(
    db: &mut SqliteConnection,
    vendor: VendorId,
    rule: &str,
    urgency: i64,
    by: i64,
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO rollup_finding (vendor, rule, urgency, findings) VALUES ($1, $2, $3, $4)
         ON CONFLICT (vendor, rule, urgency) DO UPDATE SET findings = rollup_finding.findings + excluded.findings",
    )
    .bind(vendor.as_bytes().as_slice())
    .bind(rule)
    .bind(urgency)
    .bind(by)
    .execute(db)
    .await?;
    Ok(())
}

/// Changes how many renewals are in this state.
pub(crate) async fn count_renewal(
    db: &mut SqliteConnection,
    vendor: VendorId,
    state: &str,
    by: i64,
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO rollup_renewal (vendor, state, renewals) VALUES ($1, $2, $3)
         ON CONFLICT (vendor, state) DO UPDATE SET renewals = rollup_renewal.renewals + excluded.renewals",
    )
    .bind(vendor.as_bytes().as_slice())
    .bind(state)
    .bind(by)
    .execute(db)
    .await?;
    Ok(())
}

/// Changes how many rows a table of the whole fleet has.
pub(crate) async fn count_total(db: &mut SqliteConnection, what: &'static str, by: i64) -> Result<(), Fault> {
    if by == 0 {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO rollup_total (what, total) VALUES ($1, $2)
         ON CONFLICT (what) DO UPDATE SET total = rollup_total.total + excluded.total",
    )
    .bind(what)
    .bind(by)
    .execute(db)
    .await?;
    Ok(())
}

/// A host goes out of service or comes back: its installations, findings and signs of life stop to count, or count
/// again.
pub(crate) async fn move_in_or_out_of_service(
    db: &mut SqliteConnection,
    vendor: VendorId,
    host: HostId,
    in_service: bool,
) -> Result<(), Fault> {
    let by = if in_service { 1 } else { -1 };
    let sql = "SELECT not_after FROM installation WHERE vendor = $1 AND host = $2";
    let ends: Vec<i64> = sqlx::query_scalar(sql)
        .bind(vendor.as_bytes().as_slice())
        .bind(host.as_bytes().as_slice())
        .fetch_all(&mut *db)
        .await?;
    for not_after in ends {
        count_expiry(db, vendor, moment(not_after), by).await?;
    }
    let sql = "SELECT rule, urgency FROM finding WHERE vendor = $1 AND host = $2 AND closed_at IS NULL";
    let open: Vec<(String, i64)> = sqlx::query_as(sql)
        .bind(vendor.as_bytes().as_slice())
        .bind(host.as_bytes().as_slice())
        .fetch_all(&mut *db)
        .await?;
    for (rule, urgency) in open {
        count_finding(db, vendor, &rule, urgency, by).await?;
    }
    for sql in [
        "UPDATE installation SET in_service = $3 WHERE vendor = $1 AND host = $2",
        "UPDATE finding SET in_service = $3 WHERE vendor = $1 AND host = $2 AND closed_at IS NULL",
        "UPDATE presence SET in_service = $3 WHERE vendor = $1 AND host = $2",
    ] {
        sqlx::query(sql)
            .bind(vendor.as_bytes().as_slice())
            .bind(host.as_bytes().as_slice())
            .bind(i64::from(in_service))
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}
