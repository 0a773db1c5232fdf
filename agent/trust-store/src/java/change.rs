//! Adding and removing trusted certificates of a keystore.
//!
//! The new file is made and read in memory, then written beside the old one under another name and renamed over it. Right
//! before that the old file is compared with the one that the change started from, so that a change which somebody else
//! made meanwhile is started from and not lost.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use inkan_model::limits::tame_text;
use inkan_model::store::Location;
use inkan_model::{Certificate, EntryProperties, Fingerprint};
use zeroize::Zeroizing;

use super::keystore::{Contents, Form, Integrity, Keystore};
use super::keytool::{self, Keytool};
use super::places::Place;
use super::{JavaKeystores, jks};
use crate::files::survey::FILE_BYTES;
use crate::folder::{Content, Folder};
use crate::turn::Turn;
use crate::{Anchor, AnchorStore, ChangeError, Changed};

/// At the end of the name of the file as it was before the first change.
const BACKUP: &str = ".inkan-backup";
/// At the end of the name under which the new file is written.
const NEW: &str = ".inkan-new";
/// How often a change starts anew because somebody else was quicker.
const TRIES: usize = 5;
/// How long a file that is in use is waited for, where that keeps it from being replaced.
const IN_USE: Duration = Duration::from_secs(5);
/// How often it is tried meanwhile.
const LOOK: Duration = Duration::from_millis(50);
/// Characters of an alias.
const ALIAS: usize = 200;

impl AnchorStore for JavaKeystores {
    fn can_change(&self, location: &Location) -> Result<(), ChangeError> {
        let target = Target::open(self, location)?;
        target.start()?.writer(&target)?;
        target.folder.may_change().map_err(|cause| target.failed("write in its folder", cause))
    }

    fn find_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Option<Anchor>, ChangeError> {
        let keystore = Target::open(self, location)?.start()?.keystore;
        let held = keystore.trusted().find(|held| Fingerprint::of(&held.der) == certificate);
        Ok(held.map(|held| Anchor {
            der: held.der.clone(),
            name: Some(held.alias.clone()),
            properties: EntryProperties::default(),
        }))
    }

    fn add_anchor(&self, location: &Location, anchor: &Anchor) -> Result<Changed, ChangeError> {
        anchor.refuse_limits(location)?;
        if let Err(error) = Certificate::read(anchor.der.clone()).facts {
            return Err(ChangeError::Crypto { what: error.to_string() });
        }
        Target::open(self, location)?.change(&Wanted::There(anchor))
    }

    fn remove_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Changed, ChangeError> {
        Target::open(self, location)?.change(&Wanted::Gone(certificate))
    }
}

/// What a change leads to.
enum Wanted<'w> {
    There(&'w Anchor),
    Gone(Fingerprint),
}

/// One change of a keystore.
pub(super) enum Edit<'e> {
    Add { alias: String, der: &'e [u8] },
    Remove { certificate: Fingerprint, aliases: Vec<String> },
}

impl<'e> Edit<'e> {
    /// The change, and what the keystore holds after it.
    fn of(keystore: &Keystore, wanted: &Wanted<'e>) -> (Self, Contents) {
        let before = keystore.contents();
        match wanted {
            Wanted::There(anchor) => {
                let alias = alias_for(anchor, keystore);
                let after = before.with_trusted(&alias, &anchor.der);
                (Self::Add { alias, der: &anchor.der }, after)
            }
            Wanted::Gone(certificate) => {
                let meant = keystore.trusted().filter(|held| Fingerprint::of(&held.der) == *certificate);
                let aliases = meant.map(|held| held.alias.clone()).collect();
                (Self::Remove { certificate: *certificate, aliases }, before.without_trusted(*certificate))
            }
        }
    }

    fn in_jks(&self, bytes: &[u8], password: &str) -> Result<Vec<u8>, jks::Broken> {
        let mut jks = jks::read(bytes).map_err(|(_, broken)| broken)?;
        match self {
            Self::Add { alias, der } => jks.add_trusted(alias, der),
            Self::Remove { certificate, .. } => jks.remove_trusted(*certificate),
        }
        Ok(jks.write(password))
    }
}

/// A name of the anchor's own, or one made from its fingerprint: Java knows lower case only, and what lower case is
/// outside of ASCII depends on whom one asks.
fn alias_for(anchor: &Anchor, keystore: &Keystore) -> String {
    let own = anchor.name.as_deref().map(|name| tame_text(name.trim(), ALIAS));
    let own = own.filter(|name| keytool::takes_alias(name) && name.chars().all(|c| c.is_ascii() || !c.is_uppercase()));
    let made = format!("inkan-{}", anchor.fingerprint().to_string().chars().take(12).collect::<String>());
    let further = (2_u32..).map(|number| format!("{made}-{number}"));
    let mut names = own.map(|name| name.to_ascii_lowercase()).into_iter().chain([made.clone()]).chain(further);
    names.find(|name| !keystore.has_alias(name)).unwrap_or(made)
}

