//! The trust that Linux distributions keep in files: the bundle that applications read, and what administrators added.
//!
//! The bundle is only read; what administrators added can be changed, and the bundle follows. Every path hangs below a
//! root that a test can choose.

mod change;
mod distribution;
mod local_anchors;
mod system_trust;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::local_anchors::LocalAnchors;
pub use self::system_trust::SystemTrust;
use crate::StoreBackend;
use crate::nss::NssDatabases;

pub(crate) fn backends() -> Vec<Arc<dyn StoreBackend>> {
    vec![Arc::new(SystemTrust::default()), Arc::new(LocalAnchors::default()), Arc::new(NssDatabases::of_system())]
}

/// Where the filesystem begins: `/`, or a test's folder.
#[derive(Clone, Debug)]
struct Root(PathBuf);

impl Default for Root {
    fn default() -> Self {
        Self(PathBuf::from("/"))
    }
}

impl Root {
    /// Where an absolute path of the system really lies.
    fn at(&self, path: &str) -> PathBuf {
        self.0.join(Path::new(path).strip_prefix("/").unwrap_or(Path::new(path)))
    }
}

#[cfg(test)]
mod tests {
    use inkan_model::store::{KeyPresence, ReadErrorKind, SetEntry};

    use super::*;

    fn pem(name: &str) -> String {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
    }

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn the_first_bundle_that_exists_is_read_and_its_entries_have_neither_name_nor_key() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "etc/pki/tls/certs/ca-bundle.crt", &format!("{}\n{}", pem("a"), pem("b")));
        write(root.path(), "etc/ssl/cert.pem", &pem("c"));
        let trust = SystemTrust::below(root.path());
        let found = trust.discover();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "/etc/pki/tls/certs/ca-bundle.crt");
        let reading = trust.read(&found[0]);
        assert_eq!((reading.entries.len(), reading.certificates.len(), reading.errors.len()), (2, 2, 0));
        let plain =
            |entry: &SetEntry| matches!(entry, SetEntry::Certificate { key: KeyPresence::NotExpected, name: None, .. });
        assert!(reading.entries.iter().all(plain));
    }

    #[test]
    fn a_pc_without_a_bundle_has_no_such_location() {
        let root = tempfile::tempdir().unwrap();
        assert!(SystemTrust::below(root.path()).discover().is_empty());
        assert!(LocalAnchors::below(root.path()).discover().is_empty());
    }

    #[test]
    fn a_location_of_another_path_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "etc/ssl/cert.pem", &pem("c"));
        let trust = SystemTrust::below(root.path());
        let mut location = trust.discover().remove(0);
        location.path = "/etc/shadow".to_owned();
        assert_eq!(trust.read(&location).errors[0].kind, ReadErrorKind::NotFound);
    }

    #[test]
    fn anchors_are_read_in_folders_below_and_only_as_crt_on_debian() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "usr/local/share/ca-certificates/clinic/one.crt", &pem("one"));
        write(root.path(), "usr/local/share/ca-certificates/ignored.pem", &pem("two"));
        write(root.path(), "etc/pki/ca-trust/source/anchors/three.pem", &pem("three"));
        let anchors = LocalAnchors::below(root.path());
        let found = anchors.discover();
        assert_eq!(found.len(), 2);
        let names: Vec<_> = found.iter().flat_map(|location| anchors.read(location).entries).collect();
        let expected = |name: &str| {
            names.iter().any(|entry| {
                matches!(entry, SetEntry::Certificate { key: KeyPresence::NotExpected, name: Some(n), .. } if n == name)
            })
        };
        assert!(names.len() == 2 && expected("clinic/one.crt") && expected("three.pem"), "{names:?}");
    }

    #[test]
    fn the_real_bundle_of_this_machine_reads_without_errors_where_there_is_one() {
        let trust = SystemTrust::default();
        for location in trust.discover() {
            let reading = trust.read(&location);
            assert!(!reading.certificates.is_empty() && reading.errors.is_empty(), "{:?}", reading.errors);
        }
    }
}
