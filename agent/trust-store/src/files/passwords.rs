//! Passwords of PKCS#12 files, one per line of files that the administrator names. Read when one is needed, wiped after.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inkan_model::store::ReadError;
use zeroize::Zeroizing;

use super::survey::read_error;
use crate::folder::{Folder, OpenGate};

/// Bytes of one password file.
const FILE_BYTES: usize = 64 * 1024;
/// Passwords that are tried on one file: each try costs a key derivation.
const PASSWORDS: usize = 20;

/// The files that hold passwords. The empty password is always tried and needs no file.
#[derive(Clone, Debug, Default)]
pub(crate) struct PasswordFiles(pub(crate) Vec<PathBuf>);

/// Passwords, and what kept some from being read.
#[derive(Default)]
pub(crate) struct Passwords {
    pub(crate) known: Vec<Zeroizing<String>>,
    pub(crate) errors: Vec<ReadError>,
}

impl PasswordFiles {
    /// Reads every file.
    pub(crate) fn load(&self) -> Passwords {
        let mut passwords = Passwords::default();
        for path in &self.0 {
            match read_lines(path) {
                Ok(lines) => passwords.known.extend(lines),
                Err(error) => passwords.errors.push(read_error(&path.to_string_lossy(), &error)),
            }
        }
        passwords.known.truncate(PASSWORDS);
        passwords
    }
}

fn read_lines(path: &Path) -> std::io::Result<Vec<Zeroizing<String>>> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let content = Folder::open(parent, Arc::new(OpenGate))?.read(name, FILE_BYTES)?;
    let lines = content.bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let password = |line: &[u8]| std::str::from_utf8(line).ok().map(|text| Zeroizing::new(text.to_owned()));
    Ok(lines.filter(|line| !line.is_empty()).filter_map(password).take(PASSWORDS).collect())
}
