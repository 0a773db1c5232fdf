//! Private files by the folder that they are in, and steps that have patience with programs that look into every new file.

use std::fs::{self, File};
use std::io::{self, Seek as _};
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use inkan_trust_store::windows::access;

/// A folder is only opened with this flag (FILE_FLAG_BACKUP_SEMANTICS).
const OPEN_FOLDER: u32 = 0x0200_0000;
/// Access denied, sharing violation, lock violation, folder not empty: what a virus scanner or an indexer causes that
/// holds a file for a moment.
const HELD: [i32; 4] = [5, 32, 33, 145];
/// How often and how long a step waits for such a program; more than a second in all.
const ATTEMPTS: u32 = 12;
const PAUSE: Duration = Duration::from_millis(100);

pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    access::create_private_folder(path)
}

/// A folder that somebody else made may hold anything, and a link leads where its maker wants.
pub(super) fn claim_folder(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.file_type().is_symlink() {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, "the folder is a link"));
    }
    access::make_private(path)
}

pub(super) fn create_file(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}

/// Not with the right to append alone: a file that was opened so cannot be cut.
pub(super) fn open_to_append(path: &Path) -> io::Result<File> {
    let mut file = File::options().write(true).open(path)?;
    file.seek(io::SeekFrom::End(0))?;
    Ok(file)
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    patiently(|| fs::rename(from, to))?;
    // What makes a new name durable is that the file system's log is written, and flushing a file that bears it does that.
    match File::options().write(true).open(to) {
        Ok(file) => file.sync_all(),
        Err(_) => sync_folder(to),
    }
}

pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    patiently(|| fs::remove_file(path))
}

pub(super) fn remove_folder(path: &Path) -> io::Result<()> {
    patiently(|| match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    })
}

/// As far as the file system lets a folder be flushed: NTFS does, others refuse.
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on platforms where a refusal means something")]
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    if let Ok(folder) = File::options().write(true).custom_flags(OPEN_FOLDER).open(path) {
        let _refused = folder.sync_all();
    }
    Ok(())
}

fn patiently(mut step: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let is_held = |error: &io::Error| error.raw_os_error().is_some_and(|code| HELD.contains(&code));
    for _ in 1..ATTEMPTS {
        match step() {
            Err(error) if is_held(&error) => thread::sleep(PAUSE),
            done => return done,
        }
    }
    step()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_step_waits_for_a_program_that_holds_the_file_and_for_nothing_else() {
        let asked = AtomicU32::new(0);
        let held_twice = || match asked.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => Err(io::Error::from_raw_os_error(32)),
            _ => Ok(()),
        };
        patiently(held_twice).unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 3);
        let asked = AtomicU32::new(0);
        let missing = || {
            asked.fetch_add(1, Ordering::Relaxed);
            Err(io::ErrorKind::NotFound.into())
        };
        assert_eq!(patiently(missing).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_file_that_was_opened_to_append_can_be_cut() {
        use std::io::Write as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "one two").unwrap();
        let mut file = open_to_append(&path).unwrap();
        file.write_all(b" three").unwrap();
        file.set_len(3).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
    }
}
