//! Files of the agent's own, written so that a power cut at any moment leaves the old content or the new one.
//!
//! Everything here belongs to the agent alone: on Unix folders are entered by their owner only (0700) and files read by
//! their owner only (0600), on Windows both by SYSTEM and the administrators. Each change passes a [`Gate`] first, so that a test can end the agent between any two of them. Nothing
//! here knows what a file means.

mod sealed;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

pub(crate) use self::sealed::{Unsealed, seal, unseal};
#[cfg(unix)]
use self::unix as platform;
#[cfg(windows)]
use self::windows as platform;

/// Is asked before each change.
pub(crate) trait Gate: Send + Sync {
    /// Lets the change pass, or fails in its place.
    fn pass(&self, change: &'static str) -> io::Result<()>;
}

/// The gate of the running agent: every change passes.
struct OpenGate;

impl Gate for OpenGate {
    fn pass(&self, _change: &'static str) -> io::Result<()> {
        Ok(())
    }
}

/// The way to the agent's own files.
#[derive(Clone)]
pub struct Disk(Arc<dyn Gate>);

impl Default for Disk {
    fn default() -> Self {
        Self(Arc::new(OpenGate))
    }
}

impl Disk {
    #[cfg(test)]
    pub(crate) fn behind(gate: Arc<dyn Gate>) -> Self {
        Self(gate)
    }

    /// Makes a folder that only its owner may enter, or finds it made.
    pub(crate) fn create_folder(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return platform::claim_folder(path);
        }
        self.0.pass("create folder")?;
        platform::create_folder(path)?;
        self.sync_parent(path)
    }

    /// Puts a whole file in place, old or none before, in one moment.
    pub(crate) fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = beside(path, ".new");
        self.remove(&temporary)?;
        self.0.pass("create file")?;
        let mut file = platform::create_file(&temporary)?;
        self.0.pass("write file")?;
        file.write_all(bytes)?;
        self.0.pass("sync file")?;
        file.sync_all()?;
        self.rename(&temporary, path)
    }

    /// Renames, and makes the names durable. What stood under the new name is replaced in the same moment.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.pass("rename")?;
        platform::rename(from, to)?;
        self.sync_parent(to)
    }

    /// Removes a file, or finds it gone.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        if fs::symlink_metadata(path).is_err() {
            return Ok(());
        }
        self.0.pass("remove file")?;
        platform::remove_file(path)?;
        self.sync_parent(path)
    }

    /// Removes a folder with everything in it, or finds it gone.
    pub(crate) fn remove_folder(&self, path: &Path) -> io::Result<()> {
        if fs::symlink_metadata(path).is_err() {
            return Ok(());
        }
        self.0.pass("remove folder")?;
        platform::remove_folder(path)?;
        self.sync_parent(path)
    }

    /// Opens a file to append to.
    pub(crate) fn open_to_append(&self, path: &Path) -> io::Result<File> {
        self.0.pass("open file")?;
        platform::open_to_append(path)
    }

    /// Appends, and returns once the bytes are durable.
    pub(crate) fn append(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        self.0.pass("append")?;
        file.write_all(bytes)?;
        self.0.pass("sync file")?;
        file.sync_data()
    }

    /// Cuts an open file to a length, and returns once that is durable.
    pub(crate) fn cut(&self, file: &mut File, length: u64) -> io::Result<()> {
        self.0.pass("cut")?;
        file.set_len(length)?;
        file.seek(io::SeekFrom::End(0))?;
        file.sync_data()
    }

    /// Reads a whole file of at most `limit` bytes; `None` when there is none.
    pub(crate) fn find(path: &Path, limit: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if size > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {limit} bytes")));
        }
        // One allocation that never grows leaves no copy of a key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(size + 1));
        file.take(size as u64 + 1).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn sync_parent(&self, path: &Path) -> io::Result<()> {
        self.0.pass("sync folder")?;
        platform::sync_folder(path.parent().unwrap_or(Path::new(".")))
    }
}

/// The path with something appended to its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    path.with_file_name(name)
}

#[cfg(test)]
pub(crate) mod fake {
    use std::io;
    use std::sync::Mutex;

    use super::Gate;

    /// Lets so many changes pass and then ends the agent, as far as the disk is concerned: nothing passes any more.
    pub(crate) struct EndAfter(Mutex<Option<usize>>);

    impl EndAfter {
        pub(crate) fn changes(count: usize) -> Self {
            Self(Mutex::new(Some(count)))
        }

        pub(crate) fn never() -> Self {
            Self(Mutex::new(None))
        }

        /// Whether the end has come.
        pub(crate) fn has_ended(&self) -> bool {
            *self.0.lock().unwrap() == Some(0)
        }

        /// From now on everything fails (`Some(0)`), or passes again (`None`).
        pub(crate) fn set(&self, left: Option<usize>) {
            *self.0.lock().unwrap() = left;
        }
    }

    impl Gate for EndAfter {
        fn pass(&self, change: &'static str) -> io::Result<()> {
            match &mut *self.0.lock().unwrap() {
                None => Ok(()),
                Some(0) => Err(io::Error::new(io::ErrorKind::StorageFull, format!("no {change}: the end has come"))),
                Some(left) => {
                    *left -= 1;
                    Ok(())
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_that_is_cut_off_anywhere_leaves_the_old_content_or_the_new() {
        for changes in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            Disk::default().replace(&path, b"old").unwrap();
            let cut_off = Disk::behind(Arc::new(fake::EndAfter::changes(changes)));
            let replaced = cut_off.replace(&path, b"new");
            let found = Disk::find(&path, 100).unwrap().unwrap();
            if replaced.is_ok() {
                assert_eq!(*found, b"new");
                break;
            }
            assert!(*found == b"old" || *found == b"new");
            Disk::default().replace(&path, b"again").unwrap();
            assert_eq!(*Disk::find(&path, 100).unwrap().unwrap(), b"again");
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_what_the_agent_writes() {
        use std::os::unix::fs::PermissionsExt as _;
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("private");
        let disk = Disk::default();
        disk.create_folder(&folder).unwrap();
        disk.replace(&folder.join("file"), b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("file"))), (0o700, 0o600));
    }

    #[test]
    fn a_file_beyond_the_limit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        Disk::default().replace(&path, &[0; 11]).unwrap();
        assert_eq!(Disk::find(&path, 10).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
