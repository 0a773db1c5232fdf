//! The journal's file, and the lock by which only one process changes stores.
//!
//! The whole journal is one small sealed file, written anew in one moment for each change; memory changes only after the
//! disk has. The lock is another one than the data directory's, because the running agent holds that one all day.
//! Unlike the ledger, the journal cannot be told again by anybody: a damaged one is put aside and stays there.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use inkan_model::{Clock, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::plan::RECORDS;
use super::record::ChangeRecord;
use crate::disk::{self, Disk, Unsealed};

/// The journal's file in the data directory.
pub const FILE: &str = "changes.json";
/// The lock's file in the data directory.
pub const LOCK: &str = "changes.lock";
/// Bytes of a journal.
const FILE_BYTES: usize = 256 * 1024 * 1024;
/// How often a lock that somebody holds is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// A journal that cannot be used, or that does not take what it is given.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process is changing stores.
    #[error("another process is changing stores and has not finished: try again later")]
    Busy,
    /// The changes cannot be written as JSON.
    #[error("could not encode the journal of changes")]
    Encode(#[source] serde_json::Error),
    /// A file cannot be used.
    #[error("could not {step} {}: does this user own the data directory?", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A change is not in the journal any more.
    #[error("change {change} is not in the journal any more")]
    Lost {
        /// Which change.
        change: inkan_model::id::ChangeId,
    },
    /// A change would go from one state to another that does not follow.
    #[error("change {change} cannot go from {from} to {to}")]
    OutOfOrder {
        /// Which change.
        change: inkan_model::id::ChangeId,
        /// From which state.
        from: String,
        /// To which one.
        to: String,
    },
}

/// The journal of changes, open to be written. Nobody else writes while it is.
pub(super) struct Journal {
    disk: Disk,
    path: PathBuf,
    records: Vec<ChangeRecord>,
    _lock: File,
}

#[derive(Deserialize, Serialize)]
struct Content {
    changes: Vec<ChangeRecord>,
}

fn failed<'p>(step: &'static str, path: &'p Path) -> impl FnOnce(io::Error) -> JournalError + use<'p> {
    move |cause| JournalError::Io { step, path: path.to_path_buf(), cause }
}

/// Reads the journal of a data directory without changing anything. Empty where there is none; the second is why it
/// cannot be read, where it is damaged.
pub fn read(data_dir: &Path) -> Result<(Vec<ChangeRecord>, Option<String>), JournalError> {
    let path = data_dir.join(FILE);
    let Some(bytes) = Disk::find(&path, FILE_BYTES).map_err(failed("read", &path))? else {
        return Ok((Vec::new(), None));
    };
    Ok(match disk::unseal::<Content>(&bytes) {
        Unsealed::Whole(content) => (content.changes, None),
        Unsealed::Damaged { why } => (Vec::new(), Some(why)),
    })
}

/// The journals of a data directory that were damaged and put aside: what they held cannot be taken back by itself.
pub fn list_damaged(data_dir: &Path) -> Vec<PathBuf> {
    let is_damaged = |path: &PathBuf| {
        let name = path.file_name().map(std::ffi::OsStr::to_string_lossy);
        name.is_some_and(|name| name.starts_with(&format!("{FILE}.damaged-")))
    };
    let entries = std::fs::read_dir(data_dir).into_iter().flatten();
    let mut found: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_damaged).collect();
    found.sort_unstable();
    found
}

impl Journal {
    /// Waits for the lock as long as `patience`, and opens the journal of a data directory.
    pub(super) fn open(
        disk: Disk,
        data_dir: &Path,
        clock: &dyn Clock,
        patience: Duration,
    ) -> Result<Self, JournalError> {
        disk.create_folder(data_dir).map_err(failed("create", data_dir))?;
        let lock = lock(&data_dir.join(LOCK), patience)?;
        let path = data_dir.join(FILE);
        let (records, damage) = read(data_dir)?;
        if let Some(why) = damage {
            put_aside(&disk, &path, &why, clock.now())?;
        }
        Ok(Self { disk, path, records, _lock: lock })
    }

    /// Every change, oldest first.
    pub(super) fn records(&self) -> &[ChangeRecord] {
        &self.records
    }

    /// Journals how far changes have come, in one moment; returns once that is durable.
    pub(super) fn put(&mut self, moved: Vec<ChangeRecord>) -> Result<(), JournalError> {
        let mut changes = self.records.clone();
        for record in moved {
            match changes.iter_mut().find(|known| known.id == record.id) {
                Some(known) if known.state.may_become(&record.state) => *known = record,
                Some(known) => return Err(out_of_order(known, &record)),
                None => changes.push(record),
            }
        }
        while changes.len() > RECORDS
            && let Some(over) = changes.iter().position(|record| !record.state.is_live())
        {
            changes.remove(over);
        }
        let content = Content { changes };
        let bytes = disk::seal(&content).map_err(JournalError::Encode)?;
        self.disk.replace(&self.path, &bytes).map_err(failed("write", &self.path))?;
        self.records = content.changes;
        Ok(())
    }
}

fn out_of_order(known: &ChangeRecord, next: &ChangeRecord) -> JournalError {
    let (from, to) = (format!("{:?}", known.state), format!("{:?}", next.state));
    JournalError::OutOfOrder { change: known.id, from, to }
}

fn lock(path: &Path, patience: Duration) -> Result<File, JournalError> {
    let file = File::options().create(true).append(true).open(path).map_err(failed("open", path))?;
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Err(JournalError::Busy),
            // There is no way to wait for a file's lock with a deadline.
            Err(TryLockError::WouldBlock) => std::thread::sleep(AGAIN),
            Err(TryLockError::Error(cause)) => return Err(failed("lock", path)(cause)),
        }
    }
}

fn put_aside(disk: &Disk, path: &Path, why: &str, now: Timestamp) -> Result<(), JournalError> {
    let aside = disk::beside(path, &format!(".damaged-{}", now.as_unix_millis()));
    warn!(journal = %path.display(), aside = %aside.display(), why, "put a damaged journal of changes aside");
    disk.rename(path, &aside).map_err(failed("put aside", path))
}
