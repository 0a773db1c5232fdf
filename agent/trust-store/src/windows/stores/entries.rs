//! From what registry and files hold to the entries of a reading.
//!
//! Pure: what Windows says of a key is asked through [`KeyProbe`]. A certificate that stands in more than one form (in
//! the registry and as a file) becomes one entry, the one that knows of a key.

use std::collections::BTreeMap;

use inkan_model::limits::{self, tame_text};
use inkan_model::store::{KeyPresence, ReadError, ReadErrorKind, SetEntry};
use inkan_model::{Certificate, EntryProperties, Fingerprint};

use crate::Reading;
use crate::content::{KeyFound, key_presence};
use crate::files::survey::{bounded, whole};
use crate::windows::serialized::{KeyLink, KeyReference, SerializedCertificate};

/// Bytes of all certificates of one store, in each of its forms.
pub(super) const STORE_BYTES: usize = 32 * 1024 * 1024;

/// What a store holds under one name: a registry key or a file.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// The name: the certificate's SHA-1, unless somebody wrote something else.
    pub(crate) item: String,
    /// The bytes, or why they cannot be read.
    pub(crate) blob: Result<Vec<u8>, ReadError>,
}

/// What a place holds, and why it may hold more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pub(crate) stored: Vec<Stored>,
    pub(crate) errors: Vec<ReadError>,
}

/// What is known of a private key without using it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum KeyState {
    /// It is where the certificate says; whether the platform would give it out, where that can be told.
    There { exportable: Option<bool> },
    /// It is not where the certificate says.
    Gone,
    /// Whoever asks may not look.
    Unseen,
}

/// Looks for private keys.
pub(crate) trait KeyProbe {
    fn look(&self, link: &KeyLink) -> KeyState;
}

impl Content {
    /// Takes in what a form of the store holds, as far as there is room: whoever keeps it may be any user of the PC.
    pub(crate) fn collect(found: impl Iterator<Item = Result<Stored, ReadError>>) -> Self {
        let mut content = Self::default();
        let mut bytes_left = STORE_BYTES;
        for found in found {
            match found {
                Ok(stored) => {
                    let left = bytes_left.checked_sub(stored.blob.as_ref().map_or(0, Vec::len));
                    let Some(left) = left.filter(|_| content.stored.len() < limits::SET_ENTRIES) else {
                        content.errors.push(too_large());
                        break;
                    };
                    bytes_left = left;
                    content.stored.push(stored);
                }
                Err(error) => {
                    content.errors.push(error);
                    break;
                }
            }
        }
        content
    }

    /// What could not be read at all.
    #[cfg(windows)]
    pub(crate) fn failed(error: &std::io::Error) -> Self {
        Self { stored: Vec::new(), errors: vec![crate::files::survey::read_error("", error)] }
    }

    /// Takes in what another form of the same store holds.
    #[cfg(windows)]
    pub(crate) fn extend(&mut self, other: Self) {
        self.stored.extend(other.stored);
        self.errors.extend(other.errors);
    }

    /// The certificates that can be read, with the names under which they stand.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = (&str, SerializedCertificate)> {
        self.stored.iter().filter_map(|stored| {
            let read = SerializedCertificate::read(stored.blob.as_ref().ok()?).ok()?;
            Some((stored.item.as_str(), read))
        })
    }

    /// Whether everything could be read.
    pub(crate) fn is_whole(&self) -> bool {
        let readable = |stored: &Stored| {
            stored.blob.as_ref().is_ok_and(|blob| {
                SerializedCertificate::read(blob).is_ok_and(|read| read.key != KeyReference::Unreadable)
            })
        };
        self.errors.is_empty() && self.stored.iter().all(readable)
    }
}

/// The entries of a store. `probe` is there where certificates are in the store for their keys.
pub(crate) fn reading(content: Content, probe: Option<&dyn KeyProbe>) -> Reading {
    let Content { stored, mut errors } = content;
    let mut found = BTreeMap::new();
    let mut broken = Vec::new();
    let mut bytes_left = STORE_BYTES;
    for Stored { item, blob } in stored {
        let size = blob.as_ref().map_or(0, Vec::len);
        if found.len() + broken.len() >= limits::SET_ENTRIES || size > bytes_left {
            errors.push(too_large());
            break;
        }
        bytes_left -= size;
        match blob {
            Ok(blob) => match understood(&blob) {
                // Its key is kept, and no application finds it any more; whoever asks who uses a key is told of it.
                Ok(understood) if probe.is_some() && understood.says.is_archived() => {}
                Ok(understood) => {
                    errors.extend(understood.errors(&item));
                    understood.merge_into(&mut found, probe);
                }
                Err((sha256, why)) => broken.push(unreadable(Some(sha256), &item, &why)),
            },
            Err(error) => {
                broken.push(unreadable(None, &item, &error.detail));
                errors.push(error);
            }
        }
    }
    let (entries, certificates): (Vec<_>, Vec<_>) = found.into_values().unzip();
    Reading { entries: entries.into_iter().chain(broken).collect(), certificates, errors: bounded(errors) }
}

