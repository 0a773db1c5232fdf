//! Checkups as rows: one that waits has no answer; the newest few that were answered stay.

use async_trait::async_trait;
use inkan_core::ports::{CheckupCreation, Checkups, DbResult, KEPT_CHECKUPS};
use inkan_model::checkup::{Checkup, CheckupFinding, CheckupOutcome};
use inkan_model::directive::Generation;
use inkan_model::{HostId, Timestamp, VendorId};
use sqlx::SqliteConnection;
use tracing::instrument;

use super::SqliteDatabase;
use super::fault::{At as _, Fault};
use super::rows::{Origin, json, moment};
use super::writer::WriteConnection;

pub(in crate::sqlite) const LIST_WAITING: &str =
    "SELECT c.id, c.vendor, c.host, c.programme_id, c.programme, c.requested_by, c.requested_at, c.examined_at,
            c.received_at, c.results
     FROM checkup c WHERE c.host = $1 AND c.received_at IS NULL ORDER BY c.id";

pub(in crate::sqlite) const LIST_NEWEST: &str =
    "SELECT c.id, c.vendor, c.host, c.programme_id, c.programme, c.requested_by, c.requested_at, c.examined_at,
            c.received_at, c.results
     FROM checkup c WHERE c.host = $1 AND c.vendor = $2 ORDER BY c.id DESC LIMIT $3";

#[async_trait]
impl Checkups for SqliteDatabase {
    #[instrument(name = "db.checkup.create", level = "debug", skip_all)]
    async fn create_checkup(
        &self,
        checkup: &Checkup,
        generation: (Generation, Generation),
    ) -> DbResult<CheckupCreation> {
        let checkup = checkup.clone();
        let operation = self
            .writer
            .run("store a checkup", move |db| Box::pin(async move { create(db, &checkup, generation).await }));
        operation.await
    }

    #[instrument(name = "db.checkup.list_waiting", level = "debug", skip_all)]
    async fn list_waiting_checkups(&self, host: HostId) -> DbResult<Vec<Checkup>> {
        let step = "list a host's waiting checkups";
        let mut db = self.reader().await.at(step)?;
        list_waiting(&mut db, host).await.at(step)
    }

    #[instrument(name = "db.checkup.list", level = "debug", skip_all)]
    async fn list_checkups(&self, vendor: VendorId, host: HostId, limit: u16) -> DbResult<Vec<Checkup>> {
        let step = "list a host's checkups";
        let mut db = self.reader().await.at(step)?;
        list_newest(&mut db, vendor, host, limit).await.at(step)
    }
}

/// The columns of a checkup.
#[derive(sqlx::FromRow)]
struct CheckupColumns {
    id: Vec<u8>,
    vendor: Vec<u8>,
    host: Vec<u8>,
    programme_id: String,
    programme: Option<String>,
    requested_by: Vec<u8>,
    requested_at: i64,
    examined_at: Option<i64>,
    received_at: Option<i64>,
    results: Option<String>,
}

impl TryFrom<CheckupColumns> for Checkup {
    type Error = inkan_core::ports::DbError;

    fn try_from(row: CheckupColumns) -> DbResult<Self> {
        let origin = Origin::new("checkup", &row.id);
        let programme: Option<inkan_model::programme::Programme> =
            row.programme.as_deref().map(|text| origin.json("programme", text)).transpose()?;
        if programme.as_ref().map(|programme| programme.id.as_str()).unwrap_or_default() != row.programme_id {
            return Err(origin.inconsistent("programme_id"));
        }
        let finding = match (row.examined_at, row.received_at, &row.results) {
            (None, None, None) => None,
            (Some(examined_at), Some(received_at), Some(results)) => Some(CheckupFinding {
                examined_at: moment(examined_at),
                received_at: moment(received_at),
                results: origin.json("results", results)?,
            }),
            _ => return Err(origin.inconsistent("received_at")),
        };
        Ok(Self {
            id: origin.id("id", &row.id)?,
            vendor: origin.id("vendor", &row.vendor)?,
            host: origin.id("host", &row.host)?,
            programme,
            requested_by: origin.id("requested_by", &row.requested_by)?,
            requested_at: moment(row.requested_at),
            finding,
        })
    }
}

