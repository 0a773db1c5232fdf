//! Planning of Uploads, pure: what to send of what the server lacks, in messages that it takes.

use std::collections::BTreeSet;

use inkan_model::digest::SetDigest;
use inkan_model::limits;
use inkan_model::store::{SetEntry, StoreSet};
use inkan_model::sync::Lacks;
use inkan_model::{EntryProperties, Fingerprint};
use inkan_wire::{Upload, UploadedDelta, UploadedSet};

use super::{Acknowledged, Observed};

/// Bytes of one message: below the mebibyte that the server reads, with room for what frames cost.
const MESSAGE: usize = 900 * 1024;
/// Bytes of one stream.
const STREAM: usize = limits::UPLOAD_BYTES - MESSAGE;

/// Certificates of one delta that are sent before they are asked for.
const NEWCOMERS: usize = 8;

/// What to send in one stream.
#[derive(Debug, Default)]
pub(super) struct UploadPlan {
    pub(super) messages: Vec<Upload>,
    /// What is asked for and did not fit; the next stream brings it.
    pub(super) left: Lacks,
    /// Things that are asked for and are no longer on this PC.
    pub(super) gone: usize,
}

/// Plans one stream. A set is sent as what changed from the one that the server took last at the same Location, unless
/// that is no shorter, or the server has said already that it does not know that one (`whole`).
pub(super) fn plan_upload(
    lacks: &Lacks,
    observed: &Observed,
    acknowledged: &Acknowledged,
    whole: &BTreeSet<SetDigest>,
) -> UploadPlan {
    let mut packing = Packing::default();
    for digest in &lacks.sets {
        match observed.sets.get(digest) {
            None => packing.plan.gone += 1,
            Some(_) if packing.is_full() => packing.plan.left.sets.push(*digest),
            Some(set) => packing.add_set(*digest, set, observed, acknowledged, whole.contains(digest)),
        }
    }
    for fingerprint in &lacks.certificates {
        match observed.certificates.get(fingerprint) {
            None => packing.plan.gone += 1,
            Some(_) if packing.is_full() => packing.plan.left.certificates.push(*fingerprint),
            Some(der) => packing.add(der.len() + 8).certificates.push(der.clone()),
        }
    }
    packing.finish()
}

#[derive(Default)]
struct Packing {
    plan: UploadPlan,
    message: Upload,
    items: usize,
    bytes: usize,
    total: usize,
}

impl Packing {
    fn is_full(&self) -> bool {
        self.total >= STREAM
    }

    /// Where to put an item of so many bytes.
    fn add(&mut self, bytes: usize) -> &mut Upload {
        if self.items > 0 && (self.items == limits::UPLOAD_ITEMS || self.bytes + bytes > MESSAGE) {
            self.plan.messages.push(std::mem::take(&mut self.message));
            (self.items, self.bytes) = (0, 0);
        }
        self.items += 1;
        self.bytes += bytes;
        self.total += bytes;
        &mut self.message
    }

    fn add_set(
        &mut self,
        digest: SetDigest,
        set: &StoreSet,
        observed: &Observed,
        acknowledged: &Acknowledged,
        whole: bool,
    ) {
        let base = observed.locations_of(digest).find_map(|location| acknowledged.find_set(location));
        let delta = base.filter(|_| !whole).map(|base| set.delta_from(base));
        match delta {
            Some(delta) if delta.added.len() + delta.removed.len() < set.entries().len() => {
                let bytes = weight(&delta.added) + weight(&delta.removed);
                let new = StoreSet::new(delta.added.clone()).certificates();
                self.add(bytes).deltas.push(UploadedDelta { digest, delta });
                self.add_newcomers(&new, observed);
            }
            Some(_) | None => self.add(weight(set.entries())).sets.push(UploadedSet::new(set.clone())),
        }
    }

    /// The few certificates that a delta adds are likely to be as new to the server as they are to this PC.
    fn add_newcomers(&mut self, new: &[Fingerprint], observed: &Observed) {
        for der in new.iter().take(NEWCOMERS).filter_map(|fingerprint| observed.certificates.get(fingerprint)) {
            self.add(der.len() + 8).certificates.push(der.clone());
        }
    }

    fn finish(mut self) -> UploadPlan {
        if self.items > 0 {
            self.plan.messages.push(self.message);
        }
        self.plan
    }
}

/// At least as many bytes as the entries take on the wire.
fn weight(entries: &[SetEntry]) -> usize {
    let one = |entry: &SetEntry| match entry {
        SetEntry::Certificate { name, properties, .. } => {
            56 + name.as_ref().map_or(0, String::len) + properties_weight(properties)
        }
        SetEntry::Unreadable { name, why, .. } => 60 + name.as_ref().map_or(0, String::len) + why.len(),
    };
    80 + entries.iter().map(one).sum::<usize>()
}

fn properties_weight(properties: &EntryProperties) -> usize {
    let EntryProperties { key_provider, key_exportable: _, purposes, name_constraints, trust: _ } = properties;
    let purposes = purposes.iter().flatten().map(|oid| oid.len() + 4).sum::<usize>();
    60 + key_provider.as_ref().map_or(0, String::len) + purposes + name_constraints.as_ref().map_or(0, Vec::len)
}