fn too_large() -> ReadError {
    let detail = format!("more than {} entries or {STORE_BYTES} bytes", limits::SET_ENTRIES);
    whole(ReadErrorKind::TooLarge, detail)
}

/// A certificate that could be read, and what the store says about it.
struct Understood {
    certificate: Certificate,
    says: SerializedCertificate,
}

fn understood(blob: &[u8]) -> Result<Understood, (Fingerprint, String)> {
    let says = SerializedCertificate::read(blob).map_err(|error| (Fingerprint::of(blob), error.to_string()))?;
    let certificate = Certificate::read(says.der.clone());
    match &certificate.facts {
        Ok(_) => Ok(Understood { certificate, says }),
        Err(error) => Err((certificate.fingerprint, error.why.clone())),
    }
}

impl Understood {
    /// What the store says and cannot be read: it may be a limit, so it is told.
    fn errors(&self, item: &str) -> Vec<ReadError> {
        let error = |property: &&'static str| ReadError {
            kind: ReadErrorKind::Malformed,
            item: tame_text(item, limits::LONG_TEXT),
            detail: format!("its {property} cannot be read"),
        };
        self.says.unreadable.iter().map(error).collect()
    }

    fn merge_into(self, found: &mut BTreeMap<Fingerprint, (SetEntry, Certificate)>, probe: Option<&dyn KeyProbe>) {
        let fingerprint = self.certificate.fingerprint;
        let (key, key_provider, key_exportable) = self.key(probe);
        let entry = SetEntry::Certificate {
            certificate: fingerprint,
            key,
            name: self.says.name.as_deref().map(shown).filter(|name| !name.trim().is_empty()),
            properties: EntryProperties {
                key_provider,
                key_exportable,
                purposes: self.says.purposes,
                name_constraints: self.says.name_constraints,
                trust: None,
            },
        };
        let knows_more = |before: &SetEntry| key == KeyPresence::Present && !has_key(before);
        if found.get(&fingerprint).is_none_or(|(before, _)| knows_more(before)) {
            found.insert(fingerprint, (entry, self.certificate));
        }
    }

    fn key(&self, probe: Option<&dyn KeyProbe>) -> (KeyPresence, Option<String>, Option<bool>) {
        let Some(probe) = probe else { return (KeyPresence::NotExpected, None, None) };
        match &self.says.key {
            KeyReference::None => {
                let presence = |facts| key_presence(facts, KeyFound::No);
                (self.certificate.facts.as_ref().map_or(KeyPresence::Unknown, presence), None, None)
            }
            KeyReference::Unreadable => (KeyPresence::Present, None, None),
            KeyReference::Link(link) => {
                let provider = Some(shown(&link.provider)).filter(|name| !name.is_empty());
                match probe.look(link) {
                    KeyState::There { exportable } => (KeyPresence::Present, provider, exportable),
                    KeyState::Gone => (KeyPresence::Absent, provider, None),
                    KeyState::Unseen => (KeyPresence::Present, provider, None),
                }
            }
        }
    }
}

fn has_key(entry: &SetEntry) -> bool {
    matches!(entry, SetEntry::Certificate { key: KeyPresence::Present, .. })
}

fn unreadable(sha256: Option<Fingerprint>, item: &str, why: &str) -> SetEntry {
    SetEntry::Unreadable { sha256, name: Some(shown(item)), why: shown(why) }
}

