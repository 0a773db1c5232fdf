//! The one door to files: a folder held open, and names in it.
//!
//! The agent runs with more rights than the people whose directories it reads, so a path is never walked twice: a folder
//! is opened once, link-free below the place that the administrator named, and everything after that happens by name
//! inside it. Each change passes a [`Gate`] first, so that a test can stop the agent between any two of them.
//!
//! Nothing here knows what a certificate is. It must never open a FIFO or a device, and never follow a link by itself.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use zeroize::Zeroizing;

#[cfg(not(unix))]
mod portable;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(crate) use self::portable::Folder;
#[cfg(unix)]
pub(crate) use self::unix::Folder;

/// Names of one folder that are looked at.
const NAMES: usize = 20_000;

/// Is asked before each change to the filesystem.
pub(crate) trait Gate: Send + Sync {
    /// Lets the change pass, or fails in its place.
    fn pass(&self, change: Change) -> io::Result<()>;
}

/// The gate of the running agent: every change passes.
#[derive(Debug)]
pub(crate) struct OpenGate;

impl Gate for OpenGate {
    fn pass(&self, _change: Change) -> io::Result<()> {
        Ok(())
    }
}

/// One change to the filesystem that the operating system makes whole or not at all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    CreateFile,
    CreateFolder,
    Link,
    RemoveFile,
    RemoveFolder,
    Rename,
    #[cfg_attr(not(unix), expect(dead_code, reason = "rights are inherited there"))]
    SetAccess,
    SyncFile,
    SyncFolder,
    WriteFile,
}

/// What stands behind a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    File,
    Folder,
    Link,
    /// A FIFO, a socket or a device.
    Special,
}

/// One name in a folder.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) name: OsString,
    pub(crate) kind: Kind,
}

/// The names in a folder, sorted.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) names: Vec<Named>,
    /// Whether there are more than are looked at.
    pub(crate) more: bool,
}

impl Names {
    fn sorted(mut names: Vec<Named>, more: bool) -> Self {
        names.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Self { names, more }
    }
}

/// Who may do what with a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Access {
    /// Permission bits; zero where the operating system has none.
    pub(crate) mode: u32,
    pub(crate) owner: u32,
    pub(crate) group: u32,
}

impl Access {
    /// The same owner, who alone may read and write.
    pub(crate) const fn owner_only(self) -> Self {
        Self { mode: 0o600, ..self }
    }

    /// The same owner, who alone may enter.
    pub(crate) const fn owner_only_folder(self) -> Self {
        Self { mode: 0o700, ..self }
    }

    /// Whether every user of the PC may read it.
    pub(crate) const fn is_open_to_all(self) -> bool {
        self.mode & 0o004 != 0
    }
}

/// What a file held when it was read. It may be a key, so it is wiped when it goes.
pub(crate) struct Content {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) access: Access,
}

impl Folder {
    /// Puts a whole file in place, old or none before, in one moment.
    ///
    /// `temporary` is a name of the caller's own in the same folder; a left-over under it is replaced.
    pub(crate) fn replace(&self, name: &str, temporary: &str, bytes: &[u8], access: Access) -> io::Result<()> {
        self.remove(temporary)?;
        self.create(temporary, bytes, access)?;
        self.rename(temporary, self, name)?;
        self.sync()
    }

    /// Where a link in this folder leads, when that is inside of `root`: relative to it.
    pub(crate) fn link_target(&self, name: &std::ffi::OsStr, root: &Self) -> io::Result<Option<std::path::PathBuf>> {
        let target = self.path().join(name).canonicalize()?;
        let root = root.path().canonicalize()?;
        Ok(target.strip_prefix(&root).map(Path::to_path_buf).ok())
    }
}

/// A file that is larger than the caller reads.
fn too_large(limit: usize) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {limit} bytes"))
}

fn not_a_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

fn not_below() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a plain path below the folder")
}
