//! What a host holds: Locations, read errors, entries of sets, facts of the PC.

use inkan_model::digest::Fingerprint;
use inkan_model::host::HostFacts;
use inkan_model::limits;
use inkan_model::properties::EntryProperties;
use inkan_model::store::{KeyPresence, Location, ReadError, ReadErrorKind, Scope, SetEntry, StoreKind};

use crate::field::{self, InvalidMessage};
use crate::pb;

impl TryFrom<pb::Location> for Location {
    type Error = InvalidMessage;

    fn try_from(message: pb::Location) -> Result<Self, InvalidMessage> {
        let pb::Location { kind, user, path } = message;
        let scope =
            if user.is_empty() { Scope::Machine } else { Scope::User(field::name("user", user, limits::SHORT_TEXT)?) };
        Ok(Self { kind: store_kind(kind), scope, path: field::name("path", path, limits::LONG_TEXT)? })
    }
}

impl From<Location> for pb::Location {
    fn from(location: Location) -> Self {
        let Location { kind, scope, path } = location;
        let user = match scope {
            Scope::Machine => String::new(),
            Scope::User(name) => name,
        };
        Self { kind: store_kind_number(kind), user, path }
    }
}

fn store_kind(number: i32) -> StoreKind {
    match pb::StoreKind::try_from(number) {
        Ok(pb::StoreKind::SystemTrust) => StoreKind::SystemTrust,
        Ok(pb::StoreKind::LocalAnchors) => StoreKind::LocalAnchors,
        Ok(pb::StoreKind::Directory) => StoreKind::Directory,
        Ok(pb::StoreKind::UserDirectory) => StoreKind::UserDirectory,
        Ok(pb::StoreKind::WindowsStore) => StoreKind::WindowsStore,
        Ok(pb::StoreKind::Nss) => StoreKind::Nss,
        Ok(pb::StoreKind::Java) => StoreKind::Java,
        Ok(pb::StoreKind::Keychain) => StoreKind::Keychain,
        Ok(pb::StoreKind::Unspecified) | Err(_) => StoreKind::Unrecognized(number),
    }
}

fn store_kind_number(kind: StoreKind) -> i32 {
    let known = match kind {
        StoreKind::SystemTrust => pb::StoreKind::SystemTrust,
        StoreKind::LocalAnchors => pb::StoreKind::LocalAnchors,
        StoreKind::Directory => pb::StoreKind::Directory,
        StoreKind::UserDirectory => pb::StoreKind::UserDirectory,
        StoreKind::WindowsStore => pb::StoreKind::WindowsStore,
        StoreKind::Nss => pb::StoreKind::Nss,
        StoreKind::Java => pb::StoreKind::Java,
        StoreKind::Keychain => pb::StoreKind::Keychain,
        StoreKind::Unrecognized(number) => return number,
    };
    known.into()
}

impl TryFrom<pb::ReadError> for ReadError {
    type Error = InvalidMessage;

    fn try_from(message: pb::ReadError) -> Result<Self, InvalidMessage> {
        let pb::ReadError { kind, item, detail } = message;
        Ok(Self {
            kind: read_error_kind(kind),
            item: field::text("item", item, limits::LONG_TEXT)?,
            detail: field::text("detail", detail, limits::LONG_TEXT)?,
        })
    }
}

impl From<ReadError> for pb::ReadError {
    fn from(error: ReadError) -> Self {
        let ReadError { kind, item, detail } = error;
        Self { kind: read_error_kind_number(kind), item, detail }
    }
}

fn read_error_kind(number: i32) -> ReadErrorKind {
    match pb::ReadErrorKind::try_from(number) {
        Ok(pb::ReadErrorKind::AccessDenied) => ReadErrorKind::AccessDenied,
        Ok(pb::ReadErrorKind::NotFound) => ReadErrorKind::NotFound,
        Ok(pb::ReadErrorKind::TimedOut) => ReadErrorKind::TimedOut,
        Ok(pb::ReadErrorKind::TooLarge) => ReadErrorKind::TooLarge,
        Ok(pb::ReadErrorKind::PasswordNeeded) => ReadErrorKind::PasswordNeeded,
        Ok(pb::ReadErrorKind::Malformed) => ReadErrorKind::Malformed,
        Ok(pb::ReadErrorKind::Other) => ReadErrorKind::Other,
        Ok(pb::ReadErrorKind::Unspecified) | Err(_) => ReadErrorKind::Unrecognized(number),
    }
}

fn read_error_kind_number(kind: ReadErrorKind) -> i32 {
    let known = match kind {
        ReadErrorKind::AccessDenied => pb::ReadErrorKind::AccessDenied,
        ReadErrorKind::NotFound => pb::ReadErrorKind::NotFound,
        ReadErrorKind::TimedOut => pb::ReadErrorKind::TimedOut,
        ReadErrorKind::TooLarge => pb::ReadErrorKind::TooLarge,
        ReadErrorKind::PasswordNeeded => pb::ReadErrorKind::PasswordNeeded,
        ReadErrorKind::Malformed => pb::ReadErrorKind::Malformed,
        ReadErrorKind::Other => pb::ReadErrorKind::Other,
        ReadErrorKind::Unrecognized(number) => return number,
    };
    known.into()
}

