//! Anchors that the administrator added, in the folders from which the distribution's programs build the bundle; and the
//! folders beside them for what is never to be trusted.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use inkan_model::properties::{EntryProperties, TrustFlags, TrustLevel};
use inkan_model::store::{KeyPresence, Location, ReadErrorKind, Scope, SetEntry, StoreKind};

use super::Root;
use super::distribution::{ANCHORS, Anchors, DISTRUSTED};
use crate::files::PasswordFiles;
use crate::files::survey::{Interest, Survey, read_error, whole};
use crate::folder::{Folder, Gate, OpenGate};
use crate::{AnchorStore, Keyring, Reading, StoreBackend};

/// How long the program that makes the bundle may take, with all that others hung onto it.
const DEADLINE: Duration = Duration::from_mins(2);

/// Anchors added on this PC.
#[derive(Clone)]
pub struct LocalAnchors {
    pub(super) root: Root,
    pub(super) program: Option<(PathBuf, Vec<OsString>)>,
    pub(super) deadline: Duration,
    pub(super) gate: Arc<dyn Gate>,
}

/// What a Location is.
#[derive(Clone, Copy)]
pub(super) enum Named {
    Anchors(&'static Anchors),
    Distrusted(&'static str),
}

impl Default for LocalAnchors {
    fn default() -> Self {
        Self { root: Root::default(), program: None, deadline: DEADLINE, gate: Arc::new(OpenGate) }
    }
}

impl LocalAnchors {
    /// Looks below another folder than `/`, for folders and for programs.
    pub fn below(root: &Path) -> Self {
        Self { root: Root(root.to_path_buf()), ..Self::default() }
    }

    /// Lets this program make the bundle, called with these arguments before those of the distribution's program.
    #[must_use]
    pub fn with_program(self, path: PathBuf, arguments: Vec<OsString>) -> Self {
        Self { program: Some((path, arguments)), ..self }
    }

    /// Gives the program that makes the bundle so much time.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    #[cfg(test)]
    pub(super) fn with_gate(self, gate: Arc<dyn Gate>) -> Self {
        Self { gate, ..self }
    }

    /// What a Location is, when it is one of these.
    pub(super) fn named(location: &Location) -> Option<Named> {
        if (location.kind, &location.scope) != (StoreKind::LocalAnchors, &Scope::Machine) {
            return None;
        }
        let anchors = ANCHORS.iter().find(|anchors| anchors.folder == location.path).map(Named::Anchors);
        anchors.or_else(|| DISTRUSTED.into_iter().find(|path| *path == location.path).map(Named::Distrusted))
    }

    pub(super) fn folder(&self, path: &str) -> std::io::Result<Folder> {
        Folder::open(&self.root.at(path), Arc::clone(&self.gate))
    }
}

impl StoreBackend for LocalAnchors {
    fn discover(&self) -> Vec<Location> {
        let location =
            |path: &str| Location { kind: StoreKind::LocalAnchors, scope: Scope::Machine, path: path.to_owned() };
        let paths = ANCHORS.iter().map(|anchors| anchors.folder).chain(DISTRUSTED);
        paths.filter(|path| self.root.at(path).is_dir()).map(location).collect()
    }

    fn read(&self, location: &Location) -> Reading {
        let Some(named) = Self::named(location) else {
            let error = whole(ReadErrorKind::NotFound, "not a folder of anchors of this operating system");
            return Reading { errors: vec![error], ..Reading::default() };
        };
        let (path, only, trust) = match named {
            Named::Anchors(Anchors { folder, only, .. }) => (*folder, *only, None),
            Named::Distrusted(path) => (path, None, Some(NEVER)),
        };
        match self.folder(path) {
            Ok(folder) => as_anchors(survey(&folder, only).into_reading(), trust),
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

/// Trusted for nothing.
const NEVER: TrustFlags = TrustFlags {
    server: TrustLevel::Distrusted,
    client: TrustLevel::Distrusted,
    email: TrustLevel::Distrusted,
    code: TrustLevel::Distrusted,
};

pub(super) fn survey(folder: &Folder, only: Option<&str>) -> Survey {
    Survey::of(folder, Interest { passwords: &PasswordFiles::default(), only })
}

/// What stands here is trusted, or not, for what it is: no key belongs to it, whatever its extensions say.
fn as_anchors(mut reading: Reading, trust: Option<TrustFlags>) -> Reading {
    for entry in &mut reading.entries {
        if let SetEntry::Certificate { key, properties, .. } = entry {
            *key = KeyPresence::NotExpected;
            *properties = EntryProperties { trust, ..EntryProperties::default() };
        }
    }
    reading
}
