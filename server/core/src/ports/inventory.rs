//! What hosts hold: certificates once per fleet, store contents once per distinct set.

use async_trait::async_trait;
use inkan_model::finding::Diagnosis;
use inkan_model::host::HostState;
use inkan_model::store::{KeyPresence, Location, StoreSet};
use inkan_model::sync::{HostReport, Lacks};
use inkan_model::{Certificate, CertificateFacts, Fingerprint, HostId, SetDigest, StateDigest, Timestamp, VendorId};

use super::DbResult;

/// What hosts hold.
#[async_trait]
pub trait Inventory: Send + Sync {
    /// Which of these sets, and of the certificates, are not stored. For a set that is stored, its members are.
    async fn find_lacking(&self, sets: &[SetDigest], certificates: &[Fingerprint]) -> DbResult<Lacks>;

    /// Finds a set's content.
    async fn find_set(&self, digest: SetDigest) -> DbResult<Option<StoreSet>>;

    /// Stores certificates, then sets whose members are all stored by now; sets that still lack members are left out,
    /// and the lacking members are returned. Everything is idempotent.
    async fn record_contents(
        &self,
        certificates: &[Certificate],
        sets: &[(SetDigest, StoreSet)],
    ) -> DbResult<Vec<Fingerprint>>;

    /// Stores a report whose sets are all stored: facts, Locations, Installations, rollups and the timeline, and sets
    /// the host's next review to `now`. A report equal to the stored one writes nothing.
    async fn record_report(
        &self,
        host: HostId,
        report: &HostReport,
        state: StateDigest,
        now: Timestamp,
    ) -> DbResult<ReportRecord>;

    /// Stores signs of life, many at once.
    async fn record_presence(&self, seen: &[Presence]) -> DbResult<()>;

    /// Everything that the rules look at for one host.
    async fn find_observation(&self, host: HostId) -> DbResult<Option<Observation>>;

    /// Replaces the host's open findings by these: opens, closes, updates, in the timeline too, and remembers when to
    /// look again.
    async fn record_assessment(
        &self,
        host: HostId,
        diagnoses: &[Diagnosis],
        next_review: Timestamp,
        now: Timestamp,
    ) -> DbResult<AssessmentRecord>;

    /// Hosts whose time for a review has come, longest due first.
    async fn list_hosts_to_review(&self, now: Timestamp, limit: u32) -> DbResult<Vec<HostId>>;
}

/// What became of a report.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ReportRecord {
    /// Installations that came.
    pub appeared: u32,
    /// Installations that went.
    pub disappeared: u32,
    /// Locations whose set changed, came or went.
    pub locations_changed: u32,
}

/// A sign of life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Presence {
    /// Whose.
    pub host: HostId,
    /// When, by the server's clock.
    pub at: Timestamp,
    /// How far the PC's clock is ahead of the server's, in milliseconds.
    pub clock_offset_ms: i64,
}

/// Everything that the rules look at for one host.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The tenant.
    pub vendor: VendorId,
    /// What the host may do.
    pub state: HostState,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
    /// Last sign of life.
    pub last_seen: Timestamp,
    /// How far the PC's clock is ahead of the server's, in milliseconds.
    pub clock_offset_ms: i64,
    /// Certificates with their own key or purpose.
    pub installations: Vec<ObservedInstallation>,
    /// Certificates of this host, in any store, that could be issuers of those: transitively by subject name.
    pub issuers: Vec<CertificateFacts>,
}

/// One certificate with its own key or purpose, where it stands.
#[derive(Clone, Debug)]
pub struct ObservedInstallation {
    /// Where.
    pub location: Location,
    /// Which certificate.
    pub certificate: Fingerprint,
    /// What it says.
    pub facts: CertificateFacts,
    /// Whether its key is there.
    pub key: KeyPresence,
}

/// What an assessment changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AssessmentRecord {
    /// Findings that opened.
    pub opened: u32,
    /// Findings that closed.
    pub closed: u32,
    /// Findings that stayed and changed.
    pub changed: u32,
}

/// Which certificates get an Installation row: end-entity certificates that have a key, or whose purpose is to
/// authenticate a client here. Anchors and other people's certificates do not.
pub fn deserves_installation(facts: &CertificateFacts, key: KeyPresence) -> bool {
    let has_key = matches!(key, KeyPresence::Present);
    let should_have_key = matches!(key, KeyPresence::Absent | KeyPresence::Unknown) && facts.client_auth == Some(true);
    facts.is_end_entity() && (has_key || should_have_key)
}
