//! Stores: where a PC keeps certificates, and what one scan of such a place saw.
//!
//! "Store" never means a database here. Reading a store can half-succeed, so a [`Snapshot`] always carries both halves:
//! the entries, and the errors.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::{FieldHasher, Fingerprint, SetDigest};
use crate::properties::EntryProperties;
use crate::time::Timestamp;

/// The kind of a store. A newer agent may know kinds that this server does not: they survive as numbers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// The operating system's trust bundle, as applications read it.
    SystemTrust,
    /// Anchors that the administrator added to the operating system's bundle.
    LocalAnchors,
    /// A directory with certificate and key files.
    Directory,
    /// A user's own directory with certificate and key files.
    UserDirectory,
    /// Windows: a system store.
    WindowsStore,
    /// An NSS database of Firefox or Chromium.
    Nss,
    /// A Java keystore.
    Java,
    /// macOS: a keychain.
    Keychain,
    /// A kind that this build does not know, by its number on the wire.
    Unrecognized(i32),
}

/// Whose store it is.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The machine's.
    Machine,
    /// One user's, by log-on name.
    User(String),
}

/// Where exactly certificates stand on a host: the kind of store, whose it is, and its path or name.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Location {
    /// The kind of store.
    pub kind: StoreKind,
    /// Whose it is.
    pub scope: Scope,
    /// The path, or the store's name where stores have names (`Root`, `MY`).
    pub path: String,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scope {
            Scope::Machine => write!(f, "{}", self.path),
            Scope::User(name) => write!(f, "{} ({name})", self.path),
        }
    }
}

/// Whether a private key is there. It is looked for, never read.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPresence {
    /// This kind of entry has no key by nature, such as an anchor.
    NotExpected,
    /// A key belongs here and is not there.
    Absent,
    /// A key is there.
    Present,
    /// It cannot be told without reading what must not be read.
    Unknown,
    /// A value that this build does not know, by its number on the wire.
    Unrecognized(i32),
}

impl StoreKind {
    /// Its number on the wire, which also stands for it in digests: a newer agent's kind keeps its digest.
    pub const fn number(self) -> i32 {
        match self {
            Self::SystemTrust => 1,
            Self::LocalAnchors => 2,
            Self::Directory => 3,
            Self::UserDirectory => 4,
            Self::WindowsStore => 5,
            Self::Nss => 6,
            Self::Java => 7,
            Self::Keychain => 8,
            Self::Unrecognized(number) => number,
        }
    }
}

impl KeyPresence {
    /// The opposite of [`Self::number`].
    pub const fn from_number(number: i32) -> Self {
        match number {
            1 => Self::NotExpected,
            2 => Self::Absent,
            3 => Self::Present,
            4 => Self::Unknown,
            other => Self::Unrecognized(other),
        }
    }

    /// Its number on the wire, which also stands for it in digests.
    pub const fn number(self) -> i32 {
        match self {
            Self::NotExpected => 1,
            Self::Absent => 2,
            Self::Present => 3,
            Self::Unknown => 4,
            Self::Unrecognized(number) => number,
        }
    }
}

impl ReadErrorKind {
    /// Its number on the wire, which also stands for it in digests.
    pub const fn number(self) -> i32 {
        match self {
            Self::AccessDenied => 1,
            Self::NotFound => 2,
            Self::TimedOut => 3,
            Self::TooLarge => 4,
            Self::PasswordNeeded => 5,
            Self::Malformed => 6,
            Self::Other => 7,
            Self::Unrecognized(number) => number,
        }
    }
}

/// One thing that a scan saw in a store.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
pub enum SetEntry {
    /// A certificate.
    Certificate {
        /// Its fingerprint.
        certificate: Fingerprint,
        /// Whether its private key is there.
        key: KeyPresence,
        /// Its file name or friendly name, where the store knows one.
        name: Option<String>,
        /// What else the store says about it.
        #[serde(default, skip_serializing_if = "EntryProperties::is_empty")]
        properties: EntryProperties,
    },
    /// Bytes that should have been a certificate, or a file that could not be opened.
    Unreadable {
        /// SHA-256 over the bytes, where they could be read at all.
        sha256: Option<Fingerprint>,
        /// The file name or friendly name, where there is one.
        name: Option<String>,
        /// What is wrong with it.
        why: String,
    },
}

