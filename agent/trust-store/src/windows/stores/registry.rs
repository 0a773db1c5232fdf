//! Certificates as registry keys: read in bounds, written in one value, deleted by name.
//!
//! Reading goes around CryptoAPI on purpose: it is the same for every user, sees one part of a store and not several
//! laid over each other, and asks nobody at the screen. A key below a user's own root may have been made by that user,
//! so a change never passes through a link.

use std::io;

use inkan_model::limits::{self, tame_text};
use inkan_model::store::{ReadError, ReadErrorKind};
use winreg::enums::{
    HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE, HKEY_USERS, KEY_CREATE_SUB_KEY, KEY_QUERY_VALUE, KEY_READ, KEY_SET_VALUE,
    KEY_WOW64_64KEY, REG_BINARY, REG_OPTION_NON_VOLATILE, REG_OPTION_OPEN_LINK,
};
use winreg::{RegKey, RegValue};

use super::entries::{Content, Stored};
use crate::files::survey::read_error;
use crate::windows::serialized::BLOB_BYTES;

/// The value in which a certificate's key has the certificate with its properties.
const BLOB: &str = "Blob";
/// The value that makes a key a link to another.
const LINK: &str = "SymbolicLinkValue";

/// A key below which stores are kept: the machine's, one user's, or a test's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Root {
    hive: Hive,
    below: String,
}

/// The root key of which a path counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Hive {
    #[cfg_attr(not(test), expect(dead_code, reason = "tests keep their own stores there"))]
    CurrentUser,
    LocalMachine,
    Users,
}

impl Root {
    /// The machine's.
    pub(crate) fn of_machine() -> Self {
        Self { hive: Hive::LocalMachine, below: String::new() }
    }

    /// Where all users' are that are loaded.
    pub(crate) fn of_users() -> Self {
        Self { hive: Hive::Users, below: String::new() }
    }

    /// A test's own.
    #[cfg(test)]
    pub(crate) fn for_test(below: &str) -> Self {
        Self { hive: Hive::CurrentUser, below: below.to_owned() }
    }

    /// A root below this one.
    pub(crate) fn below(&self, path: &str) -> Self {
        Self { hive: self.hive, below: self.path(path) }
    }

    fn path(&self, path: &str) -> String {
        if self.below.is_empty() { path.to_owned() } else { format!("{}\\{path}", self.below) }
    }

    fn hive(&self) -> RegKey {
        RegKey::predef(match self.hive {
            Hive::CurrentUser => HKEY_CURRENT_USER,
            Hive::LocalMachine => HKEY_LOCAL_MACHINE,
            Hive::Users => HKEY_USERS,
        })
    }

    /// Opens a key to read it; `None` where there is none.
    pub(crate) fn open(&self, path: &str) -> io::Result<Option<RegKey>> {
        found(self.hive().open_subkey_with_flags(self.path(path), KEY_READ | KEY_WOW64_64KEY))
    }

