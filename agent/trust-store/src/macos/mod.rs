//! macOS: the keychains of the machine and of each user, through the `security` program.
//!
//! **Never run on a Mac.** It is type-checked for macOS, and its parsers and its planning are tested on output that was
//! written by hand after the program's published source and what others have shown of it. The program is used and not the
//! Security framework, so that nothing here is unsafe and a fake program can stand for it in tests.
//!
//! Reading asks nobody: certificates, their names and which of them have a key are told without unlocking a keychain.
//! Changing what is trusted cannot be done by a program since macOS 11, whatever its rights: a person has to confirm it,
//! or a device management's profile. A certificate that only stands in a keychain is not trusted, so putting it there
//! would look like a change and be none; [`ChangeError::NeedsUser`] says what has to be done in its place.

mod output;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use inkan_model::limits::{self, tame_text};
use inkan_model::properties::{EntryProperties, TrustFlags, TrustLevel};
use inkan_model::store::{KeyPresence, Location, ReadError, ReadErrorKind, Scope, SetEntry, StoreKind};
use inkan_model::{Certificate, Fingerprint};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use self::output::Sha1;
use crate::content::{Extension, FileContent, KeyFound, key_presence};
use crate::files::Users;
use crate::files::survey::{bounded, read_error, whole};
use crate::program::{Ended, Program};
use crate::{Anchor, AnchorStore, ChangeError, Changed, Keyring, Reading, StoreBackend};

/// The program.
const SECURITY: &str = "/usr/bin/security";
/// What a machine trusts besides what macOS brings.
const OF_MACHINE: &str = "/Library/Keychains/System.keychain";
/// What macOS brings.
const OF_SYSTEM: &str = "/System/Library/Keychains/SystemRootCertificates.keychain";
/// A user's keychains, below the home, present and old.
const OF_USERS: [&str; 2] = ["Library/Keychains/login.keychain-db", "Library/Keychains/login.keychain"];
/// How long one call of the program may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// How the program ends when there is no such item (`errSecItemNotFound`).
const NOT_FOUND: i32 = 44;
/// What it says where nobody changed what is trusted.
const NO_SETTINGS: &[u8] = b"No Trust Settings were found";

/// The keychains of this Mac.
#[derive(Clone, Debug)]
pub struct Keychains {
    root: PathBuf,
    security: PathBuf,
    users: Users,
    deadline: Duration,
}

/// Which keychain a Location is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Domain {
    Machine,
    System,
    User,
}

impl Default for Keychains {
    fn default() -> Self {
        Self {
            root: PathBuf::from("/"),
            security: PathBuf::from(SECURITY),
            users: Users::of_system(),
            deadline: DEADLINE,
        }
    }
}

impl Keychains {
    /// Looks below another folder than `/`, at the keychains of these users, with this program.
    pub fn below(root: &Path, users: Users, security: PathBuf) -> Self {
        Self { root: root.to_path_buf(), users, security, ..Self::default() }
    }

    fn find(&self) -> BTreeMap<Location, (Domain, PathBuf)> {
        let location = |scope, path: &Path| Location {
            kind: StoreKind::Keychain,
            scope,
            path: tame_text(&path.to_string_lossy(), limits::LONG_TEXT),
        };
        let mut found = BTreeMap::new();
        for (domain, path) in [(Domain::Machine, OF_MACHINE), (Domain::System, OF_SYSTEM)] {
            let file = self.root.join(path.trim_start_matches('/'));
            found.insert(location(Scope::Machine, Path::new(path)), (domain, file));
        }
        for user in self.users.list() {
            for below in OF_USERS {
                let path = user.home.join(below);
                found.insert(location(Scope::User(user.name.clone()), &path), (Domain::User, path));
            }
        }
        found.retain(|_, (_, file)| file.is_file());
        found
    }

    fn run(&self, arguments: &[&str], keychain: Option<&Path>) -> io::Result<Ended> {
        let mut all: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        all.extend(keychain.map(OsString::from));
        Program { path: &self.security, arguments: &all, secrets: &[], deadline: self.deadline, turn: None }.run()
    }