impl SetEntry {
    /// A certificate of which the store says nothing more.
    pub fn certificate(certificate: Fingerprint, key: KeyPresence, name: Option<String>) -> Self {
        Self::Certificate { certificate, key, name, properties: EntryProperties::default() }
    }
}

/// The content of one store at one time, sorted, without duplicates. Equal sets of many hosts are stored once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StoreSet {
    entries: Vec<SetEntry>,
}

impl StoreSet {
    /// Sorts the entries and drops exact duplicates.
    pub fn new(mut entries: Vec<SetEntry>) -> Self {
        entries.sort_unstable();
        entries.dedup();
        Self { entries }
    }

    /// The entries, sorted.
    pub fn entries(&self) -> &[SetEntry] {
        &self.entries
    }

    /// The certificates' fingerprints, sorted, each one once.
    pub fn certificates(&self) -> Vec<Fingerprint> {
        let certificate = |entry: &SetEntry| match entry {
            SetEntry::Certificate { certificate, .. } => Some(*certificate),
            SetEntry::Unreadable { .. } => None,
        };
        let mut found: Vec<_> = self.entries.iter().filter_map(certificate).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// SHA-256 over the sorted content. It depends on the entries alone, so that hosts share sets.
    pub fn digest(&self) -> SetDigest {
        let mut hasher = FieldHasher::new("inkan set v1");
        hasher.number(self.entries.len() as u64);
        for entry in &self.entries {
            match entry {
                SetEntry::Certificate { certificate, key, name, properties } => {
                    // An entry of which the store says nothing more has the digest that it had before stores could.
                    hasher.number(if properties.is_empty() { 1 } else { 3 });
                    hasher.field(certificate.as_bytes());
                    hasher.code(key.number());
                    hasher.optional(name.as_deref());
                    if !properties.is_empty() {
                        properties.feed(&mut hasher);
                    }
                }
                SetEntry::Unreadable { sha256, name, why } => {
                    hasher.number(2);
                    hasher.field(sha256.as_ref().map_or(&[], |digest| digest.as_bytes().as_slice()));
                    hasher.optional(name.as_deref());
                    hasher.field(why.as_bytes());
                }
            }
        }
        SetDigest::from_bytes(hasher.finish())
    }

    /// What changed from `base` to this set.
    pub fn delta_from(&self, base: &Self) -> SetDelta {
        let missing_in = |entries: &[SetEntry], from: &[SetEntry]| -> Vec<SetEntry> {
            from.iter().filter(|entry| entries.binary_search(entry).is_err()).cloned().collect()
        };
        SetDelta {
            base: base.digest(),
            added: missing_in(&base.entries, &self.entries),
            removed: missing_in(&self.entries, &base.entries),
        }
    }

    /// The set that `delta` leads to from this one. The caller compares its digest with the one it expects.
    #[must_use]
    pub fn apply(&self, delta: &SetDelta) -> Self {
        let stays = |entry: &&SetEntry| !delta.removed.contains(entry);
        Self::new(self.entries.iter().filter(stays).chain(&delta.added).cloned().collect())
    }
}

/// A set told by what changed from another set that both sides have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SetDelta {
    /// The set from which the change counts.
    pub base: SetDigest,
    /// Entries that came.
    pub added: Vec<SetEntry>,
    /// Entries that went.
    pub removed: Vec<SetEntry>,
}

/// Something that kept a store from being read whole. What could be read is reported all the same.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct ReadError {
    /// The kind of trouble.
    pub kind: ReadErrorKind,
    /// The file or part that it concerns; empty for the store as a whole.
    pub item: String,
    /// The operating system's or the parser's words.
    pub detail: String,
}

