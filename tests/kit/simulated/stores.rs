//! What a simulated PC holds, and how it tells the server.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, Result};
use inkan_model::host::HostFacts;
use inkan_model::limits;
use inkan_model::store::{Location, ReadError, SetEntry, StoreSet};
use inkan_model::sync::{HostReport, LocationState};
use inkan_model::{Fingerprint, SetDigest};
use inkan_wire::{Upload, UploadedDelta, UploadedSet, pb};
use prost::Message as _;

/// What a simulated PC holds.
#[derive(Clone, Debug, Default)]
pub struct Stores {
    locations: BTreeMap<Location, (StoreSet, Vec<ReadError>)>,
    certificates: HashMap<Fingerprint, Vec<u8>>,
    /// The sets that were here before, from which a change can be told.
    before: HashMap<SetDigest, SetDigest>,
    known: HashMap<SetDigest, StoreSet>,
}

impl Stores {
    /// Puts a store there, or changes what it holds. `certificates` are the bodies of what is new in it.
    pub fn put(&mut self, location: Location, entries: Vec<SetEntry>, certificates: Vec<Vec<u8>>) {
        self.put_with_errors(location, entries, certificates, Vec::new());
    }

    /// As [`Self::put`], for a store that could not be read whole.
    pub fn put_with_errors(
        &mut self,
        location: Location,
        entries: Vec<SetEntry>,
        certificates: Vec<Vec<u8>>,
        errors: Vec<ReadError>,
    ) {
        let set = StoreSet::new(entries);
        let digest = set.digest();
        if let Some((old, _)) = self.locations.get(&location) {
            self.before.insert(digest, old.digest());
        }
        self.known.insert(digest, set.clone());
        self.certificates.extend(certificates.into_iter().map(|der| (Fingerprint::of(&der), der)));
        self.locations.insert(location, (set, errors));
    }

    /// What a Location holds.
    pub fn entries(&self, location: &Location) -> Vec<SetEntry> {
        self.locations.get(location).map(|(set, _)| set.entries().to_vec()).unwrap_or_default()
    }

    /// Everything told by digest.
    pub fn report(&self, facts: HostFacts) -> HostReport {
        let state = |(location, (set, errors)): (&Location, &(StoreSet, Vec<ReadError>))| LocationState {
            location: location.clone(),
            set: set.digest(),
            errors: errors.clone(),
        };
        HostReport { facts, locations: self.locations.iter().map(state).collect() }
    }

    /// The messages of an upload: sets told by their change where there was one before, and bodies of certificates. Sets
    /// come after the certificates that they name, so that one stream is enough. `whole` tells sets whole, for a server
    /// that does not have what they changed from.
    ///
    /// # Errors
    /// When something is asked for that was never here.
    pub(super) fn messages(
        &self,
        sets: &[SetDigest],
        bodies: &[Fingerprint],
        whole: bool,
    ) -> Result<Vec<pb::UploadRequest>> {
        let mut messages = Vec::new();
        for part in bodies.chunks(limits::UPLOAD_ITEMS) {
            let body = |one| self.certificates.get(one).cloned().context("asked for an unknown certificate");
            let certificates = part.iter().map(body).collect::<Result<_>>()?;
            messages.push(Upload { certificates, ..Upload::default() }.into());
        }
        for digest in sets {
            let set = self.known.get(digest).context("asked for an unknown set")?;
            let base = self.before.get(digest).and_then(|before| self.known.get(before));
            let upload = match base.filter(|_| !whole) {
                Some(base) => {
                    let delta = set.delta_from(base);
                    Upload { deltas: vec![UploadedDelta { digest: *digest, delta }], ..Upload::default() }
                }
                None => Upload { sets: vec![UploadedSet::new(set.clone())], ..Upload::default() },
            };
            messages.push(upload.into());
        }
        Ok(messages)
    }

    /// Everything in one naive message, as a protocol without digests would send it each time; for comparison only.
    pub fn naive_bytes(&self, facts: HostFacts) -> usize {
        let report = pb::SyncRequest { report: Some(self.report(facts).into()), ..pb::SyncRequest::default() };
        let sets = self.locations.values().map(|(set, _)| UploadedSet::new(set.clone()).into()).collect();
        let certificates = self.certificates.values().cloned().collect();
        let contents = pb::UploadRequest { sets, certificates, ..pb::UploadRequest::default() };
        report.encoded_len() + contents.encoded_len()
    }
}
