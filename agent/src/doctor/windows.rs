//! Who may do what with a folder, on Windows.

use std::fs::File;
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::Path;

use inkan_trust_store::windows::access;

/// The right to make files in a folder (FILE_ADD_FILE).
const MAKE_FILES: u32 = 0x2;
/// A folder is only opened with this flag (FILE_FLAG_BACKUP_SEMANTICS).
const OPEN_FOLDER: u32 = 0x0200_0000;

/// Who may do what with a path.
pub(super) struct PathAccess {
    pub(super) is_folder: bool,
    /// Whether this process may make files in it.
    pub(super) writable: bool,
    /// Whether SYSTEM, the administrators and the running account alone may enter.
    pub(super) private: bool,
}

/// Asks for the right to make files without making one.
pub(super) fn access_of(path: &Path) -> io::Result<PathAccess> {
    let is_folder = path.metadata()?.is_dir();
    let opened = File::options().access_mode(MAKE_FILES).custom_flags(OPEN_FOLDER).open(path);
    Ok(PathAccess { is_folder, writable: opened.is_ok(), private: access::is_private(path)? })
}
