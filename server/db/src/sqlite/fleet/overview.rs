//! The figures of the overview, from rollups.
//!
//! Installations are counted by day; the day in which a moment falls is the only one of which rows are counted.

use inkan_core::ports::{DbResult, ExpiryDay, Overview, PrefectureRow};
use inkan_model::finding::Urgency;
use inkan_model::host::HostState;
use inkan_model::time::DAY;
use inkan_model::{Timestamp, VendorId};
use sqlx::SqliteConnection;

use super::clinics::worst_of;
use crate::sqlite::fault::Fault;
use crate::sqlite::rows::{Origin, first_moment, is_in_service, japanese_day};

/// States of renewals that wait for somebody or something to be put right.
const STUCK: [&str; 2] = ["needs_person", "failed"];
/// States of renewals that are over.
pub(in crate::sqlite) const OVER: [&str; 2] = ["closed", "abandoned"];

pub(in crate::sqlite) const COUNT_HOSTS: &str = "SELECT state, worst, hosts FROM rollup_host WHERE vendor = $1";
pub(in crate::sqlite) const COUNT_CLINICS: &str =
    "SELECT COALESCE(sum(clinics), 0) FROM rollup_prefecture WHERE vendor = $1";
pub(in crate::sqlite) const COUNT_RENEWALS: &str = "SELECT state, renewals FROM rollup_renewal WHERE vendor = $1";
pub(in crate::sqlite) const COUNT_SILENT: &str =
    "SELECT count(*) FROM presence WHERE vendor = $1 AND in_service = 1 AND last_seen <= $2";
pub(in crate::sqlite) const COUNT_DAYS_BEFORE: &str =
    "SELECT COALESCE(sum(installations), 0) FROM rollup_expiry WHERE vendor = $1 AND day < $2";
pub(in crate::sqlite) const COUNT_BETWEEN: &str =
    "SELECT count(*) FROM installation WHERE vendor = $1 AND in_service = 1 AND not_after >= $2 AND not_after < $3";

pub(super) async fn find(db: &mut SqliteConnection, vendor: VendorId, now: Timestamp) -> Result<Overview, Fault> {
    let mut overview = Overview::default();
    count_hosts(db, vendor, &mut overview).await?;
    count_renewals(db, vendor, &mut overview).await?;
    let origin = Origin::new("rollup", &vendor);
    let clinics: i64 = sqlx::query_scalar(COUNT_CLINICS).bind(vendor.as_bytes().as_slice()).fetch_one(&mut *db).await?;
    overview.clinics = origin.number("clinics", clinics)?;
    let silent: i64 = sqlx::query_scalar(COUNT_SILENT)
        .bind(vendor.as_bytes().as_slice())
        .bind(now.minus(7 * DAY).as_unix_millis())
        .fetch_one(&mut *db)
        .await?;
    overview.silent = origin.number("silent", silent)?;
    let expired = count_ending_before(db, vendor, Some(now)).await?;
    let until_7 = count_ending_before(db, vendor, Some(now.plus(7 * DAY))).await?;
    let until_30 = count_ending_before(db, vendor, Some(now.plus(30 * DAY))).await?;
    overview.expired = origin.number("installations", expired)?;
    overview.within_7 = origin.number("installations", until_7 - expired)?;
    overview.within_30 = origin.number("installations", until_30 - expired)?;
    Ok(overview)
}

async fn count_hosts(db: &mut SqliteConnection, vendor: VendorId, overview: &mut Overview) -> Result<(), Fault> {
    let rows: Vec<(String, i64, i64)> =
        sqlx::query_as(COUNT_HOSTS).bind(vendor.as_bytes().as_slice()).fetch_all(db).await?;
    let origin = Origin::new("rollup_host", &vendor);
    for (state, worst, hosts) in rows {
        let (state, hosts): (HostState, u64) = (origin.code("state", &state)?, origin.number("hosts", hosts)?);
        if !is_in_service(state) {
            continue;
        }
        overview.hosts += hosts;
        if state == HostState::ReportOnly {
            overview.report_only += hosts;
        }
        match origin.worst(worst)? {
            Some(Urgency::Now) => overview.hosts_now += hosts,
            None => overview.hosts_well += hosts,
            Some(Urgency::Soon | Urgency::Watch) => {}
        }
    }
    Ok(())
}

