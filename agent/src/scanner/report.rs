//! A scan for people at the PC and for scripts: as JSON, and as a table.

use std::fmt::Write as _;

use inkan_model::host::HostFacts;
use inkan_model::properties::EntryProperties;
use inkan_model::store::{KeyPresence, ReadError, Scope, SetEntry, Snapshot, StoreKind};
use inkan_model::{CertificateFacts, Fingerprint, SetDigest};
use serde::Serialize;

use super::Scan;

/// Everything that a scan saw.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScanReport {
    /// The PC.
    pub host_facts: HostFacts,
    /// Each Location, sorted.
    pub locations: Vec<LocationReport>,
    /// Counts over all Locations.
    pub totals: Totals,
}

/// What one Location holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LocationReport {
    /// The kind of store.
    pub kind: StoreKind,
    /// Whose it is.
    pub scope: Scope,
    /// Its path or name.
    pub path: String,
    /// When it was read, by the PC's clock (RFC 3339).
    pub scanned_at: String,
    /// The digest that stands for its content.
    pub set_digest: SetDigest,
    /// What it holds.
    pub entries: Vec<EntryReport>,
    /// What could not be read.
    pub errors: Vec<ReadError>,
}

/// One entry of a store.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum EntryReport {
    /// A certificate.
    Certificate {
        /// Its fingerprint.
        sha256: Fingerprint,
        /// Its subject.
        subject: String,
        /// Its issuer.
        issuer: String,
        /// Its last moment (RFC 3339).
        not_after: String,
        /// Whether its private key is there.
        key: KeyPresence,
        /// File name or friendly name.
        name: Option<String>,
        /// What else the store says about it.
        #[serde(skip_serializing_if = "EntryProperties::is_empty")]
        properties: EntryProperties,
    },
    /// Something that should have been a certificate.
    Unreadable {
        /// What is wrong with it.
        unreadable: String,
        /// SHA-256 over its bytes, where they could be read.
        sha256: Option<Fingerprint>,
        /// File name or friendly name.
        name: Option<String>,
    },
}

/// Counts over all Locations.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Totals {
    /// Locations.
    pub locations: usize,
    /// Entries of all Locations.
    pub entries: usize,
    /// Different certificates.
    pub certificates: usize,
    /// Entries whose private key is there.
    pub with_key: usize,
    /// Entries whose private key should be there and is not.
    pub without_key: usize,
    /// Entries that could not be read.
    pub unreadable: usize,
    /// Errors in reading.
    pub errors: usize,
}

impl ScanReport {
    /// Reports a scan.
    pub fn new(host_facts: HostFacts, scan: &Scan) -> Self {
        let locations: Vec<_> = scan.snapshots.iter().map(|snapshot| location_report(scan, snapshot)).collect();
        let mut totals = Totals { certificates: scan.certificates.len(), ..Totals::default() };
        for location in &locations {
            totals.locations += 1;
            totals.entries += location.entries.len();
            totals.errors += location.errors.len();
            totals.with_key += location.count(|entry| entry.key() == Some(KeyPresence::Present));
            totals.without_key += location.count(|entry| entry.key() == Some(KeyPresence::Absent));
            totals.unreadable += location.count(|entry| entry.key().is_none());
        }
        Self { host_facts, locations, totals }
    }

    /// The report as a table. Anchors, of which there are many, are counted; certificates with keys of their own and
    /// whatever is wrong are listed.
    pub fn to_table(&self) -> String {
        let mut table = String::new();
        for location in &self.locations {
            location.write_to(&mut table);
        }
        let Totals { locations, entries, certificates, with_key, without_key, unreadable, errors } = &self.totals;
        let _infallible = writeln!(
            table,
            "{locations} locations, {entries} entries, {certificates} different certificates: \
             {with_key} with key, {without_key} without, {unreadable} unreadable; {errors} errors"
        );
        table
    }
}

impl LocationReport {
    fn count(&self, of: impl Fn(&EntryReport) -> bool) -> usize {
        self.entries.iter().filter(|entry| of(entry)).count()
    }

    fn write_to(&self, table: &mut String) {
        let whose = match &self.scope {
            Scope::Machine => String::new(),
            Scope::User(name) => format!(" ({name})"),
        };
        let anchors = self.count(|entry| entry.key() == Some(KeyPresence::NotExpected));
        let _infallible = writeln!(table, "{}{whose}: {} entries", self.path, self.entries.len());
        if anchors > 0 {
            let _infallible = writeln!(table, "  {anchors} without a key by nature (--json lists them)");
        }
        for entry in self.entries.iter().filter(|entry| entry.key() != Some(KeyPresence::NotExpected)) {
            let _infallible = writeln!(table, "  {}", entry.row());
        }
        for ReadError { kind, item, detail } in &self.errors {
            let item = if item.is_empty() { "as a whole" } else { item };
            let _infallible = writeln!(table, "  ! {item}: {detail} ({kind:?})");
        }
        table.push('\n');
    }
}

impl EntryReport {
    /// Whether its key is there; `None` when the entry could not be read.
    fn key(&self) -> Option<KeyPresence> {
        match self {
            Self::Certificate { key, .. } => Some(*key),
            Self::Unreadable { .. } => None,
        }
    }

    fn row(&self) -> String {
        match self {
            Self::Certificate { sha256, subject, not_after, key, name, issuer: _, properties: _ } => {
                let key = match key {
                    KeyPresence::Present => "key",
                    KeyPresence::Absent => "NO KEY",
                    KeyPresence::Unknown | KeyPresence::Unrecognized(_) => "key?",
                    KeyPresence::NotExpected => "",
                };
                let until = not_after.get(..10).unwrap_or(not_after);
                let name = name.as_deref().unwrap_or("-");
                format!("{}  {until:<10}  {key:<6}  {name}  {subject}", sha256.short())
            }
            Self::Unreadable { unreadable, sha256, name } => {
                let short = sha256.map_or_else(|| "--------".to_owned(), |sha256| sha256.short());
                format!("{short}  unreadable          {}  {unreadable}", name.as_deref().unwrap_or("-"))
            }
        }
    }
}

fn location_report(scan: &Scan, snapshot: &Snapshot) -> LocationReport {
    let Snapshot { location, scanned_at, set, errors } = snapshot;
    LocationReport {
        kind: location.kind,
        scope: location.scope.clone(),
        path: location.path.clone(),
        scanned_at: scanned_at.to_string(),
        set_digest: set.digest(),
        entries: set.entries().iter().map(|entry| entry_report(scan, entry)).collect(),
        errors: errors.clone(),
    }
}

fn entry_report(scan: &Scan, entry: &SetEntry) -> EntryReport {
    match entry {
        SetEntry::Certificate { certificate, key, name, properties } => {
            let facts = scan.certificates.get(certificate).and_then(|held| held.facts.as_ref().ok());
            let text = |of: fn(&CertificateFacts) -> String| facts.map(of).unwrap_or_default();
            EntryReport::Certificate {
                sha256: *certificate,
                subject: text(|facts| facts.subject.clone()),
                issuer: text(|facts| facts.issuer.clone()),
                not_after: text(|facts| facts.not_after.to_string()),
                key: *key,
                name: name.clone(),
                properties: properties.clone(),
            }
        }
        SetEntry::Unreadable { sha256, name, why } => {
            EntryReport::Unreadable { unreadable: why.clone(), sha256: *sha256, name: name.clone() }
        }
    }
}
