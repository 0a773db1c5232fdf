//! One change of a folder at a time: of all in this process and, where folders can be locked, of all agents on this PC.
//!
//! It keeps agents from each other. Programs of others know nothing of it, so whoever changes a file still compares it
//! with what the change started from.

use std::fs::File;
#[cfg(unix)]
use std::fs::TryLockError;
use std::io;
#[cfg(unix)]
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
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

/// Where root keeps locks that nobody else can open; empty again after each start of the PC.
#[cfg(unix)]
const ROOTS_LOCKS: &str = "/run";
/// Permission bits of people who are not the owner, to open a folder.
#[cfg(unix)]
const OTHERS_OPEN: u32 = 0o055;

/// The right to change a folder, until it is dropped.
pub(crate) struct Turn {
    on_host: Option<Lock>,
    _in_process: MutexGuard<'static, ()>,
}

/// What is locked: a folder, or a file in its place that is removed when the turn is over.
struct Lock {
    file: File,
    in_place: Option<PathBuf>,
}

impl Turn {
    /// Waits for the right to change a folder.
    pub(crate) fn take(folder: &Path) -> io::Result<Self> {
        static IN_PROCESS: Mutex<()> = Mutex::new(());
        let in_process = IN_PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Self { on_host: lock(folder)?, _in_process: in_process })
    }

    /// The lock once more, for a program that works on the folder to hold as well: should the agent be ended, nobody's turn
    /// comes before that program has ended too.
    pub(crate) fn share(&self) -> io::Result<Option<File>> {
        self.on_host.as_ref().map(|lock| lock.file.try_clone()).transpose()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // One that stays is locked by the next who comes.
        let _ = self.in_place.as_ref().map(std::fs::remove_file);
    }
}

/// Locks the folder itself, which leaves nothing behind, whatever happens. A user may hold the lock of a folder of their
/// own for ever, so the wait has an end. A folder of root's that others can open too could be kept locked by any of them,
/// so root locks a file in its place.
#[cfg(unix)]
fn lock(folder: &Path) -> io::Result<Option<Lock>> {
    // Only ever a folder: a pipe that a user put in its place would be waited for without end.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = File::from(rustix::fs::open(folder, flags, Mode::empty())?);
    let metadata = folder.metadata()?;
    if rustix::process::geteuid().is_root() && metadata.uid() == 0 && metadata.mode() & OTHERS_OPEN != 0 {
        let path = Path::new(ROOTS_LOCKS).join(format!("inkan-turn-{:x}-{:x}", metadata.dev(), metadata.ino()));
        match lock_in_place(path) {
            Err(error) if error.kind() != io::ErrorKind::ResourceBusy => {
                tracing::debug!(%error, "there is no place for root's own locks here");
            }
            locked => return locked.map(Some),
        }
    }
    wait_for(&folder, Instant::now())?;
    Ok(Some(Lock { file: folder, in_place: None }))
}

#[cfg(unix)]
fn lock_in_place(path: PathBuf) -> io::Result<Lock> {
    let began = Instant::now();
    loop {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)?);
        wait_for(&file, began)?;
        // Whoever had it before has removed it meanwhile, and another one may stand there already.
        let is_still_there = std::fs::symlink_metadata(&path).is_ok_and(|there| {
            file.metadata().is_ok_and(|held| (held.dev(), held.ino()) == (there.dev(), there.ino()))
        });
        if is_still_there {
            return Ok(Lock { file, in_place: Some(path) });
        }
    }
}

#[cfg(unix)]
fn wait_for(file: &File, began: Instant) -> io::Result<()> {
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
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
fn lock(_folder: &Path) -> io::Result<Option<Lock>> {
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
    /// A lock that somebody holds who could only open the folder to read it, as every user of the PC can.
    #[test]
    fn nobody_else_keeps_root_from_its_folders_by_a_lock() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let held = File::open(folder.path()).unwrap();
        held.lock().unwrap();
        let turn = Turn::take(folder.path()).unwrap();
        let lock = turn.on_host.as_ref().unwrap();
        let in_place = lock.in_place.clone().unwrap();
        assert_eq!(lock.file.metadata().unwrap().mode() & 0o777, 0o600);
        drop(turn);
        assert!(!in_place.exists());
    }

    #[test]
    fn a_turn_is_over_when_the_program_that_shares_it_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let turn = Turn::take(folder.path()).unwrap();
        let shared = turn.share().unwrap().unwrap();
        drop(turn);
        let again = File::open(folder.path()).unwrap();
        assert!(again.try_lock().is_err());
        drop(shared);
        again.try_lock().unwrap();
    }
}
