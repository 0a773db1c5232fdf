//! A PC with stores in memory whose disk and stores can end the agent between any two changes.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use inkan_model::store::{KeyPresence, Location, Scope, SetEntry, StoreKind, StoreSet};
use inkan_model::time::ManualClock;
use inkan_model::{EntryProperties, Fingerprint};
use inkan_trust_store::fake::FakeStore;
use inkan_trust_store::{
    Anchor, AnchorStore, ChangeError, Changed, Imported, KeyedCertificate, KeyedStore, Keyring, Reading, Removed,
    StoreBackend,
};
use zeroize::Zeroizing;

use crate::chance::SystemChance;
use crate::changes::record::Asker;
use crate::changes::{Changes, Ground};
use crate::disk::fake::EndAfter;
use crate::disk::{Disk, Gate as _};
use crate::testing::NOW;

/// An authority with its key, made once.
pub(super) struct Authority {
    pub(super) der: Vec<u8>,
    pkcs8: Vec<u8>,
}

pub(super) const AUTHORITIES: usize = 3;

pub(super) fn authority(number: usize) -> &'static Authority {
    static MADE: OnceLock<Vec<Authority>> = OnceLock::new();
    let make = |number: usize| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("authority {number}"));
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Authority { der: params.self_signed(&key).unwrap().der().to_vec(), pkcs8: key.serialize_der() }
    };
    &MADE.get_or_init(|| (0..AUTHORITIES).map(make).collect())[number]
}

impl Authority {
    pub(super) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.der)
    }

    pub(super) fn anchor(&self) -> Anchor {
        Anchor { der: self.der.clone(), name: Some("added".to_owned()), properties: EntryProperties::default() }
    }

    pub(super) fn keyed(&self) -> KeyedCertificate {
        KeyedCertificate { pkcs8: Zeroizing::new(self.pkcs8.clone()), chain: vec![self.der.clone()], name: None }
    }
}

pub(super) fn limited(anchor: Anchor) -> Anchor {
    let purposes = Some(vec!["1.3.6.1.5.5.7.3.1".to_owned()]);
    Anchor { properties: EntryProperties { purposes, ..anchor.properties }, ..anchor }
}

/// What every place holds; names are left out, because they are the stores' own affair.
pub(super) type Content = Vec<(Location, StoreSet)>;

/// The PC.
pub(super) struct Machine {
    pub(super) folder: tempfile::TempDir,
    pub(super) store: Arc<FakeStore>,
    pub(super) places: [Location; 2],
    pub(super) clock: Arc<ManualClock>,
    pub(super) gate: Arc<EndAfter>,
    pub(super) protected: BTreeSet<Fingerprint>,
    stores: Vec<Arc<dyn StoreBackend>>,
    gated: Arc<Gated>,
    disk: Disk,
}

impl Machine {
    pub(super) fn new() -> Self {
        let (store, first) = FakeStore::at("/first");
        let second = Location { path: "/second".to_owned(), ..first.clone() };
        store.add_location(second.clone());
        let (store, gate) = (Arc::new(store), Arc::new(EndAfter::never()));
        let gated = Gated { store: Arc::clone(&store), gate: Arc::clone(&gate), hidden: Mutex::default() };
        let gated = Arc::new(gated);
        Self {
            folder: tempfile::tempdir().unwrap(),
            store,
            places: [first, second],
            clock: Arc::new(ManualClock::new(NOW)),
            protected: BTreeSet::new(),
            stores: vec![Arc::clone(&gated) as Arc<dyn StoreBackend>],
            gated,
            disk: Disk::behind(Arc::clone(&gate) as Arc<_>),
            gate,
        }
    }