    /// What the program says, when it says it without complaint; nothing, when it found nothing.
    fn ask(&self, arguments: &[&str], keychain: Option<&Path>) -> Result<Vec<u8>, ReadError> {
        let item = arguments.first().copied().unwrap_or_default();
        let ended = self.run(arguments, keychain).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => {
                ReadError { kind: ReadErrorKind::TimedOut, item: item.to_owned(), detail: error.to_string() }
            }
            _ => read_error(item, &error),
        })?;
        let nothing = ended.code == Some(NOT_FOUND)
            || contains(&ended.complaints, NO_SETTINGS)
            || contains(&ended.output, NO_SETTINGS);
        match ended.is_success() {
            true => Ok(ended.output),
            false if nothing => Ok(Vec::new()),
            false => {
                let detail = tame_text(&ended.failure(), limits::SHORT_TEXT);
                Err(ReadError { kind: ReadErrorKind::Other, item: item.to_owned(), detail })
            }
        }
    }

    fn read_keychain(&self, domain: Domain, keychain: &Path) -> Reading {
        let bytes = match self.ask(&["find-certificate", "-a", "-p"], Some(keychain)) {
            Ok(bytes) => bytes,
            Err(error) => return Reading { errors: vec![error], ..Reading::default() },
        };
        let content = FileContent::read(&bytes, Extension::Pem, || &[]);
        let mut errors = Vec::new();
        if content.more {
            errors.push(whole(ReadErrorKind::TooLarge, format!("more than {} entries", limits::SET_ENTRIES)));
        }
        let mut told = |asked: Result<Vec<u8>, ReadError>| {
            asked.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(|error| errors.push(error)).ok()
        };
        let labels = told(self.ask(&["find-certificate", "-a", "-Z"], Some(keychain)));
        let labels = labels.map(|text| output::labels(&text)).unwrap_or_default();
        let identities = match domain {
            Domain::System => Identities::NotExpected,
            Domain::Machine | Domain::User => told(self.ask(&["find-identity"], Some(keychain)))
                .map_or(Identities::Unknown, |text| Identities::These(output::identities(&text))),
        };
        let trust = match domain {
            Domain::Machine => told(self.ask(&["dump-trust-settings", "-d"], None)),
            // What macOS brings is trusted for what it is, and a user's settings are shown to that user alone.
            Domain::System | Domain::User => None,
        };
        let trust = trust.map(|text| output::trust_settings(&text)).unwrap_or_default();
        let keychain = Understood { labels, identities, trust };
        keychain.reading(content, errors)
    }
}

impl Keychains {
    /// Why no program can change what this keychain stands for, and who can.
    fn refusal(&self, location: &Location) -> ChangeError {
        let read_only = |why: &str| ChangeError::ReadOnly { location: location.clone(), why: why.to_owned() };
        let needs_user = |why: &str| ChangeError::NeedsUser { location: location.clone(), why: why.to_owned() };
        match self.find().get(location) {
            None => read_only("it is not a keychain of this Mac"),
            Some((Domain::System, _)) => read_only("it is a part of macOS"),
            Some((Domain::Machine, _)) => needs_user(
                "since macOS 11 an administrator at this Mac has to confirm it with their password (Keychain Access, the \
                 certificate in the keychain System, Trust), or its device management has to bring a profile with the \
                 certificate",
            ),
            Some((Domain::User, _)) => needs_user(
                "this user has to confirm it with their password (Keychain Access, the certificate in the keychain login, \
                 Trust)",
            ),
        }
    }
}

/// Which certificates of a keychain have a key.
enum Identities {
    /// Certificates there have none by nature.
    NotExpected,
    These(BTreeSet<Sha1>),
    /// The program did not tell.
    Unknown,
}

/// What the program said about the certificates of one keychain.
struct Understood {
    labels: BTreeMap<Sha1, String>,
    identities: Identities,
    trust: Vec<output::TrustSettings>,
}

impl Understood {
    fn reading(&self, content: FileContent, mut errors: Vec<ReadError>) -> Reading {
        let names: Vec<_> = content.certificates.iter().map(|certificate| self.names(certificate)).collect();
        let mut entries = Vec::new();
        for (certificate, own) in content.certificates.iter().zip(&names) {
            let trust = self.trust_of(own, &names).unwrap_or_else(|name| {
                let detail = "several certificates of this name: which of them is trusted cannot be told".to_owned();
                errors.push(ReadError {
                    kind: ReadErrorKind::Other,
                    item: tame_text(&name, limits::LONG_TEXT),
                    detail,
                });
                None
            });
            entries.push(SetEntry::Certificate {
                certificate: certificate.fingerprint,
                key: self.key_of(certificate),
                name: self.labels.get(&sha1_of(certificate)).map(|label| tame_text(label, limits::SHORT_TEXT)),
                properties: EntryProperties { trust, ..EntryProperties::default() },
            });
        }
        let damaged = content.damaged.into_iter();
        entries.extend(damaged.map(|damaged| SetEntry::Unreadable {
            sha256: Some(damaged.sha256),
            name: None,
            why: damaged.why,
        }));
        let certificates: BTreeMap<_, _> = content.certificates.into_iter().map(|c| (c.fingerprint, c)).collect();
        Reading { entries, certificates: certificates.into_values().collect(), errors: bounded(errors) }
    }

