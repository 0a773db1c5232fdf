//! What every operating system offers: access is inherited from the folder, which the installer restricts.

use std::fs::{self, File};
use std::io;
use std::path::Path;

pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

pub(super) fn create_file(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}

/// Names are durable when the operating system says so; there is no portable way to ask.
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on platforms that can be asked")]
pub(super) fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}
