//! What operators look at and change. Tenancy is checked here: every statement names the vendor.

pub(in crate::sqlite) mod certificates;
pub(in crate::sqlite) mod clinics;
pub(in crate::sqlite) mod findings;
mod host_detail;
mod host_state;
pub(in crate::sqlite) mod hosts;
pub(in crate::sqlite) mod installations;
mod locations;
pub(in crate::sqlite) mod overview;
pub(in crate::sqlite) mod timeline;

use async_trait::async_trait;
use inkan_core::ports::{
    ClinicChanges, ClinicQuery, ClinicRow, DbResult, ExpiryDay, FindingQuery, FindingRow, Fleet, HolderRow, HostDetail,
    HostQuery, HostRow, InstallationQuery, InstallationRow, LocationEntry, LocationRow, NewClinic, Overview, Page,
    PageRequest, PrefectureRow,
};
use inkan_model::clinic::Clinic;
use inkan_model::event::Event;
use inkan_model::host::HostState;
use inkan_model::store::Location;
use inkan_model::{Certificate, ClinicId, Fingerprint, HostId, OperatorId, Timestamp, VendorId};
use tracing::instrument;

use super::SqliteDatabase;
use super::fault::At as _;
use super::statement::{Statement, like_pattern};

#[async_trait]
impl Fleet for SqliteDatabase {
    #[instrument(name = "db.clinic.record", level = "debug", skip_all)]
    async fn record_clinics(
        &self,
        vendor: VendorId,
        clinics: &[NewClinic],
        _now: Timestamp,
    ) -> DbResult<ClinicChanges> {
        let clinics = clinics.to_vec();
        let operation = self
            .writer
            .run("record clinics", move |db| Box::pin(async move { clinics::record(db, vendor, &clinics).await }));
        operation.await
    }

    #[instrument(name = "db.clinic.find", level = "debug", skip_all)]
    async fn find_clinic(&self, vendor: VendorId, clinic: ClinicId) -> DbResult<Option<Clinic>> {
        let step = "find a clinic";
        let mut db = self.reader().await.at(step)?;
        clinics::find(&mut db, vendor, clinic).await.at(step)
    }

    #[instrument(name = "db.clinic.find_by_code", level = "debug", skip_all)]
    async fn find_clinic_by_code(&self, vendor: VendorId, code: &str) -> DbResult<Option<Clinic>> {
        let step = "find a clinic by its code";
        let mut db = self.reader().await.at(step)?;
        clinics::find_by_code(&mut db, vendor, code).await.at(step)
    }

    #[instrument(name = "db.clinic.list", level = "debug", skip_all)]
    async fn list_clinics(
        &self,
        vendor: VendorId,
        query: &ClinicQuery,
        page: &PageRequest,
    ) -> DbResult<Page<ClinicRow>> {
        let step = "list clinics";
        let mut db = self.reader().await.at(step)?;
        clinics::list(&mut db, vendor, query, page).await.at(step)
    }

    #[instrument(name = "db.host.list", level = "debug", skip_all)]
    async fn list_hosts(&self, vendor: VendorId, query: &HostQuery, page: &PageRequest) -> DbResult<Page<HostRow>> {
        let step = "list hosts";
        let mut db = self.reader().await.at(step)?;
        hosts::list(&mut db, vendor, query, page).await.at(step)
    }

    #[instrument(name = "db.host.count", level = "debug", skip_all)]
    async fn count_hosts(&self, vendor: VendorId, query: &HostQuery) -> DbResult<u64> {
        let step = "count hosts";
        let mut db = self.reader().await.at(step)?;
        hosts::count(&mut db, vendor, query).await.at(step)
    }

    #[instrument(name = "db.host.find", level = "debug", skip_all)]
    async fn find_host(&self, vendor: VendorId, host: HostId) -> DbResult<Option<HostDetail>> {
        let step = "find a host";
        let mut db = self.snapshot().await.at(step)?;
        host_detail::find(&mut db, vendor, host).await.at(step)
    }

    #[instrument(name = "db.host.set_state", level = "debug", skip_all)]
    async fn set_host_state(
        &self,
        vendor: VendorId,
        host: HostId,
        to: HostState,
        by: OperatorId,
        now: Timestamp,
    ) -> DbResult<bool> {
        let operation = self.writer.run("change a host's state", move |db| {
            Box::pin(async move { host_state::set(db, vendor, host, to, by, now).await })
        });
        operation.await
    }

