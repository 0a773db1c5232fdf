//! One change of a folder at a time: of all in this process and, where folders can be locked, of all agents on this PC.
//!
//! It keeps agents from each other. Programs of others know nothing of it, so whoever changes a file still compares it
//! with what the change started from.

use std::fs::File;
#[cfg(unix)]
use std::fs::TryLockError;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
#[cfg(unix)]
use std::thread;
#[cfg(unix)]
use std::time::{Duration, Instant};

#[cfg(unix)]
use rustix::fs::{Mode, OFlags};

/// How long a change by another agent is waited for.
#[cfg(unix)]
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// How often it is looked whether that change is over.
#[cfg(unix)]
const LOCK_LOOK: Duration = Duration::from_millis(20);

/// The right to change a folder, until it is dropped.
pub(crate) struct Turn {
    _in_process: MutexGuard<'static, ()>,
    _on_host: Option<File>,
}

impl Turn {
    /// Waits for the right to change a folder.
    pub(crate) fn take(folder: &Path) -> io::Result<Self> {
        static IN_PROCESS: Mutex<()> = Mutex::new(());
        let in_process = IN_PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Self { _in_process: in_process, _on_host: lock(folder)? })
    }
}

/// Locks the folder itself, which leaves nothing behind, whatever happens. A user may hold the lock of a folder of their
/// own for ever, so the wait has an end.
#[cfg(unix)]
fn lock(folder: &Path) -> io::Result<Option<File>> {
    // Only ever a folder: a pipe that a user put in its place would be waited for without end.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = File::from(rustix::fs::open(folder, flags, Mode::empty())?);
    let began = Instant::now();
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(Some(folder)),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_WAIT => thread::sleep(LOCK_LOOK),
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another program holds its lock"));
            }
        }
    }
}

/// Folders cannot be locked here; the comparison before each change has to do.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as where folders can be locked")]
fn lock(_folder: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_in_the_place_of_a_folder_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR).unwrap();
        assert!(Turn::take(&pipe).is_err());
        assert!(Turn::take(folder.path()).is_ok());
    }
}
