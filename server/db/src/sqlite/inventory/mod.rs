//! What hosts hold, and what is wrong with it.

pub(in crate::sqlite) mod assessments;
mod contents;
pub(in crate::sqlite) mod observations;
mod reports;

use async_trait::async_trait;
use inkan_core::ports::{AssessmentRecord, DbResult, Inventory, Observation, Presence, ReportRecord};
use inkan_model::finding::Diagnosis;
use inkan_model::store::StoreSet;
use inkan_model::sync::{HostReport, Lacks};
use inkan_model::{Certificate, Fingerprint, HostId, SetDigest, StateDigest, Timestamp};
use tracing::instrument;

use super::SqliteDatabase;
use super::fault::{At as _, Fault};
use super::rows::Origin;
use super::writer::WriteConnection;

/// Signs of life of one transaction at most: some milliseconds of work.
const PRESENCE_CHUNK: usize = 500;

#[async_trait]
impl Inventory for SqliteDatabase {
    #[instrument(name = "db.contents.find_lacking", level = "debug", skip_all)]
    async fn find_lacking(&self, sets: &[SetDigest], certificates: &[Fingerprint]) -> DbResult<Lacks> {
        let step = "find what is lacking";
        let mut db = self.snapshot().await.at(step)?;
        contents::find_lacking(&mut db, sets, certificates).await.at(step)
    }

    #[instrument(name = "db.set.find", level = "debug", skip_all)]
    async fn find_set(&self, digest: SetDigest) -> DbResult<Option<StoreSet>> {
        let step = "find a set";
        let mut db = self.snapshot().await.at(step)?;
        contents::find_set(&mut db, digest).await.at(step)
    }

    #[instrument(name = "db.contents.record", level = "debug", skip_all)]
    async fn record_contents(
        &self,
        certificates: &[Certificate],
        sets: &[(SetDigest, StoreSet)],
    ) -> DbResult<Vec<Fingerprint>> {
        let (certificates, sets) = (certificates.to_vec(), sets.to_vec());
        let operation = self
            .writer
            .run("store contents", move |db| Box::pin(async move { contents::record(db, &certificates, &sets).await }));
        operation.await
    }

    #[instrument(name = "db.report.record", level = "debug", skip_all)]
    async fn record_report(
        &self,
        host: HostId,
        report: &HostReport,
        state: StateDigest,
        now: Timestamp,
    ) -> DbResult<ReportRecord> {
        let step = "record a report";
        let mut db = self.reader().await.at(step)?;
        if reports::is_known(&mut db, host, state).await.at(step)? {
            // A quiet host does not even queue for the writer.
            return Ok(ReportRecord::default());
        }
        drop(db);
        let report = report.clone();
        let operation = self
            .writer
            .run(step, move |db| Box::pin(async move { reports::record(db, host, &report, state, now).await }));
        operation.await
    }

    #[instrument(name = "db.presence.record", level = "debug", skip_all)]
    async fn record_presence(&self, seen: &[Presence]) -> DbResult<()> {
        // Each sign of life stands by itself, so a large batch need not keep everybody else waiting.
        for some in seen.chunks(PRESENCE_CHUNK) {
            let some = some.to_vec();
            let operation = self
                .writer
                .run("store signs of life", move |db| Box::pin(async move { record_presence(db, &some).await }));
            operation.await?;
        }
        Ok(())
    }

    #[instrument(name = "db.observation.find", level = "debug", skip_all)]
    async fn find_observation(&self, host: HostId) -> DbResult<Option<Observation>> {
        let step = "find what a host holds";
        let mut db = self.snapshot().await.at(step)?;
        observations::find(&mut db, host).await.at(step)
    }

    #[instrument(name = "db.assessment.record", level = "debug", skip_all)]
    async fn record_assessment(
        &self,
        host: HostId,
        diagnoses: &[Diagnosis],
        next_review: Timestamp,
        now: Timestamp,
    ) -> DbResult<AssessmentRecord> {
        let diagnoses = diagnoses.to_vec();
        let operation = self.writer.run("record an assessment", move |db| {
            Box::pin(async move { assessments::record(db, host, &diagnoses, next_review, now).await })
        });
        operation.await
    }

    #[instrument(name = "db.host.list_to_review", level = "debug", skip_all)]
    async fn list_hosts_to_review(&self, now: Timestamp, limit: u32) -> DbResult<Vec<HostId>> {
        let step = "list hosts to review";
        let mut db = self.reader().await.at(step)?;
        let rows: Vec<Vec<u8>> = sqlx::query_scalar(assessments::LIST_TO_REVIEW)
            .bind(now.as_unix_millis())
            .bind(i64::from(limit))
            .fetch_all(&mut *db)
            .await
            .at(step)?;
        rows.iter().map(|id| Origin::new("host", id).id("id", id)).collect()
    }
}

/// A sign of life never goes back in time; hosts that are not there are left out.
async fn record_presence(db: &mut WriteConnection, seen: &[Presence]) -> Result<(), Fault> {
    let sql = "UPDATE presence SET last_seen = $2, clock_offset_ms = $3 WHERE host = $1 AND last_seen <= $2";
    for Presence { host, at, clock_offset_ms } in seen {
        sqlx::query(sql)
            .bind(host.as_bytes().as_slice())
            .bind(at.as_unix_millis())
            .bind(clock_offset_ms)
            .execute(&mut **db)
            .await?;
    }
    Ok(())
}
