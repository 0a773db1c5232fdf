//! Where an agent keeps its own state, and the lock by which only one agent works with it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::Disk;

/// The data directory of an agent.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

/// Held by the one agent that works with a data directory. The operating system lets go of it when the process ends.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

/// A data directory that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It cannot be made or written.
    #[error("could not use the data directory {}: does this user own it?", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// Another agent works with it.
    #[error("another agent is working with {}: stop it first", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
}

impl DataDir {
    /// The data directory at this path.
    pub fn new(path: &Path) -> Self {
        Self(path.to_path_buf())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Directives, and the journal of their steps.
    pub fn ledger(&self) -> PathBuf {
        self.0.join("ledger.json")
    }

    /// Outcomes on their way to the server.
    pub fn spool(&self) -> PathBuf {
        self.0.join("spool")
    }

    /// The report that the server has taken last.
    pub fn acknowledged(&self) -> PathBuf {
        self.0.join("acknowledged.json")
    }

    /// Makes the directory where there is none.
    pub fn create(&self) -> Result<(), DataDirError> {
        Disk::default().create_folder(&self.0).map_err(|cause| DataDirError::Io { path: self.0.clone(), cause })
    }

    /// Makes the directory where there is none, and keeps every other agent out of it.
    pub fn lock(&self) -> Result<DataDirLock, DataDirError> {
        let failed = |cause| DataDirError::Io { path: self.0.clone(), cause };
        self.create()?;
        let file = File::options().create(true).append(true).open(self.lock_path()).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(DataDirLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::Locked { path: self.0.clone() }),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }

    /// Whether an agent is working with it.
    pub fn is_locked(&self) -> bool {
        let file = File::open(self.lock_path());
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Forgets what was done as another host.
    pub(crate) fn forget_state(&self, disk: &Disk) -> Result<(), DataDirError> {
        let failed = |cause| DataDirError::Io { path: self.0.clone(), cause };
        for file in [self.acknowledged(), self.0.join(crate::status::FILE), self.ledger()] {
            disk.remove(&file).map_err(failed)?;
        }
        disk.remove_folder(&self.spool()).map_err(failed)
    }

    fn lock_path(&self) -> PathBuf {
        self.0.join("lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_agent_works_with_a_data_directory() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::new(&folder.path().join("made"));
        let lock = data_dir.lock().unwrap();
        assert!(data_dir.is_locked());
        assert!(matches!(data_dir.lock(), Err(DataDirError::Locked { .. })));
        drop(lock);
        assert!(!data_dir.is_locked());
        data_dir.lock().unwrap();
    }
}
