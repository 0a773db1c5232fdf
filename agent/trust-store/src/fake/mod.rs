//! A store in memory, with switches for everything that goes wrong on real PCs. For the tests of whoever uses stores.
//!
//! It passes the same contract suite as the real ones.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use inkan_model::store::{KeyPresence, Location, ReadError, Scope, SetEntry, StoreKind};
use inkan_model::{Certificate, Fingerprint, RenewalId};
use zeroize::Zeroizing;

use crate::p256::{SoftwareKey, crypto};
use crate::{ChangeError, Keyring, PrivateKey, Reading, RenewalSlot, StoreBackend};

/// A store in memory with one or more Locations.
#[derive(Default)]
pub struct FakeStore {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Default)]
struct State {
    locations: BTreeMap<Location, Vec<Held>>,
    archive: Vec<Fingerprint>,
    keys: BTreeMap<RenewalId, Zeroizing<String>>,
    finished: BTreeMap<RenewalId, Fingerprint>,
    read_errors: Vec<ReadError>,
    refusal: Option<String>,
    holding: bool,
    panicking: bool,
    reads: usize,
}

#[derive(Clone)]
struct Held {
    der: Vec<u8>,
    key: KeyPresence,
    name: Option<String>,
    renewal: Option<RenewalId>,
}

impl Held {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.der)
    }
}

impl FakeStore {
    /// A store with one empty Location of this path, of the machine.
    pub fn at(path: &str) -> (Self, Location) {
        let location = Location { kind: StoreKind::Directory, scope: Scope::Machine, path: path.to_owned() };
        let store = Self::default();
        store.add_location(location.clone());
        (store, location)
    }

    /// Adds an empty Location.
    pub fn add_location(&self, location: Location) {
        self.lock().locations.entry(location).or_default();
    }

    /// Puts a certificate (or what should be one) at a Location.
    pub fn put(&self, location: &Location, der: &[u8], key: KeyPresence, name: Option<&str>) {
        let held = Held { der: der.to_vec(), key, name: name.map(str::to_owned), renewal: None };
        self.lock().locations.entry(location.clone()).or_default().push(held);
    }

    /// Takes a certificate away, as somebody at the PC would.
    pub fn take_away(&self, location: &Location, certificate: Fingerprint) {
        if let Some(held) = self.lock().locations.get_mut(location) {
            held.retain(|held| held.fingerprint() != certificate);
        }
    }

    /// Adds these errors to each reading from now on.
    pub fn fail_reads_with(&self, errors: Vec<ReadError>) {
        self.lock().read_errors = errors;
    }

    /// Refuses each change from now on, or stops refusing.
    pub fn refuse_changes(&self, why: Option<&str>) {
        self.lock().refusal = why.map(str::to_owned);
    }

    /// Lets each reading wait from now on, until [`Self::release_reads`].
    pub fn hold_reads(&self) {
        self.lock().holding = true;
    }

    /// Lets waiting readings go on.
    pub fn release_reads(&self) {
        self.lock().holding = false;
        self.released.notify_all();
    }

    /// Lets each reading panic from now on.
    pub fn panic_on_read(&self) {
        self.lock().panicking = true;
    }

    /// How many readings were begun.
    pub fn reads(&self) -> usize {
        self.lock().reads
    }

