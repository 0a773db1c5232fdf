//! Keeping the database itself in order: check, backup, pruning, gauges.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use inkan_core::ports::{DbError, DbResult, Gauges, Upkeep};
use inkan_model::Timestamp;
use inkan_model::time::DAY;
use sqlx::{Connection as _, SqliteConnection};
use tracing::instrument;

use super::fault::{At as _, Fault};
use super::fleet::overview::OVER;
use super::rows::Origin;
use super::writer::WriteConnection;
use super::{SqliteDatabase, migrate, owner_only, reading_options};

#[async_trait]
impl Upkeep for SqliteDatabase {
    #[instrument(name = "db.database.check", level = "debug", skip_all)]
    async fn check(&self) -> DbResult<()> {
        let step = "check the database";
        let mut db = self.reader().await.at(step)?;
        check_schema(&mut db).await.at(step)?;
        drop(db);
        // An operation that does nothing proves that the writer can begin and commit.
        self.writer.run(step, |_| Box::pin(async { Ok(()) })).await
    }

    #[instrument(name = "db.database.backup", level = "debug", skip_all)]
    async fn backup_to(&self, file: &Path) -> DbResult<()> {
        let step = "back the database up";
        let file = file.to_owned();
        let target = file.to_str().ok_or(UpkeepError::Name).map_err(|cause| other(step, cause))?.to_owned();
        create_empty(file.clone()).await.map_err(|cause| other(step, cause))?;
        let done = self.copy_to(&file, &target).await;
        if done.is_err() {
            // Half a copy must not be taken for one. It was made above, so it is ours to remove.
            let _ = tokio::fs::remove_file(&file).await;
        }
        done.at(step)
    }

    #[instrument(name = "db.database.prune", level = "debug", skip_all)]
    async fn prune(&self, now: Timestamp, limit: u32) -> DbResult<u64> {
        let operation = self
            .writer
            .run("prune the database", move |db| Box::pin(async move { prune(db, now, u64::from(limit)).await }));
        operation.await
    }

    #[instrument(name = "db.database.gauges", level = "debug", skip_all)]
    async fn gauges(&self, _now: Timestamp) -> DbResult<Gauges> {
        let step = "read the gauges";
        let mut db = self.snapshot().await.at(step)?;
        gauges(&mut db).await.at(step)
    }
}

impl SqliteDatabase {
    async fn copy_to(&self, file: &Path, target: &str) -> Result<(), Fault> {
        let mut db = self.reader().await?;
        sqlx::query("VACUUM INTO $1").bind(target).execute(&mut *db).await?;
        drop(db);
        let mut copy = SqliteConnection::connect_with(&reading_options(file)).await?;
        let checked = check_copy(&mut copy).await;
        copy.close().await?;
        checked?;
        tokio::fs::File::open(file).await.map_err(unsynced)?.sync_all().await.map_err(unsynced)
    }
}

fn unsynced(cause: io::Error) -> Fault {
    Fault::Other(Box::new(UpkeepError::Sync(cause)))
}

fn other(step: &'static str, cause: impl Error + Send + Sync + 'static) -> DbError {
    DbError::Query { step, cause: Box::new(cause) }
}

/// A database, or a copy of it, that is not in order.
#[derive(Debug, thiserror::Error)]
enum UpkeepError {
    /// The copy is not what it should be.
    #[error("the copy is damaged: {0}")]
    Damaged(String),
    /// The new file.
    #[error("could not create the file")]
    Create(#[source] io::Error),
    /// Its name.
    #[error("the file's name is not Unicode")]
    Name,
    /// The schema.
    #[error("the schema is version {found}, not {expected}")]
    Schema { found: i64, expected: i64 },
    /// The copy may not have reached the disk.
    #[error("could not write the copy through to the disk")]
    Sync(#[source] io::Error),
}

/// Creates the target, readable by its owner alone. An existing file is never written over.
async fn create_empty(file: PathBuf) -> Result<(), UpkeepError> {
    let created = tokio::task::spawn_blocking(move || owner_only().create_new(true).write(true).open(file)).await;
    let created = created.unwrap_or_else(|cause| Err(io::Error::other(cause)));
    created.map(drop).map_err(UpkeepError::Create)
}

async fn check_schema(db: &mut SqliteConnection) -> Result<(), Fault> {
    let (found, expected) = (migrate::applied_version(db).await?, migrate::newest_schema_version());
    if found == expected { Ok(()) } else { Err(Fault::Other(Box::new(UpkeepError::Schema { found, expected }))) }
}

async fn check_copy(copy: &mut SqliteConnection) -> Result<(), Fault> {
    check_schema(copy).await?;
    let said: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(10)").fetch_all(copy).await?;
    if said == ["ok"] { Ok(()) } else { Err(Fault::Other(Box::new(UpkeepError::Damaged(said.join("; "))))) }
}

async fn prune(db: &mut WriteConnection, now: Timestamp, limit: u64) -> Result<u64, Fault> {
    let mut gone = 0;
    for (sql, before) in [
        ("DELETE FROM session WHERE hash IN (SELECT hash FROM session WHERE expires_at <= $1 LIMIT $2)", now),
        // One that nobody answered within a day never will be.
        (
            "DELETE FROM idempotency WHERE (operator, request_key) IN
                 (SELECT operator, request_key FROM idempotency WHERE begun_at < $1 LIMIT $2)",
            now.minus(DAY),
        ),
        (
            "DELETE FROM join_token WHERE id IN (SELECT id FROM join_token WHERE expires_at < $1 LIMIT $2)",
            now.minus(30 * DAY),
        ),
    ] {
        let rest = i64::try_from(limit.saturating_sub(gone)).unwrap_or(i64::MAX);
        let done = sqlx::query(sql).bind(before.as_unix_millis()).bind(rest).execute(&mut **db).await?;
        gone += done.rows_affected();
    }
    Ok(gone)
}

async fn gauges(db: &mut SqliteConnection) -> Result<Gauges, Fault> {
    let hosts = "SELECT COALESCE(sum(hosts), 0) FROM rollup_host WHERE state NOT IN ('retired', 'banned')";
    let certificates = "SELECT COALESCE(sum(total), 0) FROM rollup_total WHERE what = 'certificate'";
    let sets = "SELECT COALESCE(sum(total), 0) FROM rollup_total WHERE what = 'cert_set'";
    let installations = "SELECT COALESCE(sum(installations), 0) FROM rollup_expiry";
    let findings = "SELECT COALESCE(sum(findings), 0) FROM rollup_finding";
    let mut counts = [0_u64; 5];
    for (count, sql) in counts.iter_mut().zip([hosts, certificates, sets, installations, findings]) {
        let found: i64 = sqlx::query_scalar(sql).fetch_one(&mut *db).await?;
        *count = Origin::new("rollup", 0).number("total", found)?;
    }
    let [hosts, certificates, sets, installations, findings] = counts;
    let rows: Vec<(String, i64)> = sqlx::query_as("SELECT state, renewals FROM rollup_renewal").fetch_all(db).await?;
    let live = rows.iter().filter(|(state, _)| !OVER.contains(&state.as_str())).map(|(_, renewals)| renewals).sum();
    let live_renewals = Origin::new("rollup_renewal", 0).number("renewals", live)?;
    Ok(Gauges { hosts, certificates, sets, installations, findings, live_renewals })
}