fn shown(text: &str) -> String {
    tame_text(text, limits::SHORT_TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str, is_ca: bool) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        if is_ca {
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        }
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn link(container: &str) -> KeyReference {
        KeyReference::Link(KeyLink {
            container: container.to_owned(),
            provider: "provider".to_owned(),
            ..KeyLink::default()
        })
    }

    fn stored(item: &str, certificate: &SerializedCertificate) -> Stored {
        Stored { item: item.to_owned(), blob: Ok(certificate.to_bytes().unwrap()) }
    }

    fn content(stored: Vec<Stored>) -> Content {
        Content { stored, errors: Vec::new() }
    }

    /// Does not look: the keys are somebody else's.
    struct Blind;

    impl KeyProbe for Blind {
        fn look(&self, _link: &KeyLink) -> KeyState {
            KeyState::Unseen
        }
    }

    /// Knows one container.
    struct Keys(&'static str);

    impl KeyProbe for Keys {
        fn look(&self, link: &KeyLink) -> KeyState {
            if link.container == self.0 { KeyState::There { exportable: Some(false) } } else { KeyState::Gone }
        }
    }

    fn keys(reading: &Reading) -> Vec<(KeyPresence, Option<bool>)> {
        let key = |entry: &SetEntry| match entry {
            SetEntry::Certificate { key, properties, .. } => (*key, properties.key_exportable),
            SetEntry::Unreadable { .. } => panic!("{entry:?}"),
        };
        reading.entries.iter().map(key).collect()
    }

    fn one(key: KeyReference, der: Vec<u8>, probe: Option<&dyn KeyProbe>) -> (KeyPresence, Option<bool>) {
        let certificate = SerializedCertificate { key, ..SerializedCertificate::new(der) };
        keys(&reading(content(vec![stored("item", &certificate)]), probe))[0]
    }

    #[test]
    fn a_key_is_there_when_its_container_opens_and_absent_when_it_does_not() {
        let der = || certificate("client", false);
        let probe = Some(&Keys("c") as &dyn KeyProbe);
        assert_eq!(one(link("c"), der(), probe), (KeyPresence::Present, Some(false)));
        assert_eq!(one(link("d"), der(), probe), (KeyPresence::Absent, None));
        assert_eq!(one(link("d"), der(), Some(&Blind)), (KeyPresence::Present, None));
        assert_eq!(one(KeyReference::None, der(), probe), (KeyPresence::Absent, None));
        assert_eq!(one(KeyReference::None, certificate("ca", true), probe), (KeyPresence::NotExpected, None));
        assert_eq!(one(link("c"), der(), None), (KeyPresence::NotExpected, None));
    }

    #[test]
    fn a_certificate_in_registry_and_file_is_one_entry_and_the_one_with_a_key_counts() {
        let der = certificate("client", false);
        let without = SerializedCertificate::new(der.clone());
        let with = SerializedCertificate { key: link("c"), name: Some("鍵".to_owned()), ..without.clone() };
        for order in [[&without, &with], [&with, &without]] {
            let found = reading(content(order.map(|form| stored("item", form)).to_vec()), Some(&Blind));
            assert_eq!((found.entries.len(), found.certificates.len(), found.errors.len()), (1, 1, 0));
            let SetEntry::Certificate { key, name, properties, .. } = &found.entries[0] else { panic!() };
            assert_eq!((*key, name.as_deref()), (KeyPresence::Present, Some("鍵")));
            assert_eq!(properties.key_provider.as_deref(), Some("provider"));
        }
    }

    #[test]
    fn limits_are_told_and_one_that_cannot_be_read_is_an_error_beside_its_certificate() {
        let limited = SerializedCertificate {
            purposes: Some(vec!["1.3.6.1.5.5.7.3.1".to_owned()]),
            name_constraints: Some(vec![0x30, 0]),
            ..SerializedCertificate::new(certificate("limited", true))
        };
        let broken = SerializedCertificate {
            others: vec![(super::super::super::serialized::USAGE, vec![1, 2, 3])],
            ..SerializedCertificate::new(certificate("broken", true))
        };
        let found = reading(content(vec![stored("a", &limited), stored("b", &broken)]), None);
        let of_limited = found.entries.iter().any(|entry| {
            matches!(entry, SetEntry::Certificate { properties, .. }
                if properties.purposes == limited.purposes && properties.name_constraints == limited.name_constraints)
        });
        assert!(of_limited && found.entries.len() == 2);
        assert_eq!(found.errors.len(), 1);
        assert_eq!((found.errors[0].kind, found.errors[0].item.as_str()), (ReadErrorKind::Malformed, "b"));
    }

    #[test]
    fn both_halves_of_a_half_readable_store_are_told() {
        let denied = ReadError { kind: ReadErrorKind::AccessDenied, item: "c".to_owned(), detail: "no".to_owned() };
        let found = reading(
            content(vec![
                stored("a", &SerializedCertificate::new(certificate("good", true))),
                stored("b", &SerializedCertificate::new(b"\x30\x03junk".to_vec())),
                Stored { item: "c".to_owned(), blob: Err(denied.clone()) },
                Stored { item: "d".to_owned(), blob: Ok(b"junk".to_vec()) },
            ]),
            None,
        );
        let unreadable = found.entries.iter().filter(|entry| matches!(entry, SetEntry::Unreadable { .. })).count();
        assert_eq!((found.certificates.len(), unreadable), (1, 3));
        assert_eq!(found.errors, [denied]);
    }
}
