//! One keystore's bytes as certificates under aliases, whatever their format.
//!
//! The bytes may come from any user of the PC: what can be read is told, what is wrong is told beside it, and no parser's
//! panic gets out, nor is one waited for without end. Passwords are tried and wiped, and appear in nothing that can be shown.

use std::collections::BTreeMap;

use inkan_model::limits::{self, tame_text};
use inkan_model::store::{KeyPresence, ReadError, ReadErrorKind, SetEntry};
use inkan_model::{Certificate, Fingerprint};
use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error;
use zeroize::Zeroizing;

use super::jks::{self, Content};
use crate::Reading;
use crate::files::survey::{bounded, whole};
use crate::pkcs12::patience::{self, Opened};

/// Passwords that keystores have when nobody chose one, in the order in which they are tried.
const CUSTOMARY: [&str; 3] = ["changeit", "", "changeme"];

/// A keystore that was read.
pub(super) struct Keystore {
    pub(super) form: Form,
    pub(super) integrity: Integrity,
    pub(super) held: Vec<Held>,
    /// Digests of what it keeps besides: keys as they stand in the file or, where the format does not let them be, as they
    /// are. For comparing only.
    keys: Vec<Fingerprint>,
    /// Aliases of secret keys.
    of_secrets: Vec<String>,
    errors: Vec<ReadError>,
}

/// Which format it has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// JKS or JCEKS, readable to its end.
    Jks,
    Pkcs12,
    /// None that could be read to its end.
    Unusable,
}

/// What is known about whether the file is as somebody left it who knows its password.
pub(super) enum Integrity {
    /// This password fits.
    Sealed(Zeroizing<String>),
    /// The file carries no proof of it; its content opens by this password, as by any other where nothing is encrypted.
    Open(Zeroizing<String>),
    /// No known password fits.
    Unknown,
}

/// One certificate in a keystore.
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Held {
    pub(super) alias: String,
    pub(super) role: Role,
    pub(super) der: Vec<u8>,
}

/// What a certificate is there for.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Role {
    /// Stands in a key's chain, or for nothing.
    Beside,
    /// The certificate of a key.
    OfKey,
    /// Trusted by whatever uses the keystore.
    Trusted,
}

/// Everything that a keystore holds, sorted.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Contents {
    held: Vec<Held>,
    keys: Vec<Fingerprint>,
}

impl Contents {
    /// The same with one trusted certificate more.
    pub(super) fn with_trusted(mut self, alias: &str, der: &[u8]) -> Self {
        self.held.push(Held { alias: alias.to_owned(), role: Role::Trusted, der: der.to_vec() });
        self.held.sort_unstable();
        self
    }

    /// The same without a trusted certificate.
    pub(super) fn without_trusted(mut self, certificate: Fingerprint) -> Self {
        self.held.retain(|held| held.role != Role::Trusted || Fingerprint::of(&held.der) != certificate);
        self
    }
}

impl Keystore {
    /// Reads a keystore's bytes, trying the customary passwords and then these.
    pub(super) fn read(bytes: &[u8], passwords: &[Zeroizing<String>]) -> Self {
        let customary = CUSTOMARY.map(|password| Zeroizing::new(password.to_owned()));
        let passwords: Vec<_> = customary.iter().chain(passwords).collect();
        if jks::is_jks(bytes) { Self::read_jks(bytes, &passwords) } else { Self::read_pkcs12(bytes, &passwords) }
    }

    fn read_jks(bytes: &[u8], passwords: &[&Zeroizing<String>]) -> Self {
        let jks = match jks::read(bytes) {
            Ok(jks) => jks,
            Err((entries, broken)) => {
                let errors = vec![whole(ReadErrorKind::Malformed, broken.to_string())];
                let held = entries.iter().flat_map(held_of).collect();
                return Self { held, ..Self::unusable(errors) };
            }
        };
        let fitting = passwords.iter().find(|password| jks.is_sealed_by(password));
        let (integrity, errors) = match fitting {
            Some(password) => (Integrity::Sealed((*password).clone()), Vec::new()),
            None => (Integrity::Unknown, vec![whole(ReadErrorKind::PasswordNeeded, UNCHECKED)]),
        };
        let held = jks.entries.iter().flat_map(held_of).collect();
        let is_key = |entry: &&jks::Entry| !matches!(entry.content, Content::Trusted(_));
        let keys = jks.entries.iter().filter(is_key).map(jks::Entry::digest).collect();
        let secret = |entry: &&jks::Entry| entry.content == Content::Secret;
        let of_secrets = jks.entries.iter().filter(secret).map(|entry| entry.alias.clone()).collect();
        Self { form: Form::Jks, integrity, held, keys, of_secrets, errors }
    }

    fn read_pkcs12(bytes: &[u8], passwords: &[&Zeroizing<String>]) -> Self {
        let unusable = |kind, why: &str| Self::unusable(vec![whole(kind, tame_text(why, limits::SHORT_TEXT))]);
        let Some(has_digest) = has_digest(bytes) else {
            return unusable(ReadErrorKind::Malformed, "neither JKS, JCEKS nor PKCS#12");
        };
        for password in passwords {
            match patience::open(bytes, password) {
                Opened::Archive(archive) => {
                    let password = (*password).clone();
                    let integrity = if has_digest { Integrity::Sealed(password) } else { Integrity::Open(password) };
                    return Self::of_archive(&archive, integrity);
                }
                Opened::Refused(Error::MacError(_) | Error::Pkcs5Error(_) | Error::UnpadError) => {}
                Opened::Refused(error) => return unusable(ReadErrorKind::Malformed, &format!("PKCS#12: {error}")),
                Opened::TooLong => return unusable(ReadErrorKind::TimedOut, "PKCS#12 that takes too long to open"),
                Opened::Panicked => {
                    return unusable(ReadErrorKind::Malformed, "PKCS#12 that the parser cannot cope with");
                }
            }
        }
        unusable(ReadErrorKind::PasswordNeeded, "no known password opens it")
    }