    /// The certificates that were archived, oldest first.
    pub fn archived(&self) -> Vec<Fingerprint> {
        self.lock().archive.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoreBackend for FakeStore {
    fn discover(&self) -> Vec<Location> {
        self.lock().locations.keys().cloned().collect()
    }

    fn read(&self, location: &Location) -> Reading {
        let mut state = self.lock();
        state.reads += 1;
        assert!(!state.panicking, "the fake store was told to panic");
        while state.holding {
            state = self.released.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let mut reading = Reading { errors: state.read_errors.clone(), ..Reading::default() };
        for Held { der, key, name, .. } in state.locations.get(location).into_iter().flatten() {
            let certificate = Certificate::read(der.clone());
            let (sha256, name) = (certificate.fingerprint, name.clone());
            match &certificate.facts {
                Ok(_) => {
                    reading.entries.push(SetEntry::certificate(sha256, *key, name));
                    reading.certificates.push(certificate);
                }
                Err(error) => {
                    reading.entries.push(SetEntry::Unreadable { sha256: Some(sha256), name, why: error.why.clone() });
                }
            }
        }
        reading.certificates.sort_by_key(|certificate| certificate.fingerprint);
        reading.certificates.dedup_by_key(|certificate| certificate.fingerprint);
        reading
    }

    fn keyring(&self) -> Option<&dyn Keyring> {
        Some(self)
    }
}

impl State {
    fn refuse(&self, slot: &RenewalSlot) -> Result<(), ChangeError> {
        match &self.refusal {
            Some(why) => Err(ChangeError::ReadOnly { location: slot.location.clone(), why: why.clone() }),
            None => Ok(()),
        }
    }

    fn old_is_there(&self, slot: &RenewalSlot) -> Result<(), ChangeError> {
        let mut held = self.locations.get(&slot.location).into_iter().flatten();
        if held.any(|held| held.fingerprint() == slot.old) {
            Ok(())
        } else {
            Err(ChangeError::Missing { certificate: slot.old, location: slot.location.clone() })
        }
    }

    fn installed(&mut self, slot: &RenewalSlot) -> Option<&mut Held> {
        let held = self.locations.get_mut(&slot.location)?;
        held.iter_mut().find(|held| held.renewal == Some(slot.renewal))
    }
}

impl Keyring for FakeStore {
    fn ensure_key(&self, slot: &RenewalSlot) -> Result<Box<dyn PrivateKey>, ChangeError> {
        let mut state = self.lock();
        state.refuse(slot)?;
        if !state.keys.contains_key(&slot.renewal) {
            state.old_is_there(slot)?;
            let (_, pem) = SoftwareKey::generate()?;
            state.keys.insert(slot.renewal, pem);
        }
        let pem = state.keys.get(&slot.renewal).ok_or_else(|| crypto("no key was made"))?;
        Ok(Box::new(SoftwareKey::from_pem(pem.as_bytes())?))
    }

    fn install_beside(&self, slot: &RenewalSlot, chain: &[Vec<u8>]) -> Result<(), ChangeError> {
        let mut state = self.lock();
        state.refuse(slot)?;
        let leaf = Certificate::read(chain.first().cloned().unwrap_or_default());
        let facts = leaf.facts.map_err(|error| crypto(error.to_string()))?;
        if state.finished.get(&slot.renewal) == Some(&leaf.fingerprint) {
            return Ok(());
        }
        state.old_is_there(slot)?;
        let key = state.keys.get(&slot.renewal).ok_or_else(|| crypto("no key was made for this renewal"))?;
        if !SoftwareKey::from_pem(key.as_bytes())?.belongs_to(&facts.spki_sha256) {
            return Err(crypto("the new certificate is not for the key of this renewal"));
        }
        let renewed = Held {
            der: leaf.der,
            key: KeyPresence::Present,
            name: Some(format!("{}.pem", slot.renewal)),
            renewal: Some(slot.renewal),
        };
        match state.installed(slot) {
            Some(held) => *held = renewed,
            None => state.locations.entry(slot.location.clone()).or_default().push(renewed),
        }
        Ok(())
    }

    fn archive_old(&self, slot: &RenewalSlot, new: Fingerprint) -> Result<(), ChangeError> {
        let mut state = self.lock();
        state.refuse(slot)?;
        if state.finished.get(&slot.renewal) == Some(&new) {
            return Ok(());
        }
        state.old_is_there(slot)?;
        match state.installed(slot) {
            Some(held) if held.fingerprint() == new => held.renewal = None,
            Some(_) | None => {
                let why = "the new certificate is not installed beside the old one".to_owned();
                return Err(ChangeError::NotConfirmed { location: slot.location.clone(), why });
            }
        }
        if let Some(held) = state.locations.get_mut(&slot.location) {
            held.retain(|held| held.fingerprint() != slot.old);
        }
        state.archive.push(slot.old);
        state.finished.insert(slot.renewal, new);
        Ok(())
    }

    fn discard(&self, slot: &RenewalSlot) -> Result<(), ChangeError> {
        let mut state = self.lock();
        state.refuse(slot)?;
        if !state.finished.contains_key(&slot.renewal) {
            state.keys.remove(&slot.renewal);
            if let Some(held) = state.locations.get_mut(&slot.location) {
                held.retain(|held| held.renewal != Some(slot.renewal));
            }
        }
        Ok(())
    }
}
