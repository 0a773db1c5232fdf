//! The file that signing in leaves: which server, and its token. Only its owner may read it.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What signing in leaves.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    /// The server that the token is for; it is never sent to another one.
    pub(crate) server: String,
    /// Who signed in.
    pub(crate) mail: String,
    /// When the token ends.
    pub(crate) expires_at: String,
    /// The certification authorities that were trusted then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The token.
    pub(crate) token: String,
}

/// Where the file is: `$XDG_CONFIG_HOME/inkan`, `~/.config/inkan`, or on Windows `%APPDATA%\inkan`.
pub(crate) fn file_of(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let below_home = || set("HOME").or_else(|| set("USERPROFILE")).map(|home| home.join(".config"));
    let roaming = || if cfg!(windows) { set("APPDATA") } else { None };
    let folder = set("XDG_CONFIG_HOME").or_else(roaming).or_else(below_home);
    let folder = folder.ok_or_else(|| Error::Usage("neither HOME nor XDG_CONFIG_HOME is set".to_owned()))?;
    Ok(folder.join("inkan").join("credentials.toml"))
}

/// Reads the file; `None` when there is none.
pub(crate) fn read(file: &Path) -> Result<Option<Credentials>> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(Error::local(format!("read {}", file.display()), cause)),
    };
    toml::from_str(&text).map(Some).map_err(|_| {
        // The parser's words would quote the line, which may be the token's.
        Error::NotDone(format!("{} is not a file of inkan login: delete it and sign in again", file.display()))
    })
}

/// Writes the file so that only its owner can read it, and whole or not at all.
pub(crate) fn write(file: &Path, credentials: &Credentials) -> Result<()> {
    let step = || format!("write {}", file.display());
    let text = toml::to_string(credentials).map_err(|cause| Error::local(step(), cause))?;
    let folder = file.parent().unwrap_or(Path::new("."));
    create_folder(folder).map_err(|cause| Error::local(step(), cause))?;
    let beside = file.with_extension("new");
    let written = remove(&beside).and_then(|()| create_private(&beside)).and_then(|mut new| {
        new.write_all(text.as_bytes())?;
        new.sync_all()?;
        fs::rename(&beside, file)
    });
    written.map_err(|cause| Error::local(step(), cause))
}

/// Deletes the file; it need not be there.
pub(crate) fn forget(file: &Path) -> Result<()> {
    remove(file).map_err(|cause| Error::local(format!("delete {}", file.display()), cause))
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn create_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(unix)]
fn create_private(file: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)
}

/// On Windows a folder of the user's profile is already closed to other users.
#[cfg(not(unix))]
fn create_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(not(unix))]
fn create_private(file: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).open(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_below_the_folder_that_the_environment_names() {
        let with = |pairs: &'static [(&str, &str)]| {
            file_of(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)))
        };
        let home = with(&[("HOME", "/home/h")]).unwrap();
        assert_eq!(home, Path::new("/home/h/.config/inkan/credentials.toml"));
        let xdg = with(&[("HOME", "/home/h"), ("XDG_CONFIG_HOME", "/c")]).unwrap();
        assert_eq!(xdg, Path::new("/c/inkan/credentials.toml"));
        assert!(with(&[("HOME", "")]).is_err());
    }

    #[test]
    fn a_damaged_file_is_refused_without_showing_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials.toml");
        fs::write(&file, "token = \"hidden").unwrap();
        let Err(error) = read(&file) else { panic!("was read") };
        assert!(!error.to_string().contains("hidden"), "{error}");
    }
}
