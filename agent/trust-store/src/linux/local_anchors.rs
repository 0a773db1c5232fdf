//! Anchors that the administrator added, in the folders from which the distribution's tools build the bundle.

use std::path::Path;
use std::sync::Arc;

use inkan_model::store::{KeyPresence, Location, ReadErrorKind, Scope, SetEntry, StoreKind};

use super::Root;
use crate::files::PasswordFiles;
use crate::files::survey::{Interest, Survey, read_error, whole};
use crate::folder::{Folder, OpenGate};
use crate::{Keyring, Reading, StoreBackend};

/// The folders, with the only extension that the tool behind each takes, where it takes one only.
const FOLDERS: [(&str, Option<&str>); 4] = [
    ("/usr/local/share/ca-certificates", Some("crt")),
    ("/etc/pki/ca-trust/source/anchors", None),
    ("/etc/pki/trust/anchors", None),
    ("/etc/ca-certificates/trust-source/anchors", None),
];

/// Anchors added on this PC.
#[derive(Clone, Debug, Default)]
pub struct LocalAnchors(Root);

impl LocalAnchors {
    /// Looks below another folder than `/`.
    pub fn below(root: &Path) -> Self {
        Self(Root(root.to_path_buf()))
    }
}

impl StoreBackend for LocalAnchors {
    fn discover(&self) -> Vec<Location> {
        let location = |(path, _): (&str, _)| Location {
            kind: StoreKind::LocalAnchors,
            scope: Scope::Machine,
            path: path.to_owned(),
        };
        FOLDERS.into_iter().filter(|(path, _)| self.0.at(path).is_dir()).map(location).collect()
    }

    fn read(&self, location: &Location) -> Reading {
        let named = FOLDERS.into_iter().find(|(path, _)| *path == location.path);
        let Some((path, only)) = named.filter(|_| location.kind == StoreKind::LocalAnchors) else {
            let error = whole(ReadErrorKind::NotFound, "not a folder of anchors of this operating system");
            return Reading { errors: vec![error], ..Reading::default() };
        };
        match Folder::open(&self.0.at(path), Arc::new(OpenGate)) {
            Ok(folder) => {
                let passwords = PasswordFiles::default();
                as_anchors(Survey::of(&folder, Interest { passwords: &passwords, only }).into_reading())
            }
            Err(error) => Reading { errors: vec![read_error("", &error)], ..Reading::default() },
        }
    }

    fn keyring(&self) -> Option<&dyn Keyring> {
        None
    }
}

/// What stands here is trusted for what it is: no key belongs to it, whatever its extensions say.
fn as_anchors(mut reading: Reading) -> Reading {
    for entry in &mut reading.entries {
        if let SetEntry::Certificate { key, .. } = entry {
            *key = KeyPresence::NotExpected;
        }
    }
    reading
}
