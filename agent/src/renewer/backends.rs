//! The stores of this PC, found through the backends of its operating system.

use std::sync::Arc;

use inkan_model::store::Location;
use inkan_model::{Certificate, Fingerprint};
use inkan_trust_store::{Keyring, StoreBackend};

use super::Stores;
use crate::scanner::find_keyring;

/// Every backend of this operating system.
#[derive(Clone)]
pub struct Backends(Vec<Arc<dyn StoreBackend>>);

impl Backends {
    /// Takes the backends.
    pub fn new(backends: Vec<Arc<dyn StoreBackend>>) -> Self {
        Self(backends)
    }
}

impl Stores for Backends {
    /// A Location is read only where a backend finds it by itself now: a path from outside is never opened.
    fn find_certificate(&self, location: &Location, certificate: Fingerprint) -> Option<Certificate> {
        let holds = self.0.iter().filter(|backend| backend.discover().contains(location));
        holds.flat_map(|backend| backend.read(location).certificates).find(|found| found.fingerprint == certificate)
    }

    fn find_keyring(&self, location: &Location) -> Option<&dyn Keyring> {
        find_keyring(&self.0, location)
    }
}
