//! Files that only their owner can read, and that are there whole or not at all.
//!
//! A file is written beside its place, synchronised, and renamed into it. Files that belong together are written into a
//! folder of their own, and the folder is renamed: so a crash, or a second process at the same moment, never leaves one
//! half with another's other half.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use inkan_core::ports::Entropy;
use zeroize::Zeroizing;

/// The largest file that is read back. Keys and certificates are far smaller.
const LARGEST: u64 = 1024 * 1024;

/// A file of the data directory that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("could not {step} {}", path.display())]
pub struct FileError {
    /// What was being done.
    pub step: &'static str,
    /// Which file or folder.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub cause: io::Error,
}

trait At<T> {
    fn at(self, step: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, step: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(|cause| FileError { step, path: path.to_owned(), cause })
    }
}

/// Creates a folder that only its owner can enter, with the folders above it. One that is there stays as it is.
pub(crate) fn create_private_dir(path: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).at("create", path)
}

/// Writes a file that only its owner can read, replacing one that is there.
pub(crate) fn write_private(path: &Path, bytes: &[u8], entropy: &dyn Entropy) -> Result<(), FileError> {
    let new = beside(path, entropy);
    let written = write_new(&new, bytes).and_then(|()| fs::rename(&new, path).at("replace", path));
    if written.is_err() {
        // The first error says more than one about the left-over would.
        let _ = fs::remove_file(&new);
    }
    written?;
    sync_dir_of(path)
}

/// Writes files that belong together as a new folder. `false` when the folder is there already; it stays as it is then.
pub(crate) fn write_private_dir(
    path: &Path,
    files: &[(&str, &[u8])],
    entropy: &dyn Entropy,
) -> Result<bool, FileError> {
    let new = beside(path, entropy);
    let written = write_files(&new, files).and_then(|()| match fs::rename(&new, path) {
        Ok(()) => Ok(true),
        Err(_) if path.is_dir() => Ok(false),
        Err(cause) => Err(cause).at("create", path),
    });
    if !matches!(written, Ok(true)) {
        let _ = fs::remove_dir_all(&new);
    }
    let created = written?;
    sync_dir_of(path)?;
    Ok(created)
}

fn write_files(folder: &Path, files: &[(&str, &[u8])]) -> Result<(), FileError> {
    create_private_dir(folder)?;
    for (name, bytes) in files {
        write_new(&folder.join(name), bytes)?;
    }
    sync_dir(folder)
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).at("create", path)?;
    file.write_all(bytes).at("write", path)?;
    file.sync_all().at("write", path)
}

/// A name of its own in the same folder, so that the rename stays within one file system.
fn beside(path: &Path, entropy: &dyn Entropy) -> PathBuf {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    path.with_file_name(format!(".{name}.{}.new", HEXLOWER.encode(&entropy.bytes::<8>())))
}

fn sync_dir_of(path: &Path) -> Result<(), FileError> {
    path.parent().map_or(Ok(()), sync_dir)
}

fn sync_dir(folder: &Path) -> Result<(), FileError> {
    // Other systems cannot open a folder as a file, and order its entries by themselves.
    if cfg!(unix) { File::open(folder).and_then(|folder| folder.sync_all()).at("synchronise", folder) } else { Ok(()) }
}

/// Reads a file; `None` when it is not there. The bytes are wiped when they are dropped.
pub(crate) fn find_private(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    match File::open(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause).at("open", path),
        Ok(file) => {
            let mut bytes = Zeroizing::new(Vec::new());
            file.take(LARGEST + 1).read_to_end(&mut bytes).at("read", path)?;
            if bytes.len() as u64 > LARGEST {
                return Err(io::Error::other("it is larger than any file of this kind")).at("read", path);
            }
            Ok(Some(bytes))
        }
    }
}

/// Reads a file that has to be there.
pub(crate) fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    match find_private(path)? {
        Some(bytes) => Ok(bytes),
        None => Err(io::Error::from(io::ErrorKind::NotFound)).at("read", path),
    }
}

/// Reads a file of text that has to be there.
pub(crate) fn read_private_text(path: &Path) -> Result<Zeroizing<String>, FileError> {
    let bytes = read_private(path)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(cause) => Err(io::Error::new(io::ErrorKind::InvalidData, cause)).at("read", path),
    }
}

/// Copies a folder with all that is in it, as files that only their owner can read.
pub(crate) fn copy_private_dir(from: &Path, to: &Path) -> Result<(), FileError> {
    create_private_dir(to)?;
    for entry in fs::read_dir(from).at("read", from)? {
        let entry = entry.at("read", from)?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().at("read", &source)?.is_dir() {
            copy_private_dir(&source, &target)?;
        } else {
            write_new(&target, &read_private(&source)?)?;
        }
    }
    sync_dir(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::SystemEntropy;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_what_is_written() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/secret");
        create_private_dir(path.parent().unwrap()).unwrap();
        write_private(&path, b"1", &SystemEntropy).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(path.parent().unwrap()), mode(&path)), (0o700, 0o600));
    }

    #[test]
    fn replacing_a_file_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for bytes in [b"1", b"2"] {
            write_private(&path, bytes, &SystemEntropy).unwrap();
        }
        assert_eq!(read_private(&path).unwrap().as_slice(), b"2");
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn the_second_of_two_that_create_the_same_folder_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pair");
        let entropy = SystemEntropy;
        assert!(write_private_dir(&path, &[("key", b"1"), ("certificate", b"1")], &entropy).unwrap());
        assert!(!write_private_dir(&path, &[("key", b"2"), ("certificate", b"2")], &entropy).unwrap());
        assert_eq!(read_private(&path.join("key")).unwrap().as_slice(), b"1");
        assert_eq!(names(folder.path()), ["pair"]);
    }
}
