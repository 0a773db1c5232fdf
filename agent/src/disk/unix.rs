//! Private files and folders by permission bits, durable names by syncing the folder.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Whose folders the agent works in is for the administrator to say; `doctor` says when others may enter.
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on platforms where folders are claimed")]
pub(super) fn claim_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

pub(super) fn create_file(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

pub(super) fn open_to_append(path: &Path) -> io::Result<File> {
    File::options().append(true).open(path)
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

pub(super) fn remove_folder(path: &Path) -> io::Result<()> {
    fs::remove_dir_all(path)
}

pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
