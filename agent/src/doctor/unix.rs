//! Who may do what with a folder, on Unix.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Access, access};

/// Permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// Who may do what with a path.
pub(super) struct PathAccess {
    pub(super) is_folder: bool,
    /// Whether this process may make files in it.
    pub(super) writable: bool,
    /// Whether its owner alone may enter.
    pub(super) private: bool,
}

pub(super) fn access_of(path: &Path) -> io::Result<PathAccess> {
    let metadata = path.metadata()?;
    Ok(PathAccess {
        is_folder: metadata.is_dir(),
        writable: access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok(),
        private: metadata.mode() & OTHERS == 0,
    })
}
