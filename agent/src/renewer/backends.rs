//! The stores of this PC, found through the backends of its operating system.

use std::sync::Arc;

use inkan_model::store::Location;
use inkan_model::{Certificate, Fingerprint};
use inkan_trust_store::{Keyring, StoreBackend};

use super::Stores;

/// Every backend of this operating system.
#[derive(Clone)]
pub struct Backends(Vec<Arc<dyn StoreBackend>>);

impl Backends {
    /// Takes the backends.
    pub fn new(backends: Vec<Arc<dyn StoreBackend>>) -> Self {
        Self(backends)
    }

    fn of(&self, location: &Location) -> impl Iterator<Item = &Arc<dyn StoreBackend>> {
        // A Location is used only where a backend finds it by itself now: a path from outside is never opened.
        self.0.iter().filter(move |backend| backend.discover().contains(location))
    }
}

impl Stores for Backends {
    fn find_certificate(&self, location: &Location, certificate: Fingerprint) -> Option<Certificate> {
        let read = |backend: &Arc<dyn StoreBackend>| backend.read(location).certificates;
        self.of(location).flat_map(read).find(|found| found.fingerprint == certificate)
    }

    fn find_keyring(&self, location: &Location) -> Option<&dyn Keyring> {
        self.of(location).find_map(|backend| backend.keyring())
    }
}
