//! What the last scan saw, ready to be reported and uploaded.

use std::collections::BTreeMap;

use inkan_model::digest::{SetDigest, StateDigest};
use inkan_model::host::HostFacts;
use inkan_model::store::{Location, StoreSet};
use inkan_model::sync::{HostReport, LocationState, state_digest};
use inkan_model::{Fingerprint, Timestamp};

use crate::scanner::Scan;

/// What the last scan saw.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The report by digests.
    pub report: HostReport,
    /// The digest of the whole report.
    pub state: StateDigest,
    /// The content behind each set's digest.
    pub sets: BTreeMap<SetDigest, StoreSet>,
    /// The bytes of each certificate.
    pub certificates: BTreeMap<Fingerprint, Vec<u8>>,
    /// When the scan ended, by the PC's clock.
    pub at: Timestamp,
}

impl Observed {
    /// Puts facts and a scan together.
    pub fn new(facts: HostFacts, scan: Scan, at: Timestamp) -> Self {
        let Scan { snapshots, certificates } = scan;
        let mut sets = BTreeMap::new();
        let mut locations: Vec<_> = snapshots
            .into_iter()
            .map(|snapshot| {
                let set = snapshot.set.digest();
                sets.insert(set, snapshot.set);
                LocationState { location: snapshot.location, set, errors: snapshot.errors }
            })
            .collect();
        locations.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        let report = HostReport { facts, locations };
        let certificates = certificates.into_iter().map(|(fingerprint, found)| (fingerprint, found.der)).collect();
        Self { state: state_digest(&report), report, sets, certificates, at }
    }

    /// Where a set was seen.
    pub(super) fn locations_of(&self, set: SetDigest) -> impl Iterator<Item = &Location> {
        self.report.locations.iter().filter(move |state| state.set == set).map(|state| &state.location)
    }
}
