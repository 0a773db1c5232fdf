//! One running server for each data directory. The lock goes with the process, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::files::FileError;

const FILE: &str = "server.lock";

/// Holds the data directory for a running server.
pub(crate) struct Lock {
    _file: File,
}

/// Takes the lock; `None` when a running server has it.
pub(crate) fn lock(data_dir: &Path) -> Result<Option<Lock>, FileError> {
    let path = data_dir.join(FILE);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).map_err(|cause| FileError { step: "open", path: path.clone(), cause })?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(cause)) => Err(FileError { step: "lock", path, cause }),
    }
}

/// Whether a server runs on this data directory now.
pub(crate) fn is_locked(data_dir: &Path) -> bool {
    data_dir.join(FILE).is_file() && matches!(lock(data_dir), Ok(None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_has_one_server_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_locked(folder.path()));
        let held = lock(folder.path()).unwrap().unwrap();
        assert!(lock(folder.path()).unwrap().is_none() && is_locked(folder.path()));
        drop(held);
        assert!(!is_locked(folder.path()));
        assert!(lock(folder.path()).unwrap().is_some());
    }
}
