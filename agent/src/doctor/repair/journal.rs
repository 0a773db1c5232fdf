//! The journal of repairs: what was there before, in one small file beside the agent's state.

use std::path::{Path, PathBuf};

use super::{Applied, Repair, RepairError};
use crate::disk::{self, Disk, Unsealed};

/// Bytes of a journal.
const LIMIT: usize = 1024 * 1024;

/// Repairs that were made and are not taken back yet.
pub struct RepairJournal {
    disk: Disk,
    path: PathBuf,
    applied: Vec<Applied>,
}

impl RepairJournal {
    /// The file's name in the data directory.
    pub const FILE: &str = "repairs.json";

    /// Opens the journal in a data directory, or begins one.
    pub fn open(disk: Disk, data_dir: &Path) -> Result<Self, RepairError> {
        let path = data_dir.join(Self::FILE);
        let found = Disk::find(&path, LIMIT).map_err(|cause| RepairError::Journal { path: path.clone(), cause })?;
        let applied = match found.map(|bytes| disk::unseal(&bytes)) {
            None => Vec::new(),
            Some(Unsealed::Whole(applied)) => applied,
            // What was there before is in it, so it is never put aside in silence.
            Some(Unsealed::Damaged { why }) => return Err(RepairError::Damaged { path, why }),
        };
        Ok(Self { disk, path, applied })
    }

    /// All repairs, oldest first.
    pub fn applied(&self) -> &[Applied] {
        &self.applied
    }

    pub(super) fn of(&self, repair: Repair) -> Vec<Applied> {
        self.applied.iter().filter(|applied| applied.repair == repair).cloned().collect()
    }

    pub(super) fn push(&mut self, applied: Applied) -> Result<(), RepairError> {
        let mut all = self.applied.clone();
        all.push(applied);
        self.write(all)
    }

    /// Keeps only these of one repair.
    pub(super) fn keep(&mut self, repair: Repair, waiting: Vec<Applied>) -> Result<(), RepairError> {
        let others = self.applied.iter().filter(|applied| applied.repair != repair).cloned();
        let left = others.chain(waiting).collect();
        self.write(left)
    }

    fn write(&mut self, applied: Vec<Applied>) -> Result<(), RepairError> {
        let failed = |cause| RepairError::Journal { path: self.path.clone(), cause };
        if let Some(folder) = self.path.parent() {
            self.disk.create_folder(folder).map_err(failed)?;
        }
        let bytes = disk::seal(&applied).map_err(|error| failed(error.into()))?;
        self.disk.replace(&self.path, &bytes).map_err(failed)?;
        self.applied = applied;
        Ok(())
    }
}