async fn count_renewals(db: &mut SqliteConnection, vendor: VendorId, overview: &mut Overview) -> Result<(), Fault> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as(COUNT_RENEWALS).bind(vendor.as_bytes().as_slice()).fetch_all(db).await?;
    for (state, renewals) in rows {
        let renewals: u64 = Origin::new("rollup_renewal", &vendor).number("renewals", renewals)?;
        if !OVER.contains(&state.as_str()) {
            overview.renewals_live += renewals;
        }
        if STUCK.contains(&state.as_str()) {
            overview.renewals_stuck += renewals;
        }
    }
    Ok(())
}

/// Installations in service that end before a moment; all of them when there is none.
pub(super) async fn count_ending_before(
    db: &mut SqliteConnection,
    vendor: VendorId,
    moment: Option<Timestamp>,
) -> Result<i64, Fault> {
    let day = moment.map_or(i64::MAX, japanese_day);
    let whole_days: i64 =
        sqlx::query_scalar(COUNT_DAYS_BEFORE).bind(vendor.as_bytes().as_slice()).bind(day).fetch_one(&mut *db).await?;
    let Some(moment) = moment else { return Ok(whole_days) };
    let part_of_day: i64 = sqlx::query_scalar(COUNT_BETWEEN)
        .bind(vendor.as_bytes().as_slice())
        .bind(first_moment(day).as_unix_millis())
        .bind(moment.as_unix_millis())
        .fetch_one(db)
        .await?;
    Ok(whole_days + part_of_day)
}

pub(super) async fn list_expiry_days(
    db: &mut SqliteConnection,
    vendor: VendorId,
    first_day: i32,
    days: u16,
) -> Result<Vec<ExpiryDay>, Fault> {
    let sql = "SELECT day, installations FROM rollup_expiry
               WHERE vendor = $1 AND day >= $2 AND day < $3 AND installations > 0 ORDER BY day";
    let rows: Vec<(i64, i64)> = sqlx::query_as(sql)
        .bind(vendor.as_bytes().as_slice())
        .bind(i64::from(first_day))
        .bind(i64::from(first_day) + i64::from(days))
        .fetch_all(db)
        .await?;
    let origin = Origin::new("rollup_expiry", &vendor);
    let day = |(day, installations)| {
        Ok(ExpiryDay { day: origin.number("day", day)?, installations: origin.number("installations", installations)? })
    };
    Ok(rows.into_iter().map(day).collect::<DbResult<_>>()?)
}

pub(super) async fn list_prefectures(db: &mut SqliteConnection, vendor: VendorId) -> Result<Vec<PrefectureRow>, Fault> {
    let sql = "SELECT prefecture, clinics, hosts_now, hosts_soon, hosts_watch FROM rollup_prefecture
               WHERE vendor = $1 AND clinics > 0 ORDER BY prefecture";
    let rows: Vec<(i64, i64, i64, i64, i64)> =
        sqlx::query_as(sql).bind(vendor.as_bytes().as_slice()).fetch_all(db).await?;
    let origin = Origin::new("rollup_prefecture", &vendor);
    let prefecture = |(prefecture, clinics, now, soon, watch)| {
        Ok(PrefectureRow {
            prefecture: origin.prefecture(prefecture)?,
            clinics: origin.number("clinics", clinics)?,
            worst: worst_of([now, soon, watch]),
        })
    };
    Ok(rows.into_iter().map(prefecture).collect::<DbResult<_>>()?)
}