    /// The names by which the program may speak of a certificate.
    fn names(&self, certificate: &Certificate) -> BTreeSet<String> {
        let label = self.labels.get(&sha1_of(certificate)).cloned();
        let common_name = certificate.facts.as_ref().ok().map(|facts| facts.common_name.clone());
        label.into_iter().chain(common_name).collect()
    }

    /// What is set for a certificate; the name as the error where it could be meant for another one too.
    fn trust_of(&self, own: &BTreeSet<String>, all: &[BTreeSet<String>]) -> Result<Option<TrustFlags>, String> {
        let mut meant = self.trust.iter().filter(|settings| own.contains(&settings.name));
        let Some(settings) = meant.next() else { return Ok(None) };
        let bearers = all.iter().filter(|names| names.contains(&settings.name)).count();
        if bearers == 1 && meant.next().is_none() { Ok(Some(settings.trust)) } else { Err(settings.name.clone()) }
    }

    fn key_of(&self, certificate: &Certificate) -> KeyPresence {
        let presence =
            |found| certificate.facts.as_ref().map_or(KeyPresence::Unknown, |facts| key_presence(facts, found));
        match &self.identities {
            Identities::NotExpected => KeyPresence::NotExpected,
            Identities::These(identities) if identities.contains(&sha1_of(certificate)) => KeyPresence::Present,
            Identities::These(_) => presence(KeyFound::No),
            Identities::Unknown => presence(KeyFound::Unknown),
        }
    }
}

impl StoreBackend for Keychains {
    fn discover(&self) -> Vec<Location> {
        self.find().into_keys().collect()
    }

    fn read(&self, location: &Location) -> Reading {
        let Some((domain, keychain)) = self.find().remove(location) else {
            let error = whole(ReadErrorKind::NotFound, "not a keychain of this Mac");
            return Reading { errors: vec![error], ..Reading::default() };
        };
        self.read_keychain(domain, &keychain)
    }

    fn keyring(&self) -> Option<&dyn Keyring> {
        None
    }

    fn anchors(&self) -> Option<&dyn AnchorStore> {
        Some(self)
    }
}

impl AnchorStore for Keychains {
    fn can_change(&self, location: &Location) -> Result<(), ChangeError> {
        Err(self.refusal(location))
    }

    fn find_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Option<Anchor>, ChangeError> {
        let Reading { entries, certificates, errors } = self.read(location);
        let Some(found) = certificates.into_iter().find(|held| held.fingerprint == certificate) else {
            return match errors.into_iter().next() {
                None => Ok(None),
                Some(error) => {
                    let cause = io::Error::other(error.detail);
                    Err(ChangeError::Io { step: format!("read the certificates of {location}"), cause })
                }
            };
        };
        let about = entries.into_iter().find_map(|entry| match entry {
            SetEntry::Certificate { certificate: held, name, properties, .. } if held == certificate => {
                Some((name, properties))
            }
            SetEntry::Certificate { .. } | SetEntry::Unreadable { .. } => None,
        });
        let (name, properties) = about.unwrap_or_default();
        Ok(Some(Anchor { der: found.der, name, properties }))
    }

    fn add_anchor(&self, location: &Location, anchor: &Anchor) -> Result<Changed, ChangeError> {
        let EntryProperties { purposes, name_constraints, trust, .. } = &anchor.properties;
        if purposes.is_some() || name_constraints.is_some() {
            let limit = "purposes or name constraints".to_owned();
            return Err(ChangeError::CannotLimit { location: location.clone(), limit });
        }
        let found = self.find_anchor(location, anchor.fingerprint())?;
        match found.and_then(|found| found.properties.trust) {
            Some(now) if now == trust.unwrap_or(EVERYWHERE) => Ok(Changed::AlreadySo),
            Some(_) | None => Err(self.refusal(location)),
        }
    }

    fn remove_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Changed, ChangeError> {
        match self.find_anchor(location, certificate)? {
            None => Ok(Changed::AlreadySo),
            Some(_) => Err(self.refusal(location)),
        }
    }
}

const EVERYWHERE: TrustFlags = TrustFlags {
    server: TrustLevel::Anchor,
    client: TrustLevel::Anchor,
    email: TrustLevel::Anchor,
    code: TrustLevel::Anchor,
};

fn sha1_of(certificate: &Certificate) -> Sha1 {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &certificate.der);
    let mut sha1 = [0; 20];
    sha1.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    sha1
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The door of the fuzzer: reads any text as what the `security` program prints.
#[cfg(fuzzing)]
pub fn fuzz(text: &str) {
    drop((output::labels(text), output::identities(text), output::trust_settings(text)));
}

#[cfg(test)]
mod tests;
