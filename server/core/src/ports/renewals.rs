//! Renewals as rows. A command is a row before anything else.

use async_trait::async_trait;
use inkan_model::checkup::CheckupOutcome;
use inkan_model::directive::Generation;
use inkan_model::renewal::Renewal;
use inkan_model::sync::SpoolPosition;
use inkan_model::{ClinicId, Fingerprint, HostId, OperatorId, RenewalId, Timestamp, VendorId};

use super::{DbResult, Page, PageRequest};

/// Renewals as rows.
#[async_trait]
pub trait Renewals: Send + Sync {
    /// Stores a renewal, unless one is live for the same host, Location and certificate: then that one is the answer.
    async fn create_renewal(&self, renewal: &Renewal) -> DbResult<RenewalCreation>;

    /// Finds one of the vendor's renewals.
    async fn find_renewal(&self, vendor: VendorId, renewal: RenewalId) -> DbResult<Option<Versioned<Renewal>>>;

    /// The vendor's renewals, newest first.
    async fn list_renewals(
        &self,
        vendor: VendorId,
        query: &RenewalQuery,
        page: &PageRequest,
    ) -> DbResult<Page<RenewalRow>>;

    /// The host's renewals that are not over, oldest first.
    async fn list_live_renewals(&self, host: HostId) -> DbResult<Vec<Versioned<Renewal>>>;

    /// Stores moved renewals, answered checkups, the acknowledged spool position and the new generation in one
    /// transaction, with one timeline entry for each state reached. `Conflict` when any version or the generation is not the expected one.
    async fn record_renewals(&self, host: HostId, change: &RenewalChange) -> DbResult<()>;

    /// Hosts that have a renewal which the server itself can move on: planned and due, requested, or failed and due.
    async fn list_hosts_with_renewal_work(&self, now: Timestamp, limit: u32) -> DbResult<Vec<HostId>>;
}

/// A row together with its version, which guards the next write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Versioned<T> {
    /// Grows by one with each write; 1 for a row that was just created.
    pub version: u64,
    /// The row.
    pub value: T,
}

/// What became of a new renewal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RenewalCreation {
    /// It was stored.
    Created,
    /// One was live already.
    Live(Renewal),
}

/// What one transaction changes about a host's renewals and checkups.
#[derive(Clone, Debug, Default)]
pub struct RenewalChange {
    /// Moved renewals; the version is the one that was read. One that moved by several states stands here several times
    /// in their order, each time with the version after.
    pub moved: Vec<Versioned<Renewal>>,
    /// What the host's doctor found. Of a checkup that does not wait for this host it changes nothing.
    pub checkups: Vec<CheckupOutcome>,
    /// Acknowledge the spool up to here.
    pub acknowledged: Option<SpoolPosition>,
    /// Move the host's generation from the first to the second.
    pub generation: Option<(Generation, Generation)>,
    /// The newest generation that the agent says it has journaled.
    pub applied: Option<Generation>,
    /// The person behind it, for the timeline.
    pub by: Option<OperatorId>,
    /// When.
    pub now: Timestamp,
}

/// Which renewals are wanted; `None` means any.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RenewalQuery {
    /// Of this host.
    pub host: Option<HostId>,
    /// Of this clinic.
    pub clinic: Option<ClinicId>,
    /// In this state, by name.
    pub state: Option<String>,
    /// Only those that are (not) over.
    pub over: Option<bool>,
    /// Of this certificate.
    pub old: Option<Fingerprint>,
}

/// A renewal with the names that a list shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RenewalRow {
    /// The renewal.
    pub renewal: Renewal,
    /// The PC's name.
    pub host_name: String,
    /// The clinic's name.
    pub clinic_name: String,
    /// The old certificate's name, where it could be read.
    pub certificate_name: Option<String>,
    /// When the row was last changed.
    pub updated_at: Timestamp,
}
