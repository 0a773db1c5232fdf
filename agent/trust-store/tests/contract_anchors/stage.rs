//! A store with something in it that has to survive whatever is done beside it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inkan_model::store::{Location, SetEntry};
use inkan_model::{EntryProperties, Fingerprint};
use inkan_trust_store::{Anchor, AnchorStore, Reading, StoreBackend};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

/// Opens a store below a folder.
pub(crate) type Open = fn(&Path) -> Arc<dyn StoreBackend>;

/// How a kind of store is put to the test.
pub(crate) struct Instance {
    /// Its module's name.
    pub(crate) name: &'static str,
    /// Sets the stage below an empty folder: a store with at least this anchor in it, and better another one. `false` where
    /// a program is missing, which it has said loudly.
    pub(crate) prepare: fn(&Path, &Anchor) -> bool,
    /// Opens the store below that folder, as each process does for itself.
    pub(crate) open: Open,
    /// The place that is changed.
    pub(crate) location: fn(&dyn StoreBackend) -> Location,
    /// Opens the same as a store that must not be changed, where there is such a thing.
    pub(crate) open_read_only: Option<Open>,
    /// Makes a part of the store unreadable, where it has parts.
    pub(crate) damage: Option<fn(&Path)>,
    /// Whether all stages are one and the same store.
    pub(crate) is_shared: bool,
    /// How it limits what an anchor is good for.
    pub(crate) limits: Limits,
}

/// How a kind of store limits what an anchor is good for.
#[cfg_attr(windows, expect(dead_code, reason = "those that limit otherwise are not on Windows"))]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Limits {
    /// Not at all.
    No,
    /// To servers, by what it trusts the anchor for.
    ByTrust,
    /// By properties of the entry.
    ByProperty,
}

/// The only Location of a store.
pub(crate) fn only_location(store: &dyn StoreBackend) -> Location {
    let found = store.discover();
    let [one] = found.as_slice() else { panic!("one location is expected: {found:?}") };
    one.clone()
}

/// Whether these programs are here. What is missing is said loudly, and is a failure in CI.
#[cfg(unix)]
pub(crate) fn have(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<std::path::PathBuf> =
        std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).collect();
    let is_there = |program: &str| folders.iter().any(|folder| folder.join(program).is_file());
    let missing: Vec<_> = programs.iter().filter(|program| !is_there(program)).collect();
    if !missing.is_empty() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing:?} are not installed, and this is CI");
        eprintln!("SKIPPED: {missing:?} are not installed");
    }
    missing.is_empty()
}

/// A stage that is set.
pub(crate) struct Stage {
    pub(crate) instance: &'static Instance,
    pub(crate) store: Arc<dyn StoreBackend>,
    pub(crate) location: Location,
    prior: Anchor,
    root: tempfile::TempDir,
    _alone: Option<MutexGuard<'static, ()>>,
}

/// Held by the stage whose store is that of all others.
static ALONE: Mutex<()> = Mutex::new(());

impl Stage {
    /// Sets the stage, unless a program is missing.
    pub(crate) fn set(instance: &'static Instance) -> Option<Self> {
        let alone = instance.is_shared.then(|| ALONE.lock().unwrap_or_else(PoisonError::into_inner));
        let (root, prior) = (tempfile::tempdir().unwrap(), anchor("Prior Root"));
        if !(instance.prepare)(root.path(), &prior) {
            return None;
        }
        let store = (instance.open)(root.path());
        let location = (instance.location)(&*store);
        let stage = Self { instance, store, location, prior, root, _alone: alone };
        assert!(stage.holds(stage.prior.fingerprint()), "there is something that has to survive");
        Some(stage)
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn anchors(&self) -> &dyn AnchorStore {
        self.store.anchors().unwrap()
    }

    pub(crate) fn read(&self) -> Reading {
        self.store.read(&self.location)
    }

    /// Everything that is there, sorted. Names are the store's own affair.
    pub(crate) fn content(&self) -> Vec<SetEntry> {
        self.content_without(&[])
    }

    /// Everything that is there but these, sorted.
    pub(crate) fn content_without(&self, without: &[Fingerprint]) -> Vec<SetEntry> {
        let reading = self.read();
        assert_eq!(reading.errors, []);
        nameless(reading, without)
    }

    pub(crate) fn holds(&self, certificate: Fingerprint) -> bool {
        let found = self.anchors().find_anchor(&self.location, certificate).unwrap().is_some();
        assert_eq!(found, lists(&self.read(), certificate), "what is found and what is read are the same");
        found
    }

    /// An anchor that was there before, as it was found there.
    pub(crate) fn prior(&self) -> Anchor {
        self.anchors().find_anchor(&self.location, self.prior.fingerprint()).unwrap().unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.instance.is_shared {
            // A test that failed has more to say than this.
            let _ = self.anchors().remove_anchor(&self.location, self.prior.fingerprint());
        }
    }
}

/// Says what came and what went, where a store may hold hundreds of entries.
#[track_caller]
pub(crate) fn assert_same(now: &[SetEntry], before: &[SetEntry], when: &str) {
    let missing = |from: &[SetEntry], of: &[SetEntry]| -> Vec<SetEntry> {
        of.iter().filter(|entry| !from.contains(entry)).cloned().collect()
    };
    let (came, went) = (missing(before, now), missing(now, before));
    assert!(came.is_empty() && went.is_empty() && now.len() == before.len(), "{when}: came {came:?}, went {went:?}");
}

pub(crate) fn nameless(reading: Reading, without: &[Fingerprint]) -> Vec<SetEntry> {
    let one = |entry: SetEntry| match entry {
        SetEntry::Certificate { certificate, .. } if without.contains(&certificate) => None,
        SetEntry::Certificate { certificate, key, name: _, properties } => {
            Some(SetEntry::Certificate { certificate, key, name: None, properties })
        }
        unreadable @ SetEntry::Unreadable { .. } => Some(unreadable),
    };
    let mut entries: Vec<_> = reading.entries.into_iter().filter_map(one).collect();
    entries.sort_unstable();
    entries
}

pub(crate) fn lists(reading: &Reading, certificate: Fingerprint) -> bool {
    let is_it = |entry: &SetEntry| matches!(entry, SetEntry::Certificate { certificate: c, .. } if *c == certificate);
    reading.entries.iter().any(is_it)
}

/// A new authority, to be trusted without limits.
pub(crate) fn anchor(name: &str) -> Anchor {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
    Anchor { der, name: Some(name.to_owned()), properties: EntryProperties::default() }
}
