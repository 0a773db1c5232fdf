//! What an operator may look at, bound to the operator's vendor, and what hosts may do.

use std::sync::Arc;

use inkan_model::checkup::Checkup;
use inkan_model::clinic::Clinic;
use inkan_model::event::Event;
use inkan_model::host::HostState;
use inkan_model::operator::{Operator, Permission, Vendor};
use inkan_model::renewal::Renewal;
use inkan_model::store::Location;
use inkan_model::{Certificate, CertificateFacts, ClinicId, Fingerprint, HostId, RenewalId, Timestamp, VendorId};

use crate::core::{Core, require};
use crate::error::Error;
use crate::feed::Change;
use crate::ports::{
    ClinicQuery, ClinicRow, Database, ExpiryDay, FindingQuery, FindingRow, HolderRow, HostDetail, HostQuery, HostRow,
    InstallationQuery, InstallationRow, LocationEntry, LocationRow, Overview, Page, PageRequest, PrefectureRow,
    RenewalQuery, RenewalRow,
};

/// Everything that one vendor's operators may look at. It cannot see another vendor, because it has no way to ask.
#[derive(Clone)]
pub struct FleetView {
    db: Arc<dyn Database>,
    vendor: VendorId,
}

impl FleetView {
    pub(crate) fn new(db: Arc<dyn Database>, vendor: VendorId) -> Self {
        Self { db, vendor }
    }

    /// The vendor itself.
    pub async fn vendor(&self) -> Result<Vendor, Error> {
        self.db.find_vendor(self.vendor).await?.ok_or(Error::NotFound { what: "vendor" })
    }

    /// The vendor's operators, by mail address.
    pub async fn operators(&self) -> Result<Vec<Operator>, Error> {
        Ok(self.db.list_operators(self.vendor).await?)
    }

    /// The figures of the overview.
    pub async fn overview(&self, now: Timestamp) -> Result<Overview, Error> {
        Ok(self.db.find_overview(self.vendor, now).await?)
    }

    /// Expiries by day; see [`crate::ports::Fleet::list_expiry_days`].
    pub async fn expiry_days(&self, first_day: i32, days: u16) -> Result<Vec<ExpiryDay>, Error> {
        Ok(self.db.list_expiry_days(self.vendor, first_day, days).await?)
    }

    /// Prefectures in numbers.
    pub async fn prefectures(&self) -> Result<Vec<PrefectureRow>, Error> {
        Ok(self.db.list_prefectures(self.vendor).await?)
    }

    /// Clinics, by code.
    pub async fn clinics(&self, query: &ClinicQuery, page: &PageRequest) -> Result<Page<ClinicRow>, Error> {
        Ok(self.db.list_clinics(self.vendor, query, page).await?)
    }

    /// One clinic.
    pub async fn clinic(&self, clinic: ClinicId) -> Result<Clinic, Error> {
        self.db.find_clinic(self.vendor, clinic).await?.ok_or(Error::NotFound { what: "clinic" })
    }

    /// One clinic, by its 10-digit code.
    pub async fn clinic_by_code(&self, code: &str) -> Result<Clinic, Error> {
        self.db.find_clinic_by_code(self.vendor, code).await?.ok_or(Error::NotFound { what: "clinic" })
    }

    /// Hosts, most urgent first.
    pub async fn hosts(&self, query: &HostQuery, page: &PageRequest) -> Result<Page<HostRow>, Error> {
        Ok(self.db.list_hosts(self.vendor, query, page).await?)
    }

    /// How many hosts there are.
    pub async fn host_count(&self, query: &HostQuery) -> Result<u64, Error> {
        Ok(self.db.count_hosts(self.vendor, query).await?)
    }

    /// One host.
    pub async fn host(&self, host: HostId) -> Result<HostDetail, Error> {
        self.db.find_host(self.vendor, host).await?.ok_or(Error::NotFound { what: "host" })
    }

    /// A host's Locations.
    pub async fn locations(&self, host: HostId) -> Result<Vec<LocationRow>, Error> {
        Ok(self.db.list_locations(self.vendor, host).await?)
    }

