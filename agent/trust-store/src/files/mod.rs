//! Directories with certificate and key files: the machine's, named by the administrator, and each user's own.
//!
//! A Location is only read or changed when it is one of those that the settings name, whatever the server asks for.
//! Below a user's home no link is followed, because the user decides where it leads and the agent has more rights.

mod existing_key;
mod keyring;
mod passwords;
pub(crate) mod survey;
mod users;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inkan_model::Fingerprint;
use inkan_model::limits::{self, tame_text};
use inkan_model::store::{Location, ReadErrorKind, Scope, StoreKind};

pub(crate) use self::passwords::PasswordFiles;
use self::survey::{Interest, Survey, read_error, whole};
pub use self::users::{ListUsers, User, Users};
use crate::folder::{Folder, Gate, OpenGate};
use crate::{ChangeError, Keyring, PrivateKey, Reading, StoreBackend};

/// The directories that the settings name.
pub struct Directories {
    machine: Vec<PathBuf>,
    in_homes: Vec<PathBuf>,
    users: Users,
    passwords: PasswordFiles,
    gate: Arc<dyn Gate>,
}

/// Where a Location's folder is: a path to open as it is, and a way below it without links.
struct Root {
    base: PathBuf,
    below: PathBuf,
}

impl Directories {
    /// Takes directories of the machine, by absolute path.
    pub fn new(machine: Vec<PathBuf>) -> Self {
        Self {
            machine,
            in_homes: Vec::new(),
            users: Users::Given(Vec::new()),
            passwords: PasswordFiles::default(),
            gate: Arc::new(OpenGate),
        }
    }

    /// Adds directories of each user, by path below the home directory.
    #[must_use]
    pub fn with_user_directories(self, in_homes: Vec<PathBuf>, users: Users) -> Self {
        Self { in_homes, users, ..self }
    }

    /// Adds files with passwords for PKCS#12 files, one per line.
    #[must_use]
    pub fn with_password_files(self, files: Vec<PathBuf>) -> Self {
        Self { passwords: PasswordFiles(files), ..self }
    }

    #[cfg(test)]
    fn with_gate(self, gate: Arc<dyn Gate>) -> Self {
        Self { gate, ..self }
    }

    /// The folder of a Location, when the settings name it.
    fn root(&self, location: &Location) -> Option<Root> {
        match (location.kind, &location.scope) {
            (StoreKind::Directory, Scope::Machine) => {
                let named = self.machine.iter().find(|path| shown(path) == location.path)?;
                Some(Root { base: named.clone(), below: PathBuf::new() })
            }
            (StoreKind::UserDirectory, Scope::User(name)) => {
                let user = self.users.list().into_iter().find(|user| user.name == *name)?;
                let below = self.in_homes.iter().find(|below| shown(&user.home.join(below)) == location.path)?;
                Some(Root { base: user.home, below: below.clone() })
            }
            _ => None,
        }
    }

    fn open(&self, root: &Root) -> std::io::Result<Folder> {
        let base = Folder::open(&root.base, Arc::clone(&self.gate))?;
        if root.below.as_os_str().is_empty() { Ok(base) } else { base.open_beneath(&root.below) }
    }

    fn survey(&self, folder: &Folder) -> Survey {
        Survey::of(folder, Interest { passwords: &self.passwords, only: None })
    }
}

impl StoreBackend for Directories {
    /// A directory of the machine is there because it was asked for, even when it is missing; a user's when it exists.
    fn discover(&self) -> Vec<Location> {
        let of_machine = self.machine.iter().map(|path| Location {
            kind: StoreKind::Directory,
            scope: Scope::Machine,
            path: shown(path),
        });
        let mut found: Vec<_> = of_machine.collect();
        for user in self.users.list() {
            for below in &self.in_homes {
                let root = Root { base: user.home.clone(), below: below.clone() };
                let missing = |error: std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
                if !self.open(&root).is_err_and(missing) {
                    let path = shown(&user.home.join(below));
                    let scope = Scope::User(user.name.clone());
                    found.push(Location { kind: StoreKind::UserDirectory, scope, path });
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn read(&self, location: &Location) -> Reading {
        let Some(root) = self.root(location) else {
            let error = whole(ReadErrorKind::NotFound, "the settings do not name this directory");
            return Reading { errors: vec![error], ..Reading::default() };
        };
        match self.open(&root) {
            Ok(folder) => self.survey(&folder).into_reading(),
            Err(error) => Reading { errors: vec![read_error("", &error)], ..Reading::default() },
        }
    }

    fn keyring(&self) -> Option<&dyn Keyring> {
        Some(self)
    }

    fn existing_key(
        &self,
        location: &Location,
        certificate: Fingerprint,
    ) -> Option<Result<Box<dyn PrivateKey>, ChangeError>> {
        self.root(location).map(|root| self.find_existing_key(&root, location, certificate))
    }

    fn exposed_keys(&self, location: &Location) -> Vec<String> {
        let Some(folder) = self.root(location).and_then(|root| self.open(&root).ok()) else { return Vec::new() };
        let files = self.survey(&folder).folders.into_iter().flat_map(|folder| folder.files);
        let exposed = |file: survey::FileReading| match file.outcome {
            // A PKCS#12 file guards its key by its password.
            Ok(opened) if opened.content.form == crate::content::Form::Pkcs12 => None,
            Ok(opened) if opened.content.keys.any() && opened.access.is_open_to_all() => Some(file.shown),
            Ok(_) | Err(_) => None,
        };
        files.filter_map(exposed).collect()
    }
}

/// A path as a Location tells it.
fn shown(path: &Path) -> String {
    tame_text(&path.to_string_lossy(), limits::LONG_TEXT)
}

#[cfg(test)]
mod tests;
