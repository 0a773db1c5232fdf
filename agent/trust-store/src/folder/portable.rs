//! Folders by path, with what every operating system offers: for reading, and until a platform has its own file here.
//!
//! Without descriptors a folder may be exchanged between two steps, so links are refused at each step again.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Access, Change, Content, Gate, Kind, NAMES, Named, Names, not_a_file, not_below, too_large};

/// Stands for access rights that this file neither reads nor sets: new files inherit the folder's.
const INHERITED: Access = Access { mode: 0, owner: 0, group: 0 };

/// A folder by its path.
pub(crate) struct Folder {
    path: PathBuf,
    gate: Arc<dyn Gate>,
}

impl Folder {
    pub(crate) fn open(path: &Path, gate: Arc<dyn Gate>) -> io::Result<Self> {
        if fs::metadata(path)?.is_dir() {
            Ok(Self { path: path.to_path_buf(), gate })
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    pub(crate) fn open_beneath(&self, relative: &Path) -> io::Result<Self> {
        let mut path = self.path.clone();
        for component in relative.components() {
            let Component::Normal(name) = component else { return Err(not_below()) };
            path.push(name);
            if !fs::symlink_metadata(&path)?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
        }
        Ok(Self { path, gate: Arc::clone(&self.gate) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn names(&self) -> io::Result<Names> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if names.len() == NAMES {
                return Ok(Names::sorted(names, true));
            }
            names.push(Named { name: entry.file_name(), kind: kind_of(entry.file_type()?) });
        }
        Ok(Names::sorted(names, false))
    }

    pub(crate) fn kind(&self, name: impl AsRef<OsStr>) -> io::Result<Option<Kind>> {
        match fs::symlink_metadata(self.path.join(name.as_ref())) {
            Ok(metadata) => Ok(Some(kind_of(metadata.file_type()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn read(&self, name: impl AsRef<OsStr>, limit: usize) -> io::Result<Content> {
        let file = self.open_file(name.as_ref())?;
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if size > limit {
            return Err(too_large(limit));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(size + 1));
        file.take(size as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > size {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "grew while it was read"));
        }
        Ok(Content { bytes, access: INHERITED })
    }

    pub(crate) fn access(&self, name: impl AsRef<OsStr>) -> io::Result<Option<Access>> {
        Ok(self.kind(name)?.map(|_| INHERITED))
    }

    #[expect(clippy::unnecessary_wraps, reason = "the same signature as on platforms that have owners")]
    pub(crate) fn own_access(&self) -> io::Result<Access> {
        Ok(INHERITED)
    }

    /// There is no portable way to ask without changing something.
    #[expect(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "the same signature as on platforms that can tell"
    )]
    pub(crate) fn may_change(&self) -> io::Result<()> {
        Ok(())
    }

    /// Without a file's identity two names are taken for two files; callers compare contents then.
    #[expect(clippy::unnecessary_wraps, reason = "the same signature as on platforms that have identities")]
    pub(crate) fn is_same_file(&self, _name: &str, _there: &Self, _other: &str) -> io::Result<bool> {
        Ok(false)
    }

    pub(crate) fn create(&self, name: &str, bytes: &[u8], _access: Access) -> io::Result<()> {
        self.gate.pass(Change::CreateFile)?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(self.path.join(name))?;
        self.gate.pass(Change::WriteFile)?;
        file.write_all(bytes)?;
        self.gate.pass(Change::SyncFile)?;
        file.sync_all()
    }

    pub(crate) fn create_folder(&self, name: &str, _access: Access) -> io::Result<Self> {
        if self.kind(name)?.is_none() {
            self.gate.pass(Change::CreateFolder)?;
            fs::create_dir(self.path.join(name))?;
        }
        self.open_beneath(Path::new(name))
    }

    pub(crate) fn link(&self, name: &str, to: &Self, to_name: &str) -> io::Result<()> {
        self.gate.pass(Change::Link)?;
        fs::hard_link(self.path.join(name), to.path.join(to_name))
    }

    pub(crate) fn rename(&self, name: &str, to: &Self, to_name: &str) -> io::Result<()> {
        self.gate.pass(Change::Rename)?;
        fs::rename(self.path.join(name), to.path.join(to_name))
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        if self.kind(name)?.is_none() {
            return Ok(());
        }
        self.gate.pass(Change::RemoveFile)?;
        fs::remove_file(self.path.join(name))
    }

    pub(crate) fn remove_folder(&self, name: &str) -> io::Result<()> {
        if self.kind(name)?.is_none() {
            return Ok(());
        }
        self.gate.pass(Change::RemoveFolder)?;
        fs::remove_dir(self.path.join(name))
    }

    /// Names are durable when the operating system says so; there is no portable way to ask.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.gate.pass(Change::SyncFolder)
    }

    fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let path = self.path.join(name);
        if fs::symlink_metadata(&path)?.is_file() { File::open(path) } else { Err(not_a_file()) }
    }
}

fn kind_of(file_type: fs::FileType) -> Kind {
    if file_type.is_symlink() {
        Kind::Link
    } else if file_type.is_dir() {
        Kind::Folder
    } else if file_type.is_file() {
        Kind::File
    } else {
        Kind::Special
    }
}