    /// What a Location holds.
    pub async fn location_entries(
        &self,
        host: HostId,
        location: &Location,
        page: &PageRequest,
    ) -> Result<Page<LocationEntry>, Error> {
        Ok(self.db.list_location_entries(self.vendor, host, location, page).await?)
    }

    /// Installations, soonest expiry first.
    pub async fn installations(
        &self,
        query: &InstallationQuery,
        page: &PageRequest,
    ) -> Result<Page<InstallationRow>, Error> {
        Ok(self.db.list_installations(self.vendor, query, page).await?)
    }

    /// How many installations there are.
    pub async fn installation_count(&self, query: &InstallationQuery) -> Result<u64, Error> {
        Ok(self.db.count_installations(self.vendor, query).await?)
    }

    /// A certificate that some host of the vendor holds.
    pub async fn certificate(&self, certificate: Fingerprint) -> Result<Certificate, Error> {
        let found = self.db.find_certificate(self.vendor, certificate).await?;
        found.ok_or(Error::NotFound { what: "certificate" })
    }

    /// Hosts that hold a certificate.
    pub async fn holders(&self, certificate: Fingerprint, page: &PageRequest) -> Result<Page<HolderRow>, Error> {
        Ok(self.db.list_certificate_holders(self.vendor, certificate, page).await?)
    }

    /// The issuers that a host holds for one of its certificates, nearest first, and whether they lead up to a root.
    pub async fn chain(
        &self,
        host: HostId,
        leaf: &CertificateFacts,
    ) -> Result<inkan_model::chain::Chain<CertificateFacts>, Error> {
        let observed = self.db.find_observation(host).await?.filter(|observed| observed.vendor == self.vendor);
        let observed = observed.ok_or(Error::NotFound { what: "host" })?;
        let found = inkan_model::chain::find_chain(leaf, &observed.issuers, |facts| facts);
        let links = found.links.into_iter().cloned().collect();
        Ok(inkan_model::chain::Chain { links, complete: found.complete })
    }

    /// Open findings, most urgent first.
    pub async fn findings(&self, query: &FindingQuery, page: &PageRequest) -> Result<Page<FindingRow>, Error> {
        Ok(self.db.list_findings(self.vendor, query, page).await?)
    }

    /// A host's timeline, newest first.
    pub async fn events(&self, host: HostId, page: &PageRequest) -> Result<Page<Event>, Error> {
        Ok(self.db.list_events(self.vendor, host, page).await?)
    }

    /// A host's checkups, newest first.
    pub(crate) async fn list_checkups(&self, host: HostId, limit: u16) -> Result<Vec<Checkup>, Error> {
        Ok(self.db.list_checkups(self.vendor, host, limit).await?)
    }

    /// Renewals, newest first.
    pub async fn renewals(&self, query: &RenewalQuery, page: &PageRequest) -> Result<Page<RenewalRow>, Error> {
        Ok(self.db.list_renewals(self.vendor, query, page).await?)
    }

    /// One renewal.
    pub async fn renewal(&self, renewal: RenewalId) -> Result<Renewal, Error> {
        let found = self.db.find_renewal(self.vendor, renewal).await?;
        found.map(|versioned| versioned.value).ok_or(Error::NotFound { what: "renewal" })
    }
}

impl Core {
    /// Changes what a host may do: approves, suspends, retires or bans it.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such host, or it is banned, which is for good.
    pub async fn set_host_state(&self, operator: &Operator, host: HostId, to: HostState) -> Result<(), Error> {
        require(operator, Permission::ChangeFleet)?;
        let found = self.db().find_host(operator.vendor, host).await?.ok_or(Error::NotFound { what: "host" })?;
        if found.state == HostState::Banned && to != HostState::Banned {
            return Err(Error::Conflict {
                why: "this host was banned; enrol the PC again with a new token".to_owned(),
            });
        }
        self.db().set_host_state(operator.vendor, host, to, operator.id, self.now()).await?;
        self.inner.feed.publish(Change { vendor: operator.vendor, host });
        self.review_host(host).await?;
        self.advance_host(host, Some(operator.id)).await
    }
}
