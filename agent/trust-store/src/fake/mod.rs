//! A store in memory, with switches for everything that goes wrong on real PCs. For the tests of whoever uses stores.
//!
//! It passes the same contract suite as the real ones.

mod anchors;
mod keyed;
mod keyring;

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use inkan_model::store::{KeyPresence, Location, ReadError, Scope, SetEntry, StoreKind};
use inkan_model::{Certificate, EntryProperties, Fingerprint, RenewalId};
use zeroize::Zeroizing;

use crate::{AnchorStore, ChangeError, KeyedStore, Keyring, Reading, StoreBackend};

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
    trouble: Option<Trouble>,
    limits_nothing: bool,
    application: Option<String>,
    holding: bool,
    panicking: bool,
    reads: usize,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Held {
    der: Vec<u8>,
    key: KeyPresence,
    name: Option<String>,
    properties: EntryProperties,
    renewal: Option<RenewalId>,
}

/// What goes wrong with each change of an anchor or of a certificate with its key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// There is no room: nothing is changed.
    DiskFull,
    /// The change is made, and reported as failed: a store that breaks its promise.
    FailsAfterwards,
    /// The change is reported as made, and is not: what a store that writes later does when it is cut off.
    LosesWrites,
    /// Only the person at the PC can allow it.
    NeedsUser,
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
        let (name, properties) = (name.map(str::to_owned), EntryProperties::default());
        let held = Held { der: der.to_vec(), key, name, properties, renewal: None };
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

    /// Lets each change of an anchor or of a certificate with its key go wrong from now on, or well again.
    pub fn trouble_changes(&self, trouble: Option<Trouble>) {
        self.lock().trouble = trouble;
    }

    /// Becomes a store that cannot limit what an anchor is good for.
    pub fn limit_nothing(&self) {
        self.lock().limits_nothing = true;
    }

    /// Says after each change that this application has to be started again, or stops saying so.
    pub fn run_application(&self, name: Option<&str>) {
        self.lock().application = name.map(str::to_owned);
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
        for Held { der, key, name, properties, renewal: _ } in state.locations.get(location).into_iter().flatten() {
            let certificate = Certificate::read(der.clone());
            let (sha256, name) = (certificate.fingerprint, name.clone());
            match &certificate.facts {
                Ok(_) => {
                    let (key, properties) = (*key, properties.clone());
                    reading.entries.push(SetEntry::Certificate { certificate: sha256, key, name, properties });
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

    fn anchors(&self) -> Option<&dyn AnchorStore> {
        Some(self)
    }

    fn keyed(&self) -> Option<&dyn KeyedStore> {
        Some(self)
    }
}

impl State {
    fn refuse(&self, location: &Location) -> Result<(), ChangeError> {
        match &self.refusal {
            Some(why) => Err(ChangeError::ReadOnly { location: location.clone(), why: why.clone() }),
            None => Ok(()),
        }
    }

    fn held(&self, location: &Location) -> Result<&Vec<Held>, ChangeError> {
        self.locations.get(location).ok_or_else(|| nowhere(location))
    }

    /// Replaces what is held at a Location, as far as the store is told to be well.
    fn replace(&mut self, location: &Location, held: Vec<Held>) -> Result<(), ChangeError> {
        let refused =
            |kind: std::io::ErrorKind| ChangeError::Io { step: format!("write {location}"), cause: kind.into() };
        match &self.trouble {
            Some(Trouble::DiskFull) => return Err(refused(std::io::ErrorKind::StorageFull)),
            Some(Trouble::LosesWrites) => return Ok(()),
            Some(Trouble::NeedsUser) => {
                let why = "the fake store was told to ask".to_owned();
                return Err(ChangeError::NeedsUser { location: location.clone(), why });
            }
            Some(Trouble::FailsAfterwards) | None => {}
        }
        *self.locations.get_mut(location).ok_or_else(|| nowhere(location))? = held;
        if self.trouble == Some(Trouble::FailsAfterwards) {
            return Err(refused(std::io::ErrorKind::Other));
        }
        Ok(())
    }
}

fn nowhere(location: &Location) -> ChangeError {
    ChangeError::ReadOnly { location: location.clone(), why: "there is no such place".to_owned() }
}