    fn of_archive(archive: &Pkcs12Archive, integrity: Integrity) -> Self {
        let keys = archive.keys.iter().map(|bag| Fingerprint::of(bag.key.as_der()));
        let secrets = archive.secrets.iter().map(|bag| Fingerprint::of(bag.key.key()));
        Self {
            form: Form::Pkcs12,
            integrity,
            held: held_in(archive),
            keys: keys.chain(secrets).collect(),
            of_secrets: archive.secrets.iter().filter_map(|bag| bag.friendly_name.clone()).collect(),
            errors: Vec::new(),
        }
    }

    const fn unusable(errors: Vec<ReadError>) -> Self {
        Self {
            form: Form::Unusable,
            integrity: Integrity::Unknown,
            held: Vec::new(),
            keys: Vec::new(),
            of_secrets: Vec::new(),
            errors,
        }
    }

    /// The alias of a trusted certificate.
    pub(super) fn alias_of(&self, certificate: Fingerprint) -> Option<&str> {
        self.trusted().find(|held| Fingerprint::of(&held.der) == certificate).map(|held| held.alias.as_str())
    }

    /// Whether an alias is taken.
    pub(super) fn has_alias(&self, alias: &str) -> bool {
        let taken = self.held.iter().map(|held| &held.alias).chain(&self.of_secrets);
        taken.into_iter().any(|taken| taken.eq_ignore_ascii_case(alias))
    }

    /// All that is trusted.
    pub(super) fn trusted(&self) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(|held| held.role == Role::Trusted)
    }

    /// Everything that it holds, to compare it with another.
    pub(super) fn contents(&self) -> Contents {
        let mut contents = Contents { held: self.held.clone(), keys: self.keys.clone() };
        contents.held.sort_unstable();
        contents.keys.sort_unstable();
        contents
    }

    /// The keystore as the inventory tells it.
    pub(super) fn into_reading(self) -> Reading {
        let Self { held, mut errors, .. } = self;
        let mut reading = Reading::default();
        let mut certificates = BTreeMap::new();
        for Held { alias, role, der } in held {
            if reading.entries.len() == limits::SET_ENTRIES {
                let detail = format!("more than {} entries", limits::SET_ENTRIES);
                errors.push(whole(ReadErrorKind::TooLarge, detail));
                break;
            }
            let name = Some(tame_text(&alias, limits::SHORT_TEXT)).filter(|name| !name.is_empty());
            let certificate = Certificate::read(der);
            match &certificate.facts {
                Ok(_) => {
                    let key = match role {
                        Role::OfKey => KeyPresence::Present,
                        Role::Beside | Role::Trusted => KeyPresence::NotExpected,
                    };
                    reading.entries.push(SetEntry::certificate(certificate.fingerprint, key, name));
                    certificates.insert(certificate.fingerprint, certificate);
                }
                Err(error) => {
                    let why = tame_text(&error.why, limits::SHORT_TEXT);
                    let sha256 = Some(certificate.fingerprint);
                    reading.entries.push(SetEntry::Unreadable { sha256, name, why });
                }
            }
        }
        Reading { certificates: certificates.into_values().collect(), errors: bounded(errors), ..reading }
    }
}

/// Certificates of JKS stand in the open, so they are told even then.
const UNCHECKED: &str = "no known password fits, so it cannot be told whether somebody altered it";

fn held_of(entry: &jks::Entry) -> Vec<Held> {
    let held = |role, der: &Vec<u8>| Held { alias: entry.alias.clone(), role, der: der.clone() };
    match &entry.content {
        Content::Key { chain } => chain
            .iter()
            .enumerate()
            .map(|(at, der)| held(if at == 0 { Role::OfKey } else { Role::Beside }, der))
            .collect(),
        Content::Secret => Vec::new(),
        Content::Trusted(der) => vec![held(Role::Trusted, der)],
    }
}

fn held_in(archive: &Pkcs12Archive) -> Vec<Held> {
    let key_of = |id: &[u8]| archive.keys.iter().find(|bag| bag.local_key_id.as_ref().is_some_and(|key| key.0 == id));
    let held = |bag: &p12_keystore::CertificateBag| {
        let key = bag.local_key_id.as_deref().and_then(key_of);
        let role = match key {
            Some(_) => Role::OfKey,
            None if bag.trusted => Role::Trusted,
            None => Role::Beside,
        };
        let alias = bag.friendly_name.clone().or_else(|| key.and_then(|key| key.friendly_name.clone()));
        Held { alias: alias.unwrap_or_default(), role, der: bag.cert.as_der().to_vec() }
    };
    archive.certs.iter().map(held).collect()
}

/// Whether a PKCS#12 file has a keyed digest over its content (RFC 7292 §4: `macData` is optional); `None` for what is
/// not PKCS#12.
fn has_digest(bytes: &[u8]) -> Option<bool> {
    let (_, file) = x509_parser::der_parser::parse_der(bytes).ok()?;
    match file.as_sequence().ok()?.as_slice() {
        [version, _] => version.as_u32().ok().map(|_| false),
        [version, _, _] => version.as_u32().ok().map(|_| true),
        _ => None,
    }
}