/// A keystore that is to be changed.
struct Target<'t> {
    store: &'t JavaKeystores,
    location: &'t Location,
    place: Place,
    folder: Folder,
}

/// What a change starts from.
struct Start {
    content: Content,
    keystore: Keystore,
}

/// Who makes the new file.
enum Writer<'w> {
    Ourselves(&'w Zeroizing<String>),
    Keytool(Keytool, &'w Zeroizing<String>),
}

/// A new file, and what it must read back as.
struct Made {
    bytes: Vec<u8>,
    contents: Contents,
}

impl<'t> Target<'t> {
    fn open(store: &'t JavaKeystores, location: &'t Location) -> Result<Self, ChangeError> {
        let Some(place) = store.place(location) else {
            return Err(read_only(location, "it is not a keystore that Java uses on this PC"));
        };
        let io = |cause| ChangeError::Io { step: format!("open the folder of {location}"), cause };
        let folder = store.places.folder(&place).map_err(io)?;
        Ok(Self { store, location, place, folder })
    }

    fn start(&self) -> Result<Start, ChangeError> {
        let content = self.read(&self.place.name)?;
        let keystore = self.understand(&content.bytes);
        Ok(Start { content, keystore })
    }

    fn change(&self, wanted: &Wanted<'_>) -> Result<Changed, ChangeError> {
        let _turn =
            Turn::take(&self.place.folder_path()).map_err(|cause| self.failed("have the keystore to itself", cause))?;
        for _ in 0..TRIES {
            let start = self.start()?;
            let is_there = |certificate| start.keystore.alias_of(certificate).is_some();
            let is_so = match wanted {
                Wanted::There(anchor) => is_there(anchor.fingerprint()),
                Wanted::Gone(certificate) => !is_there(*certificate),
            };
            if is_so {
                self.drop_backup_of(&start.keystore.contents());
                return Ok(Changed::AlreadySo);
            }
            let made = self.make(&start, wanted)?;
            if self.replace(&start, &made)? {
                self.drop_backup_of(&made.contents);
                return Ok(Changed::AfterRestart { application: "Java".to_owned() });
            }
        }
        Err(self.not_confirmed("something else changes it all the time"))
    }

    /// Makes the new file, and reads it as whoever uses it will.
    fn make(&self, start: &Start, wanted: &Wanted<'_>) -> Result<Made, ChangeError> {
        let Start { content, keystore } = start;
        let (edit, contents) = Edit::of(keystore, wanted);
        let bytes = match start.writer(self)? {
            Writer::Ourselves(password) => edit.in_jks(&content.bytes, password).map_err(|broken| {
                let cause = io::Error::new(io::ErrorKind::InvalidData, broken);
                self.failed("read it again", cause)
            })?,
            Writer::Keytool(keytool, password) => keytool
                .edit(&content.bytes, password, &edit)
                .map_err(|cause| self.failed("let keytool change a copy of it", cause))?,
        };
        if self.understand(&bytes).contents() == contents {
            Ok(Made { bytes, contents })
        } else {
            Err(self.not_confirmed("what was made does not hold everything that it should"))
        }
    }

    /// Puts the new file in the old one's place. Does nothing, and says so, when the old one is not what it was.
    fn replace(&self, start: &Start, made: &Made) -> Result<bool, ChangeError> {
        let name = &self.place.name;
        let temporary = format!("{name}{NEW}");
        let access = start.content.access;
        let backed_up = self.back_up(&start.content)?;
        let write = self.folder.remove(&temporary).and_then(|()| self.folder.create(&temporary, &made.bytes, access));
        let written = write.map_err(|cause| self.failed("write the new file", cause));
        let replaced = written.and_then(|()| self.put_in_place(&temporary, &start.content));
        if !matches!(replaced, Ok(true)) {
            self.clean_up(&[&temporary]);
            if backed_up {
                self.clean_up(&[&self.backup()]);
            }
            return replaced;
        }
        // Without it a power cut may bring the old file back whole, which the next look finds out.
        if let Err(error) = self.folder.sync() {
            tracing::warn!(location = %self.location, %error, "the change of a keystore may not survive a power cut");
        }
        if self.understand(&self.read(name)?.bytes).contents() == made.contents {
            return Ok(true);
        }
        let undone = self.folder.replace(name, &temporary, &start.content.bytes, access);
        undone.map_err(|cause| self.failed("put the old file back", cause))?;
        Err(self.not_confirmed("it reads back as something else"))
    }

    /// Renames the new file over the old one, where that is what it was.
    fn put_in_place(&self, temporary: &str, old: &Content) -> Result<bool, ChangeError> {
        let name = &self.place.name;
        let began = Instant::now();
        loop {
            if self.read(name)?.bytes != old.bytes {
                return Ok(false);
            }
            match self.folder.rename(temporary, &self.folder, name) {
                Ok(()) => return Ok(true),
                // Windows refuses while anybody has the file open, be it to read it once as each Java does when it starts.
                Err(error) if cfg!(windows) && is_in_use(&error) && began.elapsed() < IN_USE => thread::sleep(LOOK),
                Err(cause) => return Err(self.failed("put the new file in its place", cause)),
            }
        }
    }

    /// Keeps the file as it is before the first change; says whether this was it.
    fn back_up(&self, content: &Content) -> Result<bool, ChangeError> {
        let backup = self.backup();
        let failed = |cause| self.failed("write the backup beside it", cause);
        if self.folder.kind(&backup).map_err(failed)?.is_some() {
            return Ok(false);
        }
        // Written under another name first: half a backup would be worse than none.
        let temporary = format!("{backup}{NEW}");
        self.folder.replace(&backup, &temporary, &content.bytes, content.access).map(|()| true).map_err(|cause| {
            self.clean_up(&[&temporary]);
            failed(cause)
        })
    }

    /// Drops the backup once the keystore holds what it held before the first change. The change itself is made by then,
    /// so a backup that cannot be removed fails nothing.
    fn drop_backup_of(&self, contents: &Contents) {
        let backup = self.backup();
        let is_needless = || match self.folder.kind(&backup) {
            Ok(Some(_)) => self
                .folder
                .read(&backup, FILE_BYTES)
                .is_ok_and(|kept| self.understand(&kept.bytes).contents() == *contents),
            Ok(None) | Err(_) => false,
        };
        if is_needless() {
            self.clean_up(&[&backup]);
        }
    }

    fn clean_up(&self, names: &[&str]) {
        for name in names {
            if let Err(error) = self.folder.remove(name) {
                tracing::warn!(location = %self.location, name, %error, "a file beside a keystore could not be removed");
            }
        }
    }

    fn backup(&self) -> String {
        format!("{}{BACKUP}", self.place.name)
    }

    fn read(&self, name: &str) -> Result<Content, ChangeError> {
        self.folder.read(name, FILE_BYTES).map_err(|cause| self.failed("read it", cause))
    }

    fn understand(&self, bytes: &[u8]) -> Keystore {
        Keystore::read(bytes, &self.store.passwords.load().known)
    }

    /// An operating system has several ways to say that something cannot be written; whoever asked needs one.
    fn failed(&self, step: &str, cause: io::Error) -> ChangeError {
        match cause.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                read_only(self.location, &format!("could not {step}: {cause}"))
            }
            _ => ChangeError::Io { step: format!("{step}: {}", self.location), cause },
        }
    }

    fn not_confirmed(&self, why: &str) -> ChangeError {
        ChangeError::NotConfirmed { location: self.location.clone(), why: why.to_owned() }
    }
}