    pub(super) fn ground(&self) -> Ground<'_> {
        Ground {
            disk: &self.disk,
            data_dir: self.folder.path(),
            stores: &self.stores,
            clock: &*self.clock,
            chance: &SystemChance,
            protected: &self.protected,
        }
    }

    pub(super) fn open(&self) -> Changes<'_> {
        Changes::open(self.ground(), Duration::ZERO).unwrap().0
    }

    pub(super) fn asker() -> Asker {
        Asker::LocalOperator { log_on_name: "hanako".to_owned() }
    }

    /// A user's store appears.
    pub(super) fn log_on(&self) -> Location {
        let user = Location {
            kind: StoreKind::Nss,
            scope: Scope::User("taro".to_owned()),
            path: "/home/taro/profile".to_owned(),
        };
        self.store.add_location(user.clone());
        user
    }

    /// Users' stores are there no more, or again.
    pub(super) fn log_off(&self, off: bool) {
        *self.gated.hidden.lock().unwrap() = off;
    }

    pub(super) fn put_anchor(&self, place: usize, anchor: &Anchor) {
        self.store.add_anchor(&self.places[place], anchor).unwrap();
    }

    fn held(&self, place: usize, of: impl Fn(KeyPresence) -> bool) -> Vec<Fingerprint> {
        let entries = self.store.read(&self.places[place]).entries;
        let is_it = |entry: &SetEntry| matches!(entry, SetEntry::Certificate { key, .. } if of(*key));
        StoreSet::new(entries.into_iter().filter(is_it).collect()).certificates()
    }

    pub(super) fn anchors(&self, place: usize) -> Vec<Fingerprint> {
        self.held(place, |key| key == KeyPresence::NotExpected)
    }

    pub(super) fn with_keys(&self, place: usize) -> Vec<Fingerprint> {
        self.held(place, |key| key == KeyPresence::Present)
    }

    pub(super) fn content(&self) -> Content {
        let nameless = |entry: SetEntry| match entry {
            SetEntry::Certificate { certificate, key, name: _, properties } => {
                SetEntry::Certificate { certificate, key, name: None, properties }
            }
            unreadable @ SetEntry::Unreadable { .. } => unreadable,
        };
        let read = |location: Location| {
            let entries = self.store.read(&location).entries.into_iter().map(nameless).collect();
            (location, StoreSet::new(entries))
        };
        self.store.discover().into_iter().map(read).collect()
    }
}

/// The store, behind the same gate as the disk: each change may be cut off before it is made, and after.
struct Gated {
    store: Arc<FakeStore>,
    gate: Arc<EndAfter>,
    hidden: Mutex<bool>,
}

impl Gated {
    fn change<T>(&self, change: impl FnOnce() -> Result<T, ChangeError>) -> Result<T, ChangeError> {
        let failed = |cause| ChangeError::Io { step: "change the store".to_owned(), cause };
        self.gate.pass("store, before").map_err(failed)?;
        let changed = change()?;
        self.gate.pass("store, after").map_err(failed)?;
        Ok(changed)
    }
}

impl StoreBackend for Gated {
    fn discover(&self) -> Vec<Location> {
        let hidden = *self.hidden.lock().unwrap();
        let is_there = |location: &Location| !(hidden && matches!(location.scope, Scope::User(_)));
        self.store.discover().into_iter().filter(is_there).collect()
    }

    fn read(&self, location: &Location) -> Reading {
        self.store.read(location)
    }

    fn keyring(&self) -> Option<&dyn Keyring> {
        None
    }

    fn anchors(&self) -> Option<&dyn AnchorStore> {
        Some(self)
    }

    fn keyed(&self) -> Option<&dyn KeyedStore> {
        Some(self)
    }
}

impl AnchorStore for Gated {
    fn can_change(&self, location: &Location) -> Result<(), ChangeError> {
        self.store.can_change(location)
    }

    fn find_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Option<Anchor>, ChangeError> {
        self.store.find_anchor(location, certificate)
    }

    fn add_anchor(&self, location: &Location, anchor: &Anchor) -> Result<Changed, ChangeError> {
        self.change(|| self.store.add_anchor(location, anchor))
    }

    fn remove_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Changed, ChangeError> {
        self.change(|| self.store.remove_anchor(location, certificate))
    }
}

impl KeyedStore for Gated {
    fn import(&self, location: &Location, certificate: &KeyedCertificate) -> Result<Imported, ChangeError> {
        self.change(|| self.store.import(location, certificate))
    }

    fn remove(&self, location: &Location, certificate: Fingerprint) -> Result<Removed, ChangeError> {
        self.change(|| self.store.remove(location, certificate))
    }
}
