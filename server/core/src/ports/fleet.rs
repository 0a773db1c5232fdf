//! What operators look at. Every list pages, searches and counts here, never at the caller; counts come from rollups.

use async_trait::async_trait;
use inkan_model::clinic::{Clinic, ClinicKind, ClinicProfile, Prefecture};
use inkan_model::event::Event;
use inkan_model::finding::{Diagnosis, Rule, Urgency};
use inkan_model::host::{HostFacts, HostState};
use inkan_model::properties::EntryProperties;
use inkan_model::store::{KeyPresence, Location, ReadError};
use inkan_model::{
    Certificate, CertificateFacts, ClinicId, FindingId, Fingerprint, HostId, OperatorId, SetDigest, Timestamp, VendorId,
};

use super::{DbResult, Page, PageRequest};

/// What operators look at and change.
#[async_trait]
pub trait Fleet: Send + Sync {
    /// Creates or changes clinics, told apart by their code, all or nothing.
    async fn record_clinics(&self, vendor: VendorId, clinics: &[NewClinic], now: Timestamp) -> DbResult<ClinicChanges>;

    /// Finds a clinic.
    async fn find_clinic(&self, vendor: VendorId, clinic: ClinicId) -> DbResult<Option<Clinic>>;

    /// Finds a clinic by its 10-digit code.
    async fn find_clinic_by_code(&self, vendor: VendorId, code: &str) -> DbResult<Option<Clinic>>;

    /// The vendor's clinics, by code.
    async fn list_clinics(
        &self,
        vendor: VendorId,
        query: &ClinicQuery,
        page: &PageRequest,
    ) -> DbResult<Page<ClinicRow>>;

    /// The vendor's hosts: those with the most urgent finding first, then by name.
    async fn list_hosts(&self, vendor: VendorId, query: &HostQuery, page: &PageRequest) -> DbResult<Page<HostRow>>;

    /// How many hosts such a list has.
    async fn count_hosts(&self, vendor: VendorId, query: &HostQuery) -> DbResult<u64>;

    /// Finds a host.
    async fn find_host(&self, vendor: VendorId, host: HostId) -> DbResult<Option<HostDetail>>;

    /// Changes what a host may do, and says so in the timeline; `false` when there is no such host.
    async fn set_host_state(
        &self,
        vendor: VendorId,
        host: HostId,
        to: HostState,
        by: OperatorId,
        now: Timestamp,
    ) -> DbResult<bool>;

    /// The Locations of a host, each with what it holds in numbers.
    async fn list_locations(&self, vendor: VendorId, host: HostId) -> DbResult<Vec<LocationRow>>;

    /// What one Location of a host holds: sorted by name.
    async fn list_location_entries(
        &self,
        vendor: VendorId,
        host: HostId,
        location: &Location,
        page: &PageRequest,
    ) -> DbResult<Page<LocationEntry>>;

    /// Installations, soonest expiry first.
    async fn list_installations(
        &self,
        vendor: VendorId,
        query: &InstallationQuery,
        page: &PageRequest,
    ) -> DbResult<Page<InstallationRow>>;

    /// How many installations such a list has.
    async fn count_installations(&self, vendor: VendorId, query: &InstallationQuery) -> DbResult<u64>;

    /// A certificate that some host of the vendor holds.
    async fn find_certificate(&self, vendor: VendorId, certificate: Fingerprint) -> DbResult<Option<Certificate>>;

    /// Hosts of the vendor that hold a certificate, by name.
    async fn list_certificate_holders(
        &self,
        vendor: VendorId,
        certificate: Fingerprint,
        page: &PageRequest,
    ) -> DbResult<Page<HolderRow>>;

    /// Open findings, most urgent first, then by clinic.
    async fn list_findings(
        &self,
        vendor: VendorId,
        query: &FindingQuery,
        page: &PageRequest,
    ) -> DbResult<Page<FindingRow>>;

    /// The timeline of one host, newest first.
    async fn list_events(&self, vendor: VendorId, host: HostId, page: &PageRequest) -> DbResult<Page<Event>>;

    /// The figures of the overview, from rollups.
    async fn find_overview(&self, vendor: VendorId, now: Timestamp) -> DbResult<Overview>;