    #[instrument(name = "db.location.list", level = "debug", skip_all)]
    async fn list_locations(&self, vendor: VendorId, host: HostId) -> DbResult<Vec<LocationRow>> {
        let step = "list a host's locations";
        let mut db = self.reader().await.at(step)?;
        locations::list(&mut db, vendor, host).await.at(step)
    }

    #[instrument(name = "db.location.list_entries", level = "debug", skip_all)]
    async fn list_location_entries(
        &self,
        vendor: VendorId,
        host: HostId,
        location: &Location,
        page: &PageRequest,
    ) -> DbResult<Page<LocationEntry>> {
        let step = "list what a location holds";
        let mut db = self.snapshot().await.at(step)?;
        locations::list_entries(&mut db, vendor, host, location, page).await.at(step)
    }

    #[instrument(name = "db.installation.list", level = "debug", skip_all)]
    async fn list_installations(
        &self,
        vendor: VendorId,
        query: &InstallationQuery,
        page: &PageRequest,
    ) -> DbResult<Page<InstallationRow>> {
        let step = "list installations";
        let mut db = self.reader().await.at(step)?;
        installations::list(&mut db, vendor, query, page).await.at(step)
    }

    #[instrument(name = "db.installation.count", level = "debug", skip_all)]
    async fn count_installations(&self, vendor: VendorId, query: &InstallationQuery) -> DbResult<u64> {
        let step = "count installations";
        let mut db = self.snapshot().await.at(step)?;
        installations::count(&mut db, vendor, query).await.at(step)
    }

    #[instrument(name = "db.certificate.find", level = "debug", skip_all)]
    async fn find_certificate(&self, vendor: VendorId, certificate: Fingerprint) -> DbResult<Option<Certificate>> {
        let step = "find a certificate";
        let mut db = self.reader().await.at(step)?;
        certificates::find(&mut db, vendor, certificate).await.at(step)
    }

    #[instrument(name = "db.certificate.list_holders", level = "debug", skip_all)]
    async fn list_certificate_holders(
        &self,
        vendor: VendorId,
        certificate: Fingerprint,
        page: &PageRequest,
    ) -> DbResult<Page<HolderRow>> {
        let step = "list a certificate's holders";
        let mut db = self.snapshot().await.at(step)?;
        certificates::list_holders(&mut db, vendor, certificate, page).await.at(step)
    }

    #[instrument(name = "db.finding.list", level = "debug", skip_all)]
    async fn list_findings(
        &self,
        vendor: VendorId,
        query: &FindingQuery,
        page: &PageRequest,
    ) -> DbResult<Page<FindingRow>> {
        let step = "list findings";
        let mut db = self.reader().await.at(step)?;
        findings::list(&mut db, vendor, query, page).await.at(step)
    }

    #[instrument(name = "db.event.list", level = "debug", skip_all)]
    async fn list_events(&self, vendor: VendorId, host: HostId, page: &PageRequest) -> DbResult<Page<Event>> {
        let step = "list a host's timeline";
        let mut db = self.reader().await.at(step)?;
        timeline::list(&mut db, vendor, host, page).await.at(step)
    }

    #[instrument(name = "db.overview.find", level = "debug", skip_all)]
    async fn find_overview(&self, vendor: VendorId, now: Timestamp) -> DbResult<Overview> {
        let step = "find the overview's figures";
        let mut db = self.snapshot().await.at(step)?;
        overview::find(&mut db, vendor, now).await.at(step)
    }

    #[instrument(name = "db.expiry_day.list", level = "debug", skip_all)]
    async fn list_expiry_days(&self, vendor: VendorId, first_day: i32, days: u16) -> DbResult<Vec<ExpiryDay>> {
        let step = "list days of expiry";
        let mut db = self.reader().await.at(step)?;
        overview::list_expiry_days(&mut db, vendor, first_day, days).await.at(step)
    }

    #[instrument(name = "db.prefecture.list", level = "debug", skip_all)]
    async fn list_prefectures(&self, vendor: VendorId) -> DbResult<Vec<PrefectureRow>> {
        let step = "list prefectures";
        let mut db = self.reader().await.at(step)?;
        overview::list_prefectures(&mut db, vendor).await.at(step)
    }
}

/// Adds a condition for each word of a search: the column, which is folded, has the word somewhere.
fn push_search(statement: &mut Statement, column: &'static str, search: Option<&str>) {
    for word in search.map(inkan_core::search::words).unwrap_or_default() {
        statement.push(" AND ").push(column).push(" LIKE ").bind(like_pattern(&word)).push(" ESCAPE '\\'");
    }
}
