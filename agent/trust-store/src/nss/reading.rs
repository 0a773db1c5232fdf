//! What one profile's databases hold: certificates, what each one is trusted for, and whether its key is there.

use std::collections::{BTreeMap, BTreeSet};

use inkan_model::limits::{self, tame_text};
use inkan_model::properties::{TrustFlags, TrustLevel};
use inkan_model::store::{KeyPresence, ReadError, ReadErrorKind, SetEntry};
use inkan_model::{Certificate, EntryProperties, Fingerprint};

use super::database::{Database, Field};
use super::row_identity::{Identity, Names};
use super::trust::{Shape, UNSET, stronger};
use crate::files::survey::{bounded, read_error};
use crate::folder::Folder;
use crate::{Anchor, Reading};

/// Certificates and trust.
pub(super) const CERTIFICATES: &str = "cert9.db";
/// The same in the form of programs before 2018.
pub(super) const OLD_CERTIFICATES: &str = "cert8.db";
/// Keys.
const KEYS: &str = "key4.db";
/// Object classes of certificates and private keys.
const CERTIFICATE: u32 = 1;
const PRIVATE_KEY: u32 = 3;

/// What one profile holds.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) found: Vec<Found>,
    /// Trust of certificates that are not there.
    pub(super) orphans: Vec<TrustRow>,
    unreadable: Vec<SetEntry>,
    errors: Vec<ReadError>,
}

/// One certificate of a profile.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) certificate: Certificate,
    pub(super) label: Option<String>,
    /// What it is trusted for; `None` where no row says anything.
    pub(super) trust: Option<TrustFlags>,
    /// The key's name inside of the databases.
    key_id: Option<Vec<u8>>,
    pub(super) key: KeyPresence,
}

/// One row that says what a certificate is trusted for.
#[derive(Debug)]
pub(super) struct TrustRow {
    shape: Shape,
    names: Option<Names>,
    /// SHA-1 in the old shape, SHA-256 in the new one, where it is told.
    hash: Option<Vec<u8>>,
    pub(super) flags: TrustFlags,
}

impl TrustRow {
    /// Whether this row is about that certificate.
    pub(super) fn is_about(&self, identity: &Identity) -> bool {
        identity.is_of_row(self.shape, self.names.as_ref(), self.hash.as_deref())
    }

    fn says_something(&self) -> bool {
        let TrustFlags { server, client, email, code } = self.flags;
        [server, client, email, code].iter().any(|level| !matches!(level, TrustLevel::Unset | TrustLevel::MustVerify))
    }

    fn as_entry(&self) -> SetEntry {
        let TrustFlags { server, client, email, code } = self.flags;
        let hash = self.hash.as_deref().map(|hash| data_encoding::HEXLOWER.encode(hash)).unwrap_or_default();
        let why = format!(
            "trust without its certificate (server {server:?}, client {client:?}, e-mail {email:?}, code {code:?}) {hash}"
        );
        SetEntry::Unreadable { sha256: None, name: None, why: tame_text(&why, limits::SHORT_TEXT) }
    }
}

impl Content {
    /// Reads a profile's folder.
    pub(super) fn of(folder: &Folder) -> Self {
        let mut content = Self::default();
        match Database::open(folder, CERTIFICATES, "nssPublic") {
            Ok(database) => {
                content.take_certificates(&database);
                content.take_trust(&database);
                content.errors.extend(database.missing);
            }
            Err(error) if error.kind == ReadErrorKind::NotFound && has(folder, OLD_CERTIFICATES) => {
                content.errors.push(old_format());
            }
            Err(error) => content.errors.push(error),
        }
        content.tell_keys(folder);
        content
    }

    /// The certificate, where it is there.
    pub(super) fn find(&self, certificate: Fingerprint) -> Option<&Found> {
        self.found.iter().find(|found| found.certificate.fingerprint == certificate)
    }

    /// Why this content may not be relied on for a change.
    #[cfg(unix)]
    pub(super) fn first_error(&self) -> Option<&ReadError> {
        self.errors.first()
    }

    /// All of it, as a store tells what it holds.
    pub(super) fn into_reading(self) -> Reading {
        let Self { found, orphans, unreadable, errors } = self;
        let entry = |found: &Found| SetEntry::Certificate {
            certificate: found.certificate.fingerprint,
            key: found.key,
            name: found.label.clone(),
            properties: EntryProperties { trust: found.trust, ..EntryProperties::default() },
        };
        let mut entries: Vec<_> = found.iter().map(entry).chain(unreadable).collect();
        entries.extend(orphans.iter().filter(|row| row.says_something()).map(TrustRow::as_entry));
        let certificates: BTreeMap<_, _> =
            found.into_iter().map(|found| (found.certificate.fingerprint, found.certificate)).collect();
        Reading { entries, certificates: certificates.into_values().collect(), errors: bounded(errors) }
    }

