//! Folders by file descriptor: what was checked when a folder was opened still holds when a name in it is used.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    Access as AccessFlags, AtFlags, Dir, FileType, Mode, OFlags, accessat, fsync, linkat, mkdirat, openat, renameat,
    statat, unlinkat,
};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::{Access, Change, Content, Gate, Kind, NAMES, Named, Names, not_a_file, not_below, too_large};

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const FILE: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
const NEW_FILE: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A folder held open.
pub(crate) struct Folder {
    handle: OwnedFd,
    path: PathBuf,
    gate: Arc<dyn Gate>,
}

impl Folder {
    /// Opens a folder by its path, links followed: the administrator names it.
    pub(crate) fn open(path: &Path, gate: Arc<dyn Gate>) -> io::Result<Self> {
        let handle = rustix::fs::open(path, FOLDER, Mode::empty())?;
        Ok(Self { handle, path: path.to_path_buf(), gate })
    }

    /// Opens a folder below this one, refusing any link on the way.
    pub(crate) fn open_beneath(&self, relative: &Path) -> io::Result<Self> {
        let mut handle = self.handle.try_clone()?;
        for component in relative.components() {
            let Component::Normal(name) = component else { return Err(not_below()) };
            handle = openat(&handle, name, FOLDER.union(OFlags::NOFOLLOW), Mode::empty())?;
        }
        Ok(Self { handle, path: self.path.join(relative), gate: Arc::clone(&self.gate) })
    }

    /// The path it was opened by, for words and for asking where a link leads.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it.
    pub(crate) fn names(&self) -> io::Result<Names> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if names.len() == NAMES {
                return Ok(Names::sorted(names, true));
            }
            let kind = match entry.file_type() {
                FileType::Unknown => self.kind(name)?,
                known => Some(kind_of(known)),
            };
            names.extend(kind.map(|kind| Named { name: OsString::from(name), kind }));
        }
        Ok(Names::sorted(names, false))
    }

    /// What stands behind a name, if anything.
    pub(crate) fn kind(&self, name: impl AsRef<OsStr>) -> io::Result<Option<Kind>> {
        match statat(&self.handle, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(kind_of(FileType::from_raw_mode(stat.st_mode)))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a regular file of at most `limit` bytes.
    pub(crate) fn read(&self, name: impl AsRef<OsStr>, limit: usize) -> io::Result<Content> {
        let (file, access) = self.open_file(name.as_ref())?;
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if size > limit {
            return Err(too_large(limit));
        }
        // One allocation that never grows leaves no copy of a key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(size + 1));
        file.take(size as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > size {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "grew while it was read"));
        }
        Ok(Content { bytes, access })
    }

    /// Who may do what with a regular file; `None` when it is not there.
    pub(crate) fn access(&self, name: impl AsRef<OsStr>) -> io::Result<Option<Access>> {
        match self.kind(name.as_ref())? {
            None => Ok(None),
            Some(_) => self.open_file(name.as_ref()).map(|(_, access)| Some(access)),
        }
    }

    /// Who may do what with the folder itself.
    pub(crate) fn own_access(&self) -> io::Result<Access> {
        let metadata = File::from(self.handle.try_clone()?).metadata()?;
        Ok(access_of(&metadata))
    }

    /// Whether names in this folder may be changed by this process, told without changing one.
    pub(crate) fn may_change(&self) -> io::Result<()> {
        Ok(accessat(&self.handle, ".", AccessFlags::WRITE_OK | AccessFlags::EXEC_OK, AtFlags::EACCESS)?)
    }

    /// Whether two names stand for one file.
    pub(crate) fn is_same_file(&self, name: &str, there: &Self, other: &str) -> io::Result<bool> {
        let identity = |folder: &Self, name: &str| -> io::Result<(u64, u64)> {
            let metadata = folder.open_file(OsStr::new(name))?.0.metadata()?;
            Ok((metadata.dev(), metadata.ino()))
        };
        Ok(identity(self, name)? == identity(there, other)?)
    }

    /// Writes a new file and makes it durable; refuses a name that is taken.
    pub(crate) fn create(&self, name: &str, bytes: &[u8], access: Access) -> io::Result<()> {
        self.gate.pass(Change::CreateFile)?;
        let mut file = File::from(openat(&self.handle, name, NEW_FILE, Mode::RUSR | Mode::WUSR)?);
        self.gate.pass(Change::SetAccess)?;
        set_access(&file, access)?;
        self.gate.pass(Change::WriteFile)?;
        file.write_all(bytes)?;
        self.gate.pass(Change::SyncFile)?;
        file.sync_all()
    }

    /// Makes a folder, or finds it made.
    pub(crate) fn create_folder(&self, name: &str, access: Access) -> io::Result<Self> {
        if self.kind(name)?.is_none() {
            self.gate.pass(Change::CreateFolder)?;
            mkdirat(&self.handle, name, Mode::RWXU)?;
        }
        let made = self.open_beneath(Path::new(name))?;
        if made.own_access()? != access {
            self.gate.pass(Change::SetAccess)?;
            set_access(&File::from(made.handle.try_clone()?), access)?;
        }
        Ok(made)
    }

    /// Gives a file a second name in another folder of the same filesystem.
    pub(crate) fn link(&self, name: &str, to: &Self, to_name: &str) -> io::Result<()> {
        self.gate.pass(Change::Link)?;
        Ok(linkat(&self.handle, name, &to.handle, to_name, AtFlags::empty())?)
    }

    /// Renames a file; what stood under the new name is replaced in the same moment.
    pub(crate) fn rename(&self, name: &str, to: &Self, to_name: &str) -> io::Result<()> {
        self.gate.pass(Change::Rename)?;
        Ok(renameat(&self.handle, name, &to.handle, to_name)?)
    }

    /// Removes a file, or finds it gone.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        self.remove_as(name, Change::RemoveFile, AtFlags::empty())
    }

    /// Removes an empty folder, or finds it gone.
    pub(crate) fn remove_folder(&self, name: &str) -> io::Result<()> {
        self.remove_as(name, Change::RemoveFolder, AtFlags::REMOVEDIR)
    }

    /// Makes the names in this folder durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.gate.pass(Change::SyncFolder)?;
        Ok(fsync(&self.handle)?)
    }

    fn remove_as(&self, name: &str, change: Change, flags: AtFlags) -> io::Result<()> {
        if self.kind(name)?.is_none() {
            return Ok(());
        }
        self.gate.pass(change)?;
        match unlinkat(&self.handle, name, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn open_file(&self, name: &OsStr) -> io::Result<(File, Access)> {
        let file = File::from(openat(&self.handle, name, FILE, Mode::empty())?);
        let metadata = file.metadata()?;
        if metadata.is_file() { Ok((file, access_of(&metadata))) } else { Err(not_a_file()) }
    }
}

fn kind_of(file_type: FileType) -> Kind {
    match file_type {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        _ => Kind::Special,
    }
}

fn access_of(metadata: &std::fs::Metadata) -> Access {
    Access { mode: metadata.mode() & 0o777, owner: metadata.uid(), group: metadata.gid() }
}

/// Owner first: a change of owner may take permission bits away.
fn set_access(file: &File, access: Access) -> io::Result<()> {
    let now = access_of(&file.metadata()?);
    if (now.owner, now.group) != (access.owner, access.group) {
        fchown(file, Some(access.owner), Some(access.group))?;
    }
    file.set_permissions(Permissions::from_mode(access.mode))
}