    /// How many installations expire on each day (Japan's calendar) from `first_day` on, from rollups. A day is counted
    /// from 1970-01-01; days without any are left out.
    async fn list_expiry_days(&self, vendor: VendorId, first_day: i32, days: u16) -> DbResult<Vec<ExpiryDay>>;

    /// For each prefecture in which the vendor has clinics: how many, and the worst open urgency.
    async fn list_prefectures(&self, vendor: VendorId) -> DbResult<Vec<PrefectureRow>>;
}

/// A clinic to create or change; the identifier counts only when the code is new.
#[derive(Clone, Debug)]
pub struct NewClinic {
    /// The identifier, if it turns out to be new.
    pub id: ClinicId,
    /// What it is.
    pub profile: ClinicProfile,
}

/// What an import changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ClinicChanges {
    /// New clinics.
    pub created: u32,
    /// Clinics with another profile than before.
    pub changed: u32,
    /// Clinics that stayed as they were.
    pub unchanged: u32,
}

/// Which clinics are wanted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClinicQuery {
    /// Words to find in code or name; folded by the database as [`crate::search::fold`] says.
    pub search: Option<String>,
    /// Of this kind.
    pub kind: Option<ClinicKind>,
    /// In this prefecture.
    pub prefecture: Option<Prefecture>,
}

/// A clinic with its numbers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClinicRow {
    /// The clinic.
    pub clinic: Clinic,
    /// PCs that are not retired.
    pub hosts: u64,
    /// The worst open urgency.
    pub worst: Option<Urgency>,
}

/// Which hosts are wanted. All conditions must hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HostQuery {
    /// Words to find in the host's name, or the clinic's name or code; each word must be found. Two characters are
    /// enough. Folded as [`crate::search::fold`] says.
    pub search: Option<String>,
    /// Of this clinic.
    pub clinic: Option<ClinicId>,
    /// In this prefecture.
    pub prefecture: Option<Prefecture>,
    /// With an open finding of this rule.
    pub rule: Option<Rule>,
    /// With an open finding of this urgency.
    pub urgency: Option<Urgency>,
    /// In this state; `None` leaves out only retired and banned ones.
    pub state: Option<HostState>,
    /// Not heard of since this moment.
    pub silent_since: Option<Timestamp>,
}

/// One row of the list of hosts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostRow {
    /// Which PC.
    pub id: HostId,
    /// Its name.
    pub name: String,
    /// Operating system in words.
    pub os: String,
    /// Version of the agent.
    pub agent_version: String,
    /// What it may do.
    pub state: HostState,
    /// Last sign of life.
    pub last_seen: Timestamp,
    /// The clinic.
    pub clinic: ClinicId,
    /// The clinic's name.
    pub clinic_name: String,
    /// The clinic's prefecture.
    pub prefecture: Prefecture,
    /// Installations.
    pub installations: u32,
    /// The soonest end of validity of its installations.
    pub next_expiry: Option<Timestamp>,
    /// Open findings.
    pub findings: u32,
    /// The worst open urgency.
    pub worst: Option<Urgency>,
}

/// One host in detail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostDetail {
    /// Which PC.
    pub id: HostId,
    /// The clinic.
    pub clinic: Clinic,
    /// What the PC says of itself.
    pub facts: HostFacts,
    /// What it may do.
    pub state: HostState,
    /// When it joined.
    pub enrolled_at: Timestamp,
    /// Last sign of life.
    pub last_seen: Timestamp,
    /// How far the PC's clock is ahead of the server's, in milliseconds.
    pub clock_offset_ms: i64,
    /// When its report last changed; `None` before the first report.
    pub reported_at: Option<Timestamp>,
    /// Last moment of its agent's identity.
    pub identity_not_after: Timestamp,
    /// The newest generation of its directives.
    pub generation: inkan_model::directive::Generation,
    /// The newest generation that the agent has journaled.
    pub applied_generation: inkan_model::directive::Generation,
    /// Open findings, most urgent first.
    pub findings: Vec<Diagnosis>,
}

/// One Location of a host in numbers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocationRow {
    /// Where.
    pub location: Location,
    /// The set that the last report named.
    pub set: SetDigest,
    /// Certificates in it.
    pub certificates: u32,
    /// Entries that could not be read.
    pub unreadable: u32,
    /// What kept the store from being read whole.
    pub errors: Vec<ReadError>,
    /// Since when it has been as it is.
    pub since: Timestamp,
}

