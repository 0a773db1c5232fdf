//! Java: the keystores of each runtime and of each user, which Java uses in the place of the operating system's anchors.
//!
//! Changing one keeps everything else in it: other certificates, keys as the ciphertext that they are, names, order. The
//! file as it was before the first change stays beside it, with `.inkan-backup` at the end of its name, until the
//! keystore holds the same again. A keystore that the distribution makes from the system's anchors is not changed here,
//! because it would come back: the system's anchors are what to change. No password is ever part of an error, a log or a
//! program's arguments.

mod change;
mod jks;
mod keystore;
mod keytool;
mod places;
#[cfg(windows)]
mod registry;
mod serialized;

use std::path::PathBuf;
use std::sync::Arc;

use inkan_model::store::{Location, ReadErrorKind};

use self::keystore::Keystore;
use self::places::{Place, Places};
use crate::files::survey::{FILE_BYTES, read_error, whole};
use crate::files::{PasswordFiles, Users};
use crate::folder::OpenGate;
use crate::{AnchorStore, Keyring, Reading, StoreBackend};

/// The Java keystores of this PC.
#[derive(Clone)]
pub struct JavaKeystores {
    places: Places,
    passwords: PasswordFiles,
}

impl JavaKeystores {
    /// The keystores of every runtime of this PC, and of every user.
    pub fn of_system() -> Self {
        Self { places: Places::of_system(), passwords: PasswordFiles::default() }
    }

    /// The keystores of the runtimes in these folders, and no others.
    pub fn of_runtimes_in(roots: Vec<PathBuf>) -> Self {
        let places = Places {
            roots,
            runtimes: Vec::new(),
            users: Users::Given(Vec::new()),
            keystores: Vec::new(),
            generated: Vec::new(),
            gate: Arc::new(OpenGate),
        };
        Self { places, passwords: PasswordFiles::default() }
    }

    /// Looks into the homes of these users.
    #[must_use]
    pub fn with_users(self, users: Users) -> Self {
        Self { places: Places { users, ..self.places }, ..self }
    }

    /// Adds keystores by absolute path, such as that of an application which brings its own runtime.
    #[must_use]
    pub fn with_keystores(self, keystores: Vec<PathBuf>) -> Self {
        Self { places: Places { keystores, ..self.places }, ..self }
    }

    /// Names keystores that the distribution makes anew from the system's anchors.
    #[must_use]
    pub fn with_generated(self, generated: Vec<PathBuf>) -> Self {
        Self { places: Places { generated, ..self.places }, ..self }
    }

    /// Adds files with passwords, one per line, to the customary ones.
    #[must_use]
    pub fn with_password_files(self, files: Vec<PathBuf>) -> Self {
        Self { passwords: PasswordFiles(files), ..self }
    }

    #[cfg(test)]
    fn with_gate(self, gate: Arc<dyn crate::folder::Gate>) -> Self {
        Self { places: Places { gate, ..self.places }, ..self }
    }

    /// The keystore of a Location, as it is found now: whatever is asked for, nothing else is opened.
    fn place(&self, location: &Location) -> Option<Place> {
        self.places.find().remove(location)
    }
}

impl StoreBackend for JavaKeystores {
    fn discover(&self) -> Vec<Location> {
        self.places.find().into_keys().collect()
    }

    fn read(&self, location: &Location) -> Reading {
        let Some(place) = self.place(location) else {
            let error = whole(ReadErrorKind::NotFound, "not a keystore that Java uses on this PC");
            return Reading { errors: vec![error], ..Reading::default() };
        };
        match self.places.folder(&place).and_then(|folder| folder.read(&place.name, FILE_BYTES)) {
            Ok(content) => {
                let passwords = self.passwords.load();
                let mut reading = Keystore::read(&content.bytes, &passwords.known).into_reading();
                reading.errors.extend(passwords.errors);
                reading
            }
            Err(error) => Reading { errors: vec![read_error("", &error)], ..Reading::default() },
        }
    }

    fn keyring(&self) -> Option<&dyn Keyring> {
        None
    }

    fn anchors(&self) -> Option<&dyn AnchorStore> {
        Some(self)
    }
}

/// The door of the fuzzer: reads any bytes as a keystore; one that was read whole is written as it was.
#[cfg(fuzzing)]
pub fn fuzz(bytes: &[u8]) {
    drop(Keystore::read(bytes, &[]).into_reading());
    if let Ok(jks) = jks::read(bytes)
        && jks.is_sealed_by("changeit")
    {
        assert!(jks.write("changeit") == bytes, "a keystore is not written as it was read");
    }
}

#[cfg(test)]
mod tests;
