//! A PC whose disk and stores can end the agent between any two changes, and start it again with what is left.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use inkan_model::directive::ProbeTarget;
use inkan_model::renewal::ProbeResult;
use inkan_model::store::{KeyPresence, Location};
use inkan_model::time::ManualClock;
use inkan_model::{Certificate, Clock, Fingerprint, HostId};
use inkan_trust_store::fake::FakeStore;
use inkan_trust_store::{ChangeError, Keyring, PrivateKey, Reading, RenewalSlot, StoreBackend};

use super::NOW;
use crate::disk::fake::EndAfter;
use crate::disk::{Disk, Gate as _};
use crate::ledger::Ledger;
use crate::reconciler::Reconciler;
use crate::renewer::{Prober, Renewer, Stores};
use crate::spool::Spool;

/// A PC with one store and a data directory.
pub(crate) struct Pc {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Arc<FakeStore>,
    pub(crate) location: Location,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) prober: Arc<ScriptedProber>,
}

impl Pc {
    pub(crate) fn new() -> Self {
        let (store, location) = FakeStore::at("/etc/clinic");
        Self {
            folder: tempfile::tempdir().unwrap(),
            store: Arc::new(store),
            location,
            clock: Arc::new(ManualClock::new(NOW)),
            prober: Arc::default(),
        }
    }

    pub(crate) const fn host() -> HostId {
        HostId::from_uuid(uuid::Uuid::from_u128(7))
    }

    /// Puts a certificate with its key into the store.
    pub(crate) fn hold(&self, der: &[u8]) -> Fingerprint {
        self.store.put(&self.location, der, KeyPresence::Present, Some("clinic.pem"));
        Fingerprint::of(der)
    }

    /// The certificates in the store.
    pub(crate) fn held(&self) -> Vec<Fingerprint> {
        self.store.read(&self.location).certificates.iter().map(|held| held.fingerprint).collect()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a reconciler on what is on the disk. Nothing passes any more once the gate has ended.
    pub(crate) fn start(&self, gate: &Arc<EndAfter>) -> Result<Reconciler, Box<dyn std::error::Error>> {
        let disk = Disk::behind(Arc::clone(gate) as Arc<_>);
        let ledger = Ledger::open(disk.clone(), &self.path("ledger.json"), Self::host(), self.clock.now())?;
        let spool = Spool::open(disk, Path::new(&self.path("spool")), self.clock.now())?;
        let stores = GatedStores { store: Arc::clone(&self.store), gate: Arc::clone(gate) };
        let renewer = Renewer::new(Arc::new(stores), Arc::clone(&self.prober) as Arc<dyn Prober>);
        Ok(Reconciler::new(ledger, spool, renewer, Arc::clone(&self.clock) as Arc<dyn Clock>))
    }

    /// As [`Self::start`], on a disk that never fails.
    pub(crate) fn start_well(&self) -> Reconciler {
        self.start(&Arc::new(EndAfter::never())).unwrap()
    }
}

/// The store, behind the same gate as the disk: each change may be cut off before it is made, and after.
struct GatedStores {
    store: Arc<FakeStore>,
    gate: Arc<EndAfter>,
}

impl GatedStores {
    fn change<T>(&self, change: impl FnOnce() -> Result<T, ChangeError>) -> Result<T, ChangeError> {
        let failed = |cause| ChangeError::Io { step: "change the store".to_owned(), cause };
        self.gate.pass("store, before").map_err(failed)?;
        let changed = change()?;
        self.gate.pass("store, after").map_err(failed)?;
        Ok(changed)
    }
}

impl Stores for GatedStores {
    fn find_certificate(&self, location: &Location, certificate: Fingerprint) -> Option<Certificate> {
        let Reading { certificates, .. } = self.store.read(location);
        certificates.into_iter().find(|found| found.fingerprint == certificate)
    }

    fn find_keyring(&self, location: &Location) -> Option<&dyn Keyring> {
        self.store.discover().contains(location).then_some(self)
    }
}

impl Keyring for GatedStores {
    fn ensure_key(&self, slot: &RenewalSlot) -> Result<Box<dyn PrivateKey>, ChangeError> {
        self.change(|| self.store.ensure_key(slot))
    }

    fn install_beside(&self, slot: &RenewalSlot, chain: &[Vec<u8>]) -> Result<(), ChangeError> {
        self.change(|| self.store.install_beside(slot, chain))
    }

    fn archive_old(&self, slot: &RenewalSlot, new: Fingerprint) -> Result<(), ChangeError> {
        self.change(|| self.store.archive_old(slot, new))
    }

    fn discard(&self, slot: &RenewalSlot) -> Result<(), ChangeError> {
        self.change(|| self.store.discard(slot))
    }
}

/// Says what it was told to say, and counts.
#[derive(Default)]
pub(crate) struct ScriptedProber {
    pub(crate) refusal: Mutex<Option<String>>,
    pub(crate) probes: Mutex<usize>,
}

impl Prober for ScriptedProber {
    fn probe(&self, target: &ProbeTarget, _chain: &[Vec<u8>], _key: Arc<dyn PrivateKey>) -> ProbeResult {
        *self.probes.lock().unwrap() += 1;
        let refusal = self.refusal.lock().unwrap().clone();
        let detail = refusal.clone().unwrap_or_else(|| "TLSv1_3".to_owned());
        ProbeResult { target: target.host.clone(), accepted: refusal.is_none(), detail }
    }
}
