//! The machine's own certificates on a PC that tests may change: one test at a time, without what stood there before.

use std::sync::{Condvar, Mutex, PoisonError};

use inkan_model::Fingerprint;
use inkan_model::store::{Location, Scope, SetEntry, StoreKind};
use inkan_trust_store::windows::WindowsStores;
use inkan_trust_store::{KeyedStore, Keyring, Reading, StoreBackend, pkcs12};

const OLD: &[u8] = include_bytes!("../fixtures/pkcs12/aes.p12");

/// Whether one of the tests is at work.
static AT_WORK: Mutex<bool> = Mutex::new(false);
static LEFT: Condvar = Condvar::new();

/// The real stores as one test sees them. What it put there goes with it.
pub(crate) struct RealStores {
    stores: WindowsStores,
    location: Location,
    before: Vec<SetEntry>,
}

impl RealStores {
    /// Puts an old certificate with its key there. `None` where the PC's stores may not be changed.
    #[expect(clippy::print_stdout, reason = "a test that did nothing says so")]
    pub(crate) fn prepare() -> Option<(Self, Location, Fingerprint)> {
        let set = |name: &str| std::env::var_os(name).is_some();
        if !set("WINEPREFIX") && !set("INKAN_TESTS_CHANGE_THIS_PC") {
            assert!(!set("CI"), "CI must run this under Wine or set INKAN_TESTS_CHANGE_THIS_PC");
            println!("SKIPPED: this test changes the PC's own stores; set INKAN_TESTS_CHANGE_THIS_PC to allow that");
            return None;
        }
        let mut at_work = AT_WORK.lock().unwrap_or_else(PoisonError::into_inner);
        while *at_work {
            at_work = LEFT.wait(at_work).unwrap_or_else(PoisonError::into_inner);
        }
        *at_work = true;
        drop(at_work);
        let location = Location { kind: StoreKind::WindowsStore, scope: Scope::Machine, path: "MY".to_owned() };
        let stores = WindowsStores::default();
        let old = pkcs12::open(OLD, "1234").unwrap().remove(0);
        let fingerprint = Fingerprint::of(&old.chain[0]);
        stores.remove(&location, fingerprint).unwrap();
        let prepared = Self { before: stores.read(&location).entries, stores, location: location.clone() };
        prepared.stores.import(&location, &old).unwrap();
        Some((prepared, location, fingerprint))
    }
}

impl Drop for RealStores {
    fn drop(&mut self) {
        let old = pkcs12::open(OLD, "1234").unwrap().remove(0);
        let here = self.read(&self.location).entries.into_iter().filter_map(|entry| match entry {
            SetEntry::Certificate { certificate, .. } => Some(certificate),
            SetEntry::Unreadable { .. } => None,
        });
        // The old one is not among them when it is archived.
        for certificate in here.chain([Fingerprint::of(&old.chain[0])]) {
            let _ = self.stores.remove(&self.location, certificate);
        }
        *AT_WORK.lock().unwrap_or_else(PoisonError::into_inner) = false;
        LEFT.notify_one();
    }
}

impl StoreBackend for RealStores {
    fn discover(&self) -> Vec<Location> {
        vec![self.location.clone()]
    }

    fn read(&self, location: &Location) -> Reading {
        let mut reading = self.stores.read(location);
        reading.entries.retain(|entry| !self.before.contains(entry));
        reading
    }

    fn keyring(&self) -> Option<&dyn Keyring> {
        self.stores.keyring()
    }
}