/// The kind of trouble in reading a store.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadErrorKind {
    /// The agent may not read it.
    AccessDenied,
    /// It is not there, although it was asked for.
    NotFound,
    /// It did not answer within its deadline.
    TimedOut,
    /// It has more or larger content than is read.
    TooLarge,
    /// A password is needed and none is known.
    PasswordNeeded,
    /// Its content is not what it claims to be.
    Malformed,
    /// Anything else.
    Other,
    /// A kind that this build does not know, by its number on the wire.
    Unrecognized(i32),
}

/// What one scan of one Location saw: both halves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Snapshot {
    /// Where.
    pub location: Location,
    /// When, by the PC's clock.
    pub scanned_at: Timestamp,
    /// What was read.
    pub set: StoreSet,
    /// What could not be read.
    pub errors: Vec<ReadError>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::properties::{TrustFlags, TrustLevel};

    fn entry() -> impl Strategy<Value = SetEntry> {
        (any::<u8>(), 0_u8..4, proptest::option::of("[a-c]{1,2}")).prop_map(|(byte, key, name)| SetEntry::Certificate {
            certificate: Fingerprint::of(&[byte]),
            key: [KeyPresence::NotExpected, KeyPresence::Absent, KeyPresence::Present, KeyPresence::Unknown]
                [usize::from(key)],
            name,
            properties: EntryProperties::default(),
        })
    }

    proptest! {
        #[test]
        fn the_digest_does_not_depend_on_order_or_repetition(mut entries in proptest::collection::vec(entry(), 0..20)) {
            let digest = StoreSet::new(entries.clone()).digest();
            entries.reverse();
            entries.extend(entries.clone());
            prop_assert_eq!(StoreSet::new(entries).digest(), digest);
        }

        #[test]
        fn a_delta_leads_from_one_set_to_the_other(
            old in proptest::collection::vec(entry(), 0..20),
            new in proptest::collection::vec(entry(), 0..20),
        ) {
            let (old, new) = (StoreSet::new(old), StoreSet::new(new));
            let delta = new.delta_from(&old);
            prop_assert_eq!(old.apply(&delta), new);
        }
    }

    #[test]
    fn a_key_that_appears_changes_the_digest() {
        let with = |key| StoreSet::new(vec![SetEntry::certificate(Fingerprint::of(b"c"), key, None)]);
        assert_ne!(with(KeyPresence::Absent).digest(), with(KeyPresence::Present).digest());
    }

    #[test]
    fn whatever_a_store_says_more_changes_the_digest() {
        let trust = TrustFlags {
            server: TrustLevel::Anchor,
            client: TrustLevel::Unset,
            email: TrustLevel::Unset,
            code: TrustLevel::Unset,
        };
        let says = [
            EntryProperties::default(),
            EntryProperties { key_provider: Some("p".to_owned()), ..EntryProperties::default() },
            EntryProperties { key_exportable: Some(false), ..EntryProperties::default() },
            EntryProperties { key_exportable: Some(true), ..EntryProperties::default() },
            EntryProperties { purposes: Some(Vec::new()), ..EntryProperties::default() },
            EntryProperties { purposes: Some(vec!["1.3.6.1.5.5.7.3.1".to_owned()]), ..EntryProperties::default() },
            EntryProperties { name_constraints: Some(vec![0x30, 0]), ..EntryProperties::default() },
            EntryProperties { trust: Some(trust), ..EntryProperties::default() },
        ];
        let digest = |properties: &EntryProperties| {
            StoreSet::new(vec![SetEntry::Certificate {
                certificate: Fingerprint::of(b"c"),
                key: KeyPresence::Present,
                name: None,
                properties: properties.clone(),
            }])
            .digest()
        };
        let digests: std::collections::BTreeSet<_> = says.iter().map(digest).collect();
        assert_eq!(digests.len(), says.len());
    }
}
