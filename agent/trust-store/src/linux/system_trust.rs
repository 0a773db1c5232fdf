//! The bundle of trusted roots, as the distribution's tools write it and applications read it.

use std::path::Path;
use std::sync::Arc;

use inkan_model::limits;
use inkan_model::store::{KeyPresence, Location, ReadError, ReadErrorKind, Scope, SetEntry, StoreKind};

use super::Root;
use crate::content::{Extension, FileContent};
use crate::files::survey::{FILE_BYTES, bounded, read_error, whole};
use crate::folder::{Folder, OpenGate};
use crate::{Keyring, Reading, StoreBackend};

/// Where distributions keep it; the first that exists counts.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The operating system's trust bundle.
#[derive(Clone, Debug, Default)]
pub struct SystemTrust(Root);

impl SystemTrust {
    /// Looks below another folder than `/`.
    pub fn below(root: &Path) -> Self {
        Self(Root(root.to_path_buf()))
    }

    /// The bundle as it is now; `None` where there is none.
    pub(super) fn read_bundle(&self) -> std::io::Result<Option<FileContent>> {
        self.bundle().map(|path| read_whole(&self.0.at(path))).transpose()
    }

    fn bundle(&self) -> Option<&'static str> {
        BUNDLES.into_iter().find(|path| self.0.at(path).is_file())
    }
}

impl StoreBackend for SystemTrust {
    fn discover(&self) -> Vec<Location> {
        let location =
            |path: &str| Location { kind: StoreKind::SystemTrust, scope: Scope::Machine, path: path.to_owned() };
        self.bundle().map(location).into_iter().collect()
    }

    fn read(&self, location: &Location) -> Reading {
        let named = BUNDLES.into_iter().find(|path| *path == location.path);
        let Some(path) = named.filter(|_| location.kind == StoreKind::SystemTrust) else {
            let error = whole(ReadErrorKind::NotFound, "not a trust bundle of this operating system");
            return Reading { errors: vec![error], ..Reading::default() };
        };
        match read_whole(&self.0.at(path)) {
            Ok(content) => reading(content),
            Err(error) => Reading { errors: vec![read_error("", &error)], ..Reading::default() },
        }
    }

    fn keyring(&self) -> Option<&dyn Keyring> {
        None
    }
}

/// The bundle is a link on many distributions, and only the administrator can set it.
fn read_whole(path: &Path) -> std::io::Result<FileContent> {
    let target = path.canonicalize()?;
    let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let read = Folder::open(parent, Arc::new(OpenGate))?.read(name, FILE_BYTES)?;
    Ok(FileContent::read(&read.bytes, Extension::Pem, || &[]))
}

fn reading(content: FileContent) -> Reading {
    let FileContent { certificates, damaged, more, .. } = content;
    let anchor = |certificate: &inkan_model::Certificate| {
        SetEntry::certificate(certificate.fingerprint, KeyPresence::NotExpected, None)
    };
    let broken = damaged.into_iter().map(|damaged| SetEntry::Unreadable {
        sha256: Some(damaged.sha256),
        name: None,
        why: damaged.why,
    });
    let entries = certificates.iter().map(anchor).chain(broken).collect();
    let too_many = || whole(ReadErrorKind::TooLarge, format!("more than {} entries", limits::SET_ENTRIES));
    let errors: Vec<ReadError> = more.then(too_many).into_iter().collect();
    Reading { entries, certificates: once_each(certificates), errors: bounded(errors) }
}

fn once_each(certificates: Vec<inkan_model::Certificate>) -> Vec<inkan_model::Certificate> {
    let by_fingerprint: std::collections::BTreeMap<_, _> =
        certificates.into_iter().map(|certificate| (certificate.fingerprint, certificate)).collect();
    by_fingerprint.into_values().collect()
}
