//! A log that cannot fill a disk: one file, and a few older ones beside it.
//!
//! When the file has its size, it becomes `.1`, `.1` becomes `.2`, and the oldest goes. A line is never cut in two. Where
//! the disk refuses, the line is lost and the agent goes on: nothing depends on the log.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::disk::beside;

/// Bytes of one file.
const SIZE: u64 = 2 * 1024 * 1024;
/// Older files that are kept.
const OLDER: usize = 3;

/// The log of a service.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    size: u64,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    file: File,
    length: u64,
}

impl LogFile {
    /// The log in this folder, which must be there. What was written before stays.
    pub fn in_folder(folder: &Path) -> Self {
        Self::with_size(folder.join("agent.log"), SIZE)
    }

    fn with_size(path: PathBuf, size: u64) -> Self {
        Self { path, size, open: Mutex::new(None) }
    }

    /// The newest file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write_line(&self, line: &[u8]) -> io::Result<()> {
        let mut place = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let length = line.len() as u64;
        if place.as_ref().is_some_and(|open| open.length > 0 && open.length + length > self.size) {
            *place = None;
            self.move_on()?;
        }
        let open = match &mut *place {
            Some(open) => open,
            none => none.insert(self.open()?),
        };
        open.file.write_all(line)?;
        open.length += length;
        Ok(())
    }

    fn open(&self) -> io::Result<Open> {
        let file = File::options().create(true).append(true).open(&self.path)?;
        let length = file.metadata()?.len();
        if length < self.size {
            return Ok(Open { file, length });
        }
        drop(file);
        self.move_on()?;
        Ok(Open { file: File::options().create(true).append(true).open(&self.path)?, length: 0 })
    }

    fn move_on(&self) -> io::Result<()> {
        for number in (1..OLDER).rev() {
            rename_over(&self.older(number), &self.older(number + 1))?;
        }
        rename_over(&self.path, &self.older(1))
    }

    fn older(&self, number: usize) -> PathBuf {
        beside(&self.path, &format!(".{number}"))
    }
}

fn rename_over(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

impl Write for &LogFile {
    /// Takes one whole event.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_line(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Vec<(String, u64)> {
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        let mut found: Vec<_> =
            entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())).collect();
        found.sort();
        found
    }

    #[test]
    fn a_log_that_never_ends_takes_a_bounded_place_and_keeps_the_newest_lines_whole() {
        let folder = tempfile::tempdir().unwrap();
        let log = LogFile::with_size(folder.path().join("agent.log"), 100);
        for number in 0..100 {
            (&log).write_all(format!("line {number:04} of the log\n").as_bytes()).unwrap();
        }
        let found = files(folder.path());
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["agent.log", "agent.log.1", "agent.log.2", "agent.log.3"]);
        assert!(found.iter().all(|(_, length)| *length <= 100), "{found:?}");
        let newest = fs::read_to_string(log.path()).unwrap();
        assert!(newest.ends_with("line 0099 of the log\n"), "{newest}");
        assert!(newest.lines().all(|line| line.starts_with("line ")), "{newest}");
    }

    #[test]
    fn a_service_that_starts_again_goes_on_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        for run in ["first\n", "second\n"] {
            (&LogFile::in_folder(folder.path())).write_all(run.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(folder.path().join("agent.log")).unwrap(), "first\nsecond\n");
    }

    #[test]
    fn a_file_that_is_too_long_already_is_put_aside_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.log");
        fs::write(&path, [b'x'; 200]).unwrap();
        (&LogFile::with_size(path.clone(), 100)).write_all(b"new\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new\n");
    }

    #[test]
    fn a_folder_that_is_not_there_loses_the_line_and_nothing_else() {
        let log = LogFile::in_folder(Path::new("/nowhere/at/all"));
        assert!((&log).write_all(b"lost\n").is_err());
    }
}