async fn create(
    db: &mut WriteConnection,
    checkup: &Checkup,
    (expected, next): (Generation, Generation),
) -> Result<CheckupCreation, Fault> {
    let programme_id = |checkup: &Checkup| checkup.programme.as_ref().map(|programme| programme.id.to_string());
    let waiting = list_waiting(db, checkup.host).await?;
    let same = |other: &Checkup| other.vendor == checkup.vendor && programme_id(other) == programme_id(checkup);
    if let Some(waiting) = waiting.into_iter().find(same) {
        return Ok(CheckupCreation::Waiting(waiting));
    }
    let moved = sqlx::query("UPDATE host SET generation = $4 WHERE id = $1 AND vendor = $2 AND generation = $3")
        .bind(checkup.host.as_bytes().as_slice())
        .bind(checkup.vendor.as_bytes().as_slice())
        .bind(expected.0.cast_signed())
        .bind(next.0.cast_signed())
        .execute(&mut **db)
        .await?;
    if moved.rows_affected() != 1 {
        return Err(Fault::conflict("the host's directives"));
    }
    sqlx::query(
        "INSERT INTO checkup (id, vendor, host, programme_id, programme, requested_by, requested_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(checkup.id.as_bytes().as_slice())
    .bind(checkup.vendor.as_bytes().as_slice())
    .bind(checkup.host.as_bytes().as_slice())
    .bind(programme_id(checkup).unwrap_or_default())
    .bind(checkup.programme.as_ref().map(json).transpose()?)
    .bind(checkup.requested_by.as_bytes().as_slice())
    .bind(checkup.requested_at.as_unix_millis())
    .execute(&mut **db)
    .await?;
    Ok(CheckupCreation::Created)
}

/// Stores what a host's doctor found, where it is waited for, and forgets answers that are older than those kept.
pub(in crate::sqlite) async fn record_answers(
    db: &mut WriteConnection,
    host: HostId,
    answers: &[CheckupOutcome],
    now: Timestamp,
) -> Result<(), Fault> {
    for CheckupOutcome { checkup, examined_at, results } in answers {
        sqlx::query(
            "UPDATE checkup SET examined_at = $3, received_at = $4, results = $5
             WHERE id = $1 AND host = $2 AND received_at IS NULL",
        )
        .bind(checkup.as_bytes().as_slice())
        .bind(host.as_bytes().as_slice())
        .bind(examined_at.as_unix_millis())
        .bind(now.as_unix_millis())
        .bind(json(results)?)
        .execute(&mut **db)
        .await?;
    }
    if !answers.is_empty() {
        let sql = "DELETE FROM checkup WHERE host = $1 AND received_at IS NOT NULL AND id <=
                   (SELECT c.id FROM checkup c WHERE c.host = $1 AND c.received_at IS NOT NULL
                    ORDER BY c.id DESC LIMIT 1 OFFSET $2)";
        sqlx::query(sql).bind(host.as_bytes().as_slice()).bind(i64::from(KEPT_CHECKUPS)).execute(&mut **db).await?;
    }
    Ok(())
}

async fn list_waiting(db: &mut SqliteConnection, host: HostId) -> Result<Vec<Checkup>, Fault> {
    let rows: Vec<CheckupColumns> = sqlx::query_as(LIST_WAITING).bind(host.as_bytes().as_slice()).fetch_all(db).await?;
    Ok(rows.into_iter().map(Checkup::try_from).collect::<DbResult<_>>()?)
}

async fn list_newest(
    db: &mut SqliteConnection,
    vendor: VendorId,
    host: HostId,
    limit: u16,
) -> Result<Vec<Checkup>, Fault> {
    let rows: Vec<CheckupColumns> = sqlx::query_as(LIST_NEWEST)
        .bind(host.as_bytes().as_slice())
        .bind(vendor.as_bytes().as_slice())
        .bind(i64::from(limit))
        .fetch_all(db)
        .await?;
    Ok(rows.into_iter().map(Checkup::try_from).collect::<DbResult<_>>()?)
}