/// One entry of a Location.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LocationEntry {
    /// A certificate.
    Certificate {
        /// Which certificate.
        certificate: Fingerprint,
        /// What it says; `None` when its DER could not be read.
        facts: Option<CertificateFacts>,
        /// Whether its key is there.
        key: KeyPresence,
        /// File name or friendly name.
        name: Option<String>,
        /// What else the store says about it.
        properties: EntryProperties,
    },
    /// Something that could not be read.
    Unreadable {
        /// SHA-256 of its bytes, where they could be read.
        sha256: Option<Fingerprint>,
        /// File name or friendly name.
        name: Option<String>,
        /// Why.
        why: String,
    },
}

/// Which installations are wanted. All conditions must hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct InstallationQuery {
    /// Of this host.
    pub host: Option<HostId>,
    /// Of this clinic.
    pub clinic: Option<ClinicId>,
    /// That end before this moment.
    pub expires_before: Option<Timestamp>,
    /// That end at or after this moment.
    pub expires_from: Option<Timestamp>,
    /// Words to find in subject, host or clinic. Folded as [`crate::search::fold`] says.
    pub search: Option<String>,
}

/// One installation with the names that a list shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InstallationRow {
    /// Which certificate.
    pub certificate: Fingerprint,
    /// What it says.
    pub facts: CertificateFacts,
    /// Where.
    pub location: Location,
    /// Whether its key is there.
    pub key: KeyPresence,
    /// File name or friendly name.
    pub name: Option<String>,
    /// Since when it has been there.
    pub first_seen: Timestamp,
    /// On which PC.
    pub host: HostId,
    /// The PC's name.
    pub host_name: String,
    /// The clinic.
    pub clinic: ClinicId,
    /// The clinic's name.
    pub clinic_name: String,
    /// The renewal that is live for it, if any.
    pub live_renewal: Option<inkan_model::RenewalId>,
}

/// A host that holds a certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HolderRow {
    /// Which PC.
    pub host: HostId,
    /// Its name.
    pub host_name: String,
    /// The clinic's name.
    pub clinic_name: String,
    /// Where on the PC.
    pub location: Location,
}

/// Which findings are wanted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FindingQuery {
    /// Of this rule.
    pub rule: Option<Rule>,
    /// Of this urgency.
    pub urgency: Option<Urgency>,
    /// Of this clinic.
    pub clinic: Option<ClinicId>,
    /// Of this host.
    pub host: Option<HostId>,
}

/// An open finding with the names that a worklist shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FindingRow {
    /// Which finding.
    pub id: FindingId,
    /// What is wrong.
    pub diagnosis: Diagnosis,
    /// Since when.
    pub opened_at: Timestamp,
    /// On which PC.
    pub host: HostId,
    /// The PC's name.
    pub host_name: String,
    /// At which clinic.
    pub clinic: Clinic,
    /// The renewal that is live for the certificate it is about, if any.
    pub live_renewal: Option<inkan_model::RenewalId>,
}

/// The figures of the overview.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Overview {
    /// Clinics.
    pub clinics: u64,
    /// PCs that are not retired.
    pub hosts: u64,
    /// PCs that wait for an operator's approval.
    pub report_only: u64,
    /// Certificates past their last moment.
    pub expired: u64,
    /// Certificates that end within 7 days.
    pub within_7: u64,
    /// Certificates that end within 30 days (those within 7 included).
    pub within_30: u64,
    /// Renewals that wait for a person or have failed.
    pub renewals_stuck: u64,
    /// Renewals that are not over.
    pub renewals_live: u64,
    /// PCs not heard of for 7 days or more.
    pub silent: u64,
    /// PCs with at least one finding of urgency "now".
    pub hosts_now: u64,
    /// PCs with no open finding at all.
    pub hosts_well: u64,
}

/// How many installations expire on one day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExpiryDay {
    /// Days since 1970-01-01 in Japan's calendar.
    pub day: i32,
    /// Installations.
    pub installations: u64,
}

/// One prefecture in numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PrefectureRow {
    /// Which.
    pub prefecture: Prefecture,
    /// Clinics there.
    pub clinics: u64,
    /// The worst open urgency there.
    pub worst: Option<Urgency>,
}
