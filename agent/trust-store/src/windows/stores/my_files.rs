//! A user's own certificates as files of the profile, where Windows keeps them in the place of the registry.
//!
//! The folder belongs to the user, so no link below the profile is followed. A profile whose folder of application data
//! lies elsewhere (on a server, say) is not read there: that would show this PC's rights to whoever the user names.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inkan_model::store::ReadErrorKind;

use super::entries::{Content, Stored};
use crate::files::survey::{read_error, whole};
use crate::folder::{Folder, Kind, OpenGate};
use crate::windows::serialized::BLOB_BYTES;

/// Where the files are, below the profile.
const FOLDER: [&str; 6] = ["AppData", "Roaming", "Microsoft", "SystemCertificates", "My", "Certificates"];

/// Whether a profile has such a folder.
pub(crate) fn exist(profile: &Path) -> bool {
    open(profile).is_ok_and(|folder| folder.is_some())
}

/// The certificates in a profile.
pub(crate) fn content(profile: &Path) -> Content {
    let listed = open(profile).and_then(|folder| folder.map(|folder| Ok((folder.names()?, folder))).transpose());
    let (listed, folder) = match listed {
        Ok(Some(listed)) => listed,
        Ok(None) => return Content::default(),
        Err(error) => {
            let errors = vec![read_error(&path().to_string_lossy(), &error)];
            return Content { stored: Vec::new(), errors };
        }
    };
    let files = listed.names.into_iter().filter(|n| n.kind == Kind::File).map(|n| n.name);
    let mut content = Content::collect(files.filter_map(|name| stored(&folder, &name).map(Ok)));
    if listed.more {
        content.errors.push(whole(ReadErrorKind::TooLarge, "more files than are looked at"));
    }
    content
}

fn stored(folder: &Folder, name: &OsString) -> Option<Stored> {
    let item = name.to_string_lossy().into_owned();
    match folder.read(name, BLOB_BYTES) {
        Ok(read) => Some(Stored { item, blob: Ok(read.bytes.to_vec()) }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let error = read_error(&item, &error);
            Some(Stored { item, blob: Err(error) })
        }
    }
}

fn open(profile: &Path) -> io::Result<Option<Folder>> {
    let opened = Folder::open(profile, Arc::new(OpenGate)).and_then(|profile| profile.open_beneath(&path()));
    match opened {
        Ok(folder) => Ok(Some(folder)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn path() -> PathBuf {
    FOLDER.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::entries::STORE_BYTES;
    use super::*;
    use crate::windows::serialized::SerializedCertificate;

    fn profile(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let profile = tempfile::tempdir().unwrap();
        let folder = profile.path().join(path());
        std::fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        profile
    }

    #[test]
    fn each_file_is_one_certificate_with_its_properties() {
        let blob = include_bytes!("../serialized/fixtures/with-key.blob");
        let profile = profile(&[("1714BCA6AFFCCA310E90E3F22A96AA4C7A803BF4", blob)]);
        assert!(exist(profile.path()));
        let content = content(profile.path());
        let found: Vec<_> = content.certificates().collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1, SerializedCertificate::read(blob).unwrap());
        assert!(content.is_whole());
    }

    #[test]
    fn a_profile_without_certificates_has_none_and_no_error() {
        let empty = tempfile::tempdir().unwrap();
        assert!(!exist(empty.path()));
        assert!(content(empty.path()).is_whole() && content(empty.path()).stored.is_empty());
        assert!(!exist(&empty.path().join("gone")));
    }

    #[test]
    fn a_file_that_is_too_large_is_an_error_beside_the_others() {
        let blob = include_bytes!("../serialized/fixtures/with-key.blob");
        let profile = profile(&[("large", &vec![0; BLOB_BYTES + 1]), ("right", blob)]);
        let content = content(profile.path());
        assert_eq!((content.stored.len(), content.certificates().count()), (2, 1));
        assert!(!content.is_whole());
    }

    #[test]
    fn files_without_end_are_read_in_bounds() {
        let profile = profile(&[]);
        let folder = profile.path().join(path());
        for number in 0..=STORE_BYTES / BLOB_BYTES {
            let file = std::fs::File::create(folder.join(number.to_string())).unwrap();
            file.set_len(BLOB_BYTES as u64).unwrap();
        }
        let content = content(profile.path());
        assert_eq!(content.stored.len(), STORE_BYTES / BLOB_BYTES);
        assert_eq!(content.errors.len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_on_the_way_is_not_followed() {
        let elsewhere = profile(&[("a", include_bytes!("../serialized/fixtures/with-key.blob"))]);
        let linked = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join("AppData"), linked.path().join("AppData")).unwrap();
        assert!(!exist(linked.path()));
        let content = content(linked.path());
        assert!(content.stored.is_empty() && content.errors.len() == 1);
    }
}