impl Start {
    /// Who can write the changed file, or why nobody can.
    fn writer(&self, target: &Target<'_>) -> Result<Writer<'_>, ChangeError> {
        let refuse = |why| Err(read_only(target.location, why));
        if target.place.generated {
            return refuse("the operating system makes it anew from its own anchors, so these are what to change");
        }
        let (password, sealed) = match &self.keystore.integrity {
            Integrity::Sealed(password) => (password, true),
            Integrity::Open(password) => (password, false),
            Integrity::Unknown => return refuse("no known password fits, or it is damaged"),
        };
        match self.keystore.form {
            Form::Jks => Ok(Writer::Ourselves(password)),
            Form::Pkcs12 if sealed && password.is_empty() => {
                refuse("its password is empty, which keytool does not take")
            }
            Form::Pkcs12 => match Keytool::find(&target.store.places, target.place.runtime.as_deref()) {
                Some(keytool) => Ok(Writer::Keytool(keytool, password)),
                None => refuse("it is PKCS#12, and there is no keytool that the agent may run to write it"),
            },
            Form::Unusable => refuse("it is damaged"),
        }
    }
}

/// Whether an error may mean that another program has a file open (`ERROR_ACCESS_DENIED`, `ERROR_SHARING_VIOLATION`).
fn is_in_use(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(5 | 32))
}

fn read_only(location: &Location, why: &str) -> ChangeError {
    ChangeError::ReadOnly { location: location.clone(), why: why.to_owned() }
}