    fn take_certificates(&mut self, database: &Database) {
        let rows = database.rows(CERTIFICATE, ["a11", "a3", "a102"], limits::SET_ENTRIES);
        self.errors.extend(rows.error);
        for [der, label, key_id] in rows.rows {
            let label = label.octets().map(|label| tame_text(&String::from_utf8_lossy(label), limits::SHORT_TEXT));
            let Field::Octets(der) = der else {
                self.unreadable.push(unreadable(None, label, "has no certificate of a size that is read"));
                continue;
            };
            let certificate = Certificate::read(der);
            if let Err(error) = &certificate.facts {
                self.unreadable.push(unreadable(Some(certificate.fingerprint), label, &error.why));
            } else {
                let key_id = key_id.octets().map(<[u8]>::to_vec);
                self.found.push(Found { certificate, label, trust: None, key_id, key: KeyPresence::NotExpected });
            }
        }
    }

    fn take_trust(&mut self, database: &Database) {
        let identities: Vec<_> = self.found.iter().map(|found| Identity::of(&found.certificate.der)).collect();
        let mut by_names: BTreeMap<&Names, Vec<usize>> = BTreeMap::new();
        for (at, identity) in identities.iter().enumerate() {
            if let Some(names) = &identity.names {
                by_names.entry(names).or_default().push(at);
            }
        }
        for shape in Shape::ALL {
            for row in self.trust_rows(database, shape) {
                let named = row.names.as_ref().and_then(|names| by_names.get(names)).map_or(&[][..], Vec::as_slice);
                let mut matched = false;
                for at in named {
                    let (Some(found), Some(identity)) = (self.found.get_mut(*at), identities.get(*at)) else {
                        continue;
                    };
                    if row.is_about(identity) {
                        found.trust = Some(found.trust.map_or(row.flags, |trust| stronger(trust, row.flags)));
                        matched = true;
                    }
                }
                if !matched {
                    self.orphans.push(row);
                }
            }
        }
    }

    fn trust_rows(&mut self, database: &Database, shape: Shape) -> Vec<TrustRow> {
        let [server, client, email, code, hash] = shape.columns();
        let columns = ["a81", "a82", server, client, email, code, hash];
        let rows = database.rows(shape.class(), columns, limits::SET_ENTRIES);
        self.errors.extend(rows.error);
        let level = |field: &Field| match field {
            Field::Octets(octets) => shape.level(octets),
            Field::Absent => TrustLevel::Unset,
            Field::Unfit => TrustLevel::Unrecognized(i32::MIN),
        };
        let row = |[issuer, serial, server, client, email, code, hash]: [Field; 7]| TrustRow {
            shape,
            names: issuer
                .octets()
                .zip(serial.octets())
                .map(|(issuer, serial)| Names { issuer: issuer.to_vec(), serial: serial.to_vec() }),
            hash: hash.octets().map(<[u8]>::to_vec),
            flags: TrustFlags {
                server: level(&server),
                client: level(&client),
                email: level(&email),
                code: level(&code),
            },
        };
        rows.rows.into_iter().map(row).collect()
    }

    /// Says of each certificate whether its key is there. The keys' file is only opened where a key could belong to one.
    fn tell_keys(&mut self, folder: &Folder) {
        let is_ca = |found: &Found| found.certificate.facts.as_ref().is_ok_and(|facts| facts.is_ca);
        if self.found.iter().all(is_ca) {
            return;
        }
        let known = match Database::open(folder, KEYS, "nssPrivate") {
            Ok(database) => {
                let rows = database.rows(PRIVATE_KEY, ["a102"], limits::SET_ENTRIES);
                let complete = rows.error.is_none();
                self.errors.extend(rows.error);
                let ids = rows.rows.into_iter().filter_map(|[id]| id.octets().map(<[u8]>::to_vec));
                (ids.collect::<BTreeSet<_>>(), complete)
            }
            Err(error) if error.kind == ReadErrorKind::NotFound => (BTreeSet::new(), true),
            Err(error) => {
                self.errors.push(error);
                (BTreeSet::new(), false)
            }
        };
        for found in &mut self.found {
            found.key = match (&found.key_id, &known) {
                (Some(id), (ids, _)) if ids.contains(id) => KeyPresence::Present,
                (_, (_, false)) if !is_ca(found) => KeyPresence::Unknown,
                // Without its key it is somebody else's, as are those of mail correspondents and of single servers.
                _ => KeyPresence::NotExpected,
            };
        }
    }
}

impl Found {
    /// All that is needed to put it back as it is.
    pub(super) fn as_anchor(&self) -> Anchor {
        let properties = EntryProperties { trust: Some(self.trust_or_unset()), ..EntryProperties::default() };
        Anchor { der: self.certificate.der.clone(), name: self.label.clone(), properties }
    }

    /// What it is trusted for, or that nothing is said.
    pub(super) fn trust_or_unset(&self) -> TrustFlags {
        self.trust.unwrap_or(UNSET)
    }
}

/// Whether a name is there, whatever it stands for.
pub(super) fn has(folder: &Folder, name: &str) -> bool {
    !matches!(folder.kind(name), Ok(None))
}

fn unreadable(sha256: Option<Fingerprint>, name: Option<String>, why: &str) -> SetEntry {
    SetEntry::Unreadable { sha256, name, why: tame_text(why, limits::SHORT_TEXT) }
}

fn old_format() -> ReadError {
    let error = std::io::Error::new(std::io::ErrorKind::Unsupported, "the old format, of programs before 2018");
    read_error(OLD_CERTIFICATES, &error)
}
