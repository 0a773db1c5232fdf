//! Who may do what with a folder, as far as every operating system tells.

use std::io;
use std::path::Path;

/// Who may do what with a path.
pub(super) struct PathAccess {
    pub(super) is_folder: bool,
    /// Whether this process may make files in it.
    pub(super) writable: bool,
    /// Whether its owner alone may enter: not known here, so not found fault with.
    pub(super) private: bool,
}

pub(super) fn access_of(path: &Path) -> io::Result<PathAccess> {
    let metadata = path.metadata()?;
    Ok(PathAccess { is_folder: metadata.is_dir(), writable: !metadata.permissions().readonly(), private: true })
}
