//! Renewals as rows. A command is a row before anything else.

mod changes;
pub(in crate::sqlite) mod lists;

use async_trait::async_trait;
use inkan_core::ports::{
    DbResult, Page, PageRequest, RenewalChange, RenewalCreation, RenewalQuery, RenewalRow, Renewals, Versioned,
};
use inkan_model::renewal::{Renewal, RenewalState};
use inkan_model::{HostId, RenewalId, Timestamp, VendorId};
use tracing::instrument;

use super::SqliteDatabase;
use super::fault::At as _;
use super::rows::{Origin, moment};

#[async_trait]
impl Renewals for SqliteDatabase {
    #[instrument(name = "db.renewal.create", level = "debug", skip_all)]
    async fn create_renewal(&self, renewal: &Renewal) -> DbResult<RenewalCreation> {
        let renewal = renewal.clone();
        let operation =
            self.writer.run("store a renewal", move |db| Box::pin(async move { changes::create(db, &renewal).await }));
        operation.await
    }

    #[instrument(name = "db.renewal.find", level = "debug", skip_all)]
    async fn find_renewal(&self, vendor: VendorId, renewal: RenewalId) -> DbResult<Option<Versioned<Renewal>>> {
        let step = "find a renewal";
        let mut db = self.reader().await.at(step)?;
        lists::find(&mut db, vendor, renewal).await.at(step)
    }

    #[instrument(name = "db.renewal.list", level = "debug", skip_all)]
    async fn list_renewals(
        &self,
        vendor: VendorId,
        query: &RenewalQuery,
        page: &PageRequest,
    ) -> DbResult<Page<RenewalRow>> {
        let step = "list renewals";
        let mut db = self.reader().await.at(step)?;
        lists::list(&mut db, vendor, query, page).await.at(step)
    }

    #[instrument(name = "db.renewal.list_live", level = "debug", skip_all)]
    async fn list_live_renewals(&self, host: HostId) -> DbResult<Vec<Versioned<Renewal>>> {
        let step = "list a host's live renewals";
        let mut db = self.reader().await.at(step)?;
        lists::list_live(&mut db, host).await.at(step)
    }

    #[instrument(name = "db.renewal.record", level = "debug", skip_all)]
    async fn record_renewals(&self, host: HostId, change: &RenewalChange) -> DbResult<()> {
        let change = change.clone();
        let operation = self
            .writer
            .run("record renewals", move |db| Box::pin(async move { changes::record(db, host, &change).await }));
        operation.await
    }

    #[instrument(name = "db.renewal.list_work", level = "debug", skip_all)]
    async fn list_hosts_with_renewal_work(&self, now: Timestamp, limit: u32) -> DbResult<Vec<HostId>> {
        let step = "list hosts with renewal work";
        let mut db = self.reader().await.at(step)?;
        lists::list_work(&mut db, now, limit).await.at(step)
    }
}

/// The columns of a renewal.
#[derive(sqlx::FromRow)]
struct RenewalColumns {
    id: Vec<u8>,
    vendor: Vec<u8>,
    host: Vec<u8>,
    location: String,
    old_certificate: Vec<u8>,
    requested_by: String,
    reason: Option<String>,
    created_at: i64,
    failures: i64,
    state: String,
    state_facts: String,
    version: i64,
}

impl TryFrom<RenewalColumns> for Versioned<Renewal> {
    type Error = inkan_core::ports::DbError;

    fn try_from(row: RenewalColumns) -> DbResult<Self> {
        let origin = Origin::new("renewal", &row.id);
        let state: RenewalState = origin.json("state_facts", &row.state_facts)?;
        if state.name() != row.state {
            return Err(origin.inconsistent("state"));
        }
        let value = Renewal {
            id: origin.id("id", &row.id)?,
            vendor: origin.id("vendor", &row.vendor)?,
            host: origin.id("host", &row.host)?,
            location: origin.json("location", &row.location)?,
            old: origin.fingerprint("old_certificate", &row.old_certificate)?,
            requested_by: origin.json("requested_by", &row.requested_by)?,
            reason: row.reason,
            created_at: moment(row.created_at),
            failures: origin.number("failures", row.failures)?,
            state,
        };
        Ok(Self { version: origin.number("version", row.version)?, value })
    }
}

/// When the server itself can move a renewal on; `None` when it waits for a host or a person, or is over.
fn due_at(state: &RenewalState) -> Option<Timestamp> {
    match state {
        RenewalState::Planned { not_before } => Some(*not_before),
        RenewalState::Requested { at, .. } => Some(*at),
        RenewalState::Failed { retry_at, .. } => Some(*retry_at),
        RenewalState::Directed { .. }
        | RenewalState::Issued { .. }
        | RenewalState::Installed { .. }
        | RenewalState::Proven { .. }
        | RenewalState::Closed { .. }
        | RenewalState::NeedsPerson { .. }
        | RenewalState::Abandoned { .. } => None,
    }
}
