//! A kind of store whose users' Locations are changed by their companions.
//!
//! Keys of a user are bound to that user's log-on: the service, which is another account, can see that they are there and
//! can neither use nor make one. So reading stays with the service, and changes of a user's Location go to the
//! companion of that user, or wait until that user is logged on. Directories are no such stores: there the service can do
//! by itself whatever can be done.

use std::sync::Arc;

use inkan_model::Fingerprint;
use inkan_model::store::{Location, Scope, StoreKind};
use inkan_trust_store::{
    Anchor, AnchorStore, ChangeError, Changed, Imported, KeyedCertificate, KeyedStore, Keyring, PrivateKey, Reading,
    Removed, RenewalSlot, StoreBackend,
};

use super::conversation::Conversation;
use super::registry::Companions;

/// A store of the service's, with companions for what only users can change.
pub struct UserStores {
    inner: Arc<dyn StoreBackend>,
    companions: Arc<Companions>,
}

/// Lets companions do in each of these stores what only users can.
pub fn with_companions(stores: Vec<Arc<dyn StoreBackend>>, companions: &Arc<Companions>) -> Vec<Arc<dyn StoreBackend>> {
    let wrapped =
        |inner| -> Arc<dyn StoreBackend> { Arc::new(UserStores { inner, companions: Arc::clone(companions) }) };
    stores.into_iter().map(wrapped).collect()
}

impl UserStores {
    /// The companion for a Location that only its user can change; `None` where the service does it.
    fn companion(&self, location: &Location) -> Result<Option<Arc<Conversation>>, ChangeError> {
        let (Scope::User(user), false) = (&location.scope, is_directory(location.kind)) else { return Ok(None) };
        let needed = || ChangeError::NeedsUser {
            location: location.clone(),
            why: format!("{user} is not logged on to this PC"),
        };
        self.companions.find(user).map(Some).ok_or_else(needed)
    }

    /// Where anchors of a Location are changed: by the service where it can, else by the user's companion.
    fn anchors_companion(&self, location: &Location) -> Result<Option<Arc<Conversation>>, ChangeError> {
        match inner_of(self.inner.anchors(), location)?.can_change(location) {
            Err(ChangeError::NeedsUser { .. }) => self.companion(location),
            Ok(()) | Err(_) => Ok(None),
        }
    }

    fn keyring_inside(&self, location: &Location) -> Result<&dyn Keyring, ChangeError> {
        inner_of(self.inner.keyring(), location)
    }
}

impl StoreBackend for UserStores {
    fn discover(&self) -> Vec<Location> {
        self.inner.discover()
    }

    fn read(&self, location: &Location) -> Reading {
        self.inner.read(location)
    }

    fn keyring(&self) -> Option<&dyn Keyring> {
        self.inner.keyring().map(|_| -> &dyn Keyring { self })
    }

    fn anchors(&self) -> Option<&dyn AnchorStore> {
        self.inner.anchors().map(|_| -> &dyn AnchorStore { self })
    }

    fn keyed(&self) -> Option<&dyn KeyedStore> {
        self.inner.keyed().map(|_| -> &dyn KeyedStore { self })
    }

    fn existing_key(
        &self,
        location: &Location,
        certificate: Fingerprint,
    ) -> Option<Result<Box<dyn PrivateKey>, ChangeError>> {
        match self.companion(location) {
            Ok(Some(companion)) => companion.existing_key(location, certificate),
            // Without its user, the store itself says what it can and cannot.
            Ok(None) | Err(_) => self.inner.existing_key(location, certificate),
        }
    }

    fn exposed_keys(&self, location: &Location) -> Vec<String> {
        self.inner.exposed_keys(location)
    }
}

impl Keyring for UserStores {
    fn ensure_key(&self, slot: &RenewalSlot) -> Result<Box<dyn PrivateKey>, ChangeError> {
        match self.companion(&slot.location)? {
            Some(companion) => companion.ensure_key(slot),
            None => self.keyring_inside(&slot.location)?.ensure_key(slot),
        }
    }

    fn install_beside(&self, slot: &RenewalSlot, chain: &[Vec<u8>]) -> Result<(), ChangeError> {
        match self.companion(&slot.location)? {
            Some(companion) => companion.install_beside(slot, chain),
            None => self.keyring_inside(&slot.location)?.install_beside(slot, chain),
        }
    }

    fn archive_old(&self, slot: &RenewalSlot, new: Fingerprint) -> Result<(), ChangeError> {
        match self.companion(&slot.location)? {
            Some(companion) => companion.archive_old(slot, new),
            None => self.keyring_inside(&slot.location)?.archive_old(slot, new),
        }
    }

    fn discard(&self, slot: &RenewalSlot) -> Result<(), ChangeError> {
        match self.companion(&slot.location)? {
            Some(companion) => companion.discard(slot),
            None => self.keyring_inside(&slot.location)?.discard(slot),
        }
    }
}

impl AnchorStore for UserStores {
    fn can_change(&self, location: &Location) -> Result<(), ChangeError> {
        match self.anchors_companion(location)? {
            Some(companion) => companion.can_change(location),
            None => inner_of(self.inner.anchors(), location)?.can_change(location),
        }
    }

    fn find_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Option<Anchor>, ChangeError> {
        inner_of(self.inner.anchors(), location)?.find_anchor(location, certificate)
    }

    fn add_anchor(&self, location: &Location, anchor: &Anchor) -> Result<Changed, ChangeError> {
        match self.anchors_companion(location)? {
            Some(companion) => companion.add_anchor(location, anchor),
            None => inner_of(self.inner.anchors(), location)?.add_anchor(location, anchor),
        }
    }

    fn remove_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Changed, ChangeError> {
        match self.anchors_companion(location)? {
            Some(companion) => companion.remove_anchor(location, certificate),
            None => inner_of(self.inner.anchors(), location)?.remove_anchor(location, certificate),
        }
    }
}

impl KeyedStore for UserStores {
    fn import(&self, location: &Location, certificate: &KeyedCertificate) -> Result<Imported, ChangeError> {
        match self.companion(location)? {
            Some(companion) => companion.import(location, certificate),
            None => inner_of(self.inner.keyed(), location)?.import(location, certificate),
        }
    }

    fn remove(&self, location: &Location, certificate: Fingerprint) -> Result<Removed, ChangeError> {
        match self.companion(location)? {
            Some(companion) => companion.remove(location, certificate),
            None => inner_of(self.inner.keyed(), location)?.remove(location, certificate),
        }
    }
}

const fn is_directory(kind: StoreKind) -> bool {
    matches!(kind, StoreKind::Directory | StoreKind::UserDirectory)
}

/// The store is offered only where the inner one has this, so the error is never seen.
fn inner_of<'s, S: ?Sized>(inner: Option<&'s S>, location: &Location) -> Result<&'s S, ChangeError> {
    inner.ok_or_else(|| ChangeError::ReadOnly { location: location.clone(), why: "it has no such change".to_owned() })
}