    /// Names of the keys below this root.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let root = self.hive().open_subkey_with_flags(&self.below, KEY_READ | KEY_WOW64_64KEY)?;
        Ok(root.enum_keys().filter_map(Result::ok).take(limits::SET_ENTRIES).collect())
    }

    /// The certificates below a key; `None` where there is no such key.
    pub(crate) fn certificates(&self, path: &str) -> io::Result<Option<Content>> {
        let Some(key) = self.open(path)? else { return Ok(None) };
        let found = key.enum_keys().filter_map(|name| match name {
            Ok(name) => stored(&key, name).map(Ok),
            Err(error) => Some(Err(read_error("", &error))),
        });
        Ok(Some(Content::collect(found)))
    }

    /// Whether there is any certificate below a key.
    pub(crate) fn has_certificates(&self, path: &str) -> bool {
        self.open(path).is_ok_and(|key| key.is_some_and(|key| key.enum_keys().next().is_some()))
    }

    /// Writes a certificate with its properties in one value, in the place of one that is there.
    pub(crate) fn write(&self, path: &str, name: &str, blob: Vec<u8>) -> io::Result<()> {
        self.refuse_links(&format!("{path}\\{name}"))?;
        let rights = KEY_SET_VALUE | KEY_CREATE_SUB_KEY | KEY_WOW64_64KEY;
        let path = self.path(&format!("{path}\\{name}"));
        let (key, _) = self.hive().create_subkey_with_options_flags(path, REG_OPTION_NON_VOLATILE, rights)?;
        key.set_raw_value(BLOB, &RegValue { bytes: blob, vtype: REG_BINARY })
    }

    /// Deletes a certificate.
    pub(crate) fn delete(&self, path: &str, name: &str) -> io::Result<()> {
        self.refuse_links(&format!("{path}\\{name}"))?;
        let rights = KEY_READ | KEY_SET_VALUE | KEY_WOW64_64KEY;
        match found(self.hive().open_subkey_with_flags(self.path(path), rights))? {
            Some(key) => found(key.delete_subkey_with_flags(name, KEY_WOW64_64KEY)).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Whether this process may add keys at a path, told by opening what there is of it.
    pub(crate) fn may_change(&self, path: &str) -> io::Result<()> {
        let whole = self.path(path);
        let mut at = whole.as_str();
        loop {
            let rights = KEY_SET_VALUE | KEY_CREATE_SUB_KEY | KEY_WOW64_64KEY;
            if found(self.hive().open_subkey_with_flags(at, rights))?.is_some() {
                return Ok(());
            }
            match at.rsplit_once('\\') {
                Some((above, _)) => at = above,
                None => return Err(io::ErrorKind::NotFound.into()),
            }
        }
    }

    /// Fails where a key on the way is a link: whoever made it would choose what is changed.
    fn refuse_links(&self, path: &str) -> io::Result<()> {
        let whole = self.path(path);
        for (at, _) in whole.match_indices('\\').chain([(whole.len(), "")]) {
            let rights = KEY_QUERY_VALUE | KEY_WOW64_64KEY;
            let opened = self.hive().open_subkey_with_options_flags(&whole[..at], REG_OPTION_OPEN_LINK, rights);
            match found(opened)? {
                Some(key) if key.get_raw_value(LINK).is_ok() => {
                    return Err(io::Error::new(io::ErrorKind::PermissionDenied, "a registry link is on the way"));
                }
                Some(_) => {}
                None => return Ok(()),
            }
        }
        Ok(())
    }
}

/// One certificate's key; `None` where it went away since its name was read.
fn stored(key: &RegKey, name: String) -> Option<Stored> {
    let blob = || -> Result<Option<Vec<u8>>, ReadError> {
        let failed = |error: io::Error| read_error(&name, &error);
        let Some(key) = found(key.open_subkey_with_flags(&name, KEY_READ | KEY_WOW64_64KEY)).map_err(failed)? else {
            return Ok(None);
        };
        let largest = key.query_info().map_err(failed)?.max_value_len;
        if usize::try_from(largest).is_ok_and(|largest| largest > BLOB_BYTES) {
            return Err(refused(ReadErrorKind::TooLarge, &name, "more bytes than a certificate has"));
        }
        match found(key.get_raw_value(BLOB)).map_err(failed)? {
            Some(value) if value.vtype == REG_BINARY => Ok(Some(value.bytes)),
            Some(_) => Err(refused(ReadErrorKind::Malformed, &name, "its value is not of binary type")),
            None => Err(refused(ReadErrorKind::Malformed, &name, "its key has no certificate")),
        }
    };
    let blob = blob().transpose()?;
    Some(Stored { item: name, blob })
}

fn refused(kind: ReadErrorKind, item: &str, detail: &str) -> ReadError {
    ReadError { kind, item: tame_text(item, limits::LONG_TEXT), detail: detail.to_owned() }
}

/// What is not there is none.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