impl TryFrom<pb::SetEntry> for SetEntry {
    type Error = InvalidMessage;

    fn try_from(message: pb::SetEntry) -> Result<Self, InvalidMessage> {
        match message.entry {
            Some(pb::set_entry::Entry::Certificate(entry)) => {
                certificate_entry(entry).map_err(|refused| refused.within("certificate"))
            }
            Some(pb::set_entry::Entry::Unreadable(entry)) => {
                unreadable_entry(entry).map_err(|refused| refused.within("unreadable"))
            }
            // The digest of a set covers every entry, so one that cannot be understood cannot be kept.
            None => Err(InvalidMessage::new("entry", "is missing, or of a kind that is not known here")),
        }
    }
}

fn certificate_entry(entry: pb::CertificateEntry) -> Result<SetEntry, InvalidMessage> {
    let pb::CertificateEntry { sha256, key, name, properties } = entry;
    let properties = properties.map(EntryProperties::try_from).transpose();
    Ok(SetEntry::Certificate {
        certificate: field::digest("sha256", &sha256, Fingerprint::from_slice)?,
        // A number that is not known survives: it enters the digest of the set as it is, on both sides.
        key: KeyPresence::from_number(key),
        name: field::optional_text("name", name, limits::LONG_TEXT)?,
        properties: properties.map_err(|refused| refused.within("properties"))?.unwrap_or_default(),
    })
}

fn unreadable_entry(entry: pb::UnreadableEntry) -> Result<SetEntry, InvalidMessage> {
    let pb::UnreadableEntry { sha256, name, why } = entry;
    let sha256 = match sha256.as_slice() {
        [] => None,
        bytes => Some(field::digest("sha256", bytes, Fingerprint::from_slice)?),
    };
    Ok(SetEntry::Unreadable {
        sha256,
        name: field::optional_text("name", name, limits::LONG_TEXT)?,
        why: field::text("why", why, limits::LONG_TEXT)?,
    })
}

impl From<SetEntry> for pb::SetEntry {
    fn from(entry: SetEntry) -> Self {
        let entry = match entry {
            SetEntry::Certificate { certificate, key, name, properties } => {
                let sha256 = certificate.as_bytes().to_vec();
                let key = key.number();
                let properties = (!properties.is_empty()).then(|| properties.into());
                pb::set_entry::Entry::Certificate(pb::CertificateEntry { sha256, key, name, properties })
            }
            SetEntry::Unreadable { sha256, name, why } => {
                let sha256 = sha256.map(|digest| digest.as_bytes().to_vec()).unwrap_or_default();
                pb::set_entry::Entry::Unreadable(pb::UnreadableEntry { sha256, name, why })
            }
        };
        Self { entry: Some(entry) }
    }
}

impl TryFrom<pb::HostFacts> for HostFacts {
    type Error = InvalidMessage;

    fn try_from(message: pb::HostFacts) -> Result<Self, InvalidMessage> {
        let pb::HostFacts {
            host_name,
            os,
            os_version,
            kernel,
            architecture,
            agent_version,
            model,
            cores,
            memory_mib,
            users,
            time_zone,
        } = message;
        Ok(Self {
            host_name: field::name("host_name", host_name, limits::SHORT_TEXT)?,
            os: field::text("os", os, limits::SHORT_TEXT)?,
            os_version: field::text("os_version", os_version, limits::SHORT_TEXT)?,
            kernel: field::text("kernel", kernel, limits::SHORT_TEXT)?,
            architecture: field::text("architecture", architecture, limits::SHORT_TEXT)?,
            agent_version: field::text("agent_version", agent_version, limits::SHORT_TEXT)?,
            model: field::optional_text("model", model, limits::SHORT_TEXT)?,
            cores,
            memory_mib,
            users: field::each("users", users, limits::USERS, |user| field::name("", user, limits::SHORT_TEXT))?,
            time_zone: field::optional_text("time_zone", time_zone, limits::SHORT_TEXT)?,
        })
    }
}

impl From<HostFacts> for pb::HostFacts {
    fn from(facts: HostFacts) -> Self {
        let HostFacts {
            host_name,
            os,
            os_version,
            kernel,
            architecture,
            agent_version,
            model,
            cores,
            memory_mib,
            users,
            time_zone,
        } = facts;
        Self {
            host_name,
            os,
            os_version,
            kernel,
            architecture,
            agent_version,
            model,
            cores,
            memory_mib,
            users,
            time_zone,
        }
    }
}
