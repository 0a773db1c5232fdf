//! The Windows registry as the doctor sees it: a port, so that a test on any system can hand it a PC's registry.
//!
//! Checks are given [`Registry`] and can only read; a repair is given [`EditRegistry`].

#[cfg(test)]
pub(crate) mod fake;
#[cfg(windows)]
mod windows;

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

#[cfg(windows)]
pub use self::windows::WindowsRegistry;

/// The part of the registry that a key is in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hive {
    /// The machine's: `HKEY_LOCAL_MACHINE`.
    LocalMachine,
    /// Each loaded user's, by security identifier: `HKEY_USERS`.
    Users,
}

/// Where a key is.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct KeyPath {
    /// The part of the registry.
    pub hive: Hive,
    /// The path below it, with backslashes.
    pub path: String,
}

impl KeyPath {
    /// A key of the machine.
    pub fn machine(path: &str) -> Self {
        Self { hive: Hive::LocalMachine, path: path.to_owned() }
    }

    /// A key of a user.
    pub fn user(sid: &str, path: &str) -> Self {
        Self { hive: Hive::Users, path: format!("{sid}\\{path}") }
    }

    /// A key below this one.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        Self { hive: self.hive, path: format!("{}\\{name}", self.path) }
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hive = match self.hive {
            Hive::LocalMachine => "HKLM",
            Hive::Users => "HKU",
        };
        write!(f, "{hive}\\{}", self.path)
    }
}

/// A value, as far as the doctor deals with it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// `REG_DWORD`.
    Number(u32),
    /// `REG_SZ` or `REG_EXPAND_SZ`.
    Text(String),
    /// `REG_BINARY`.
    Bytes(Vec<u8>),
    /// Any other type, which is never changed.
    Other,
}

/// As the registry's editor shows it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "0x{number:x}"),
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Bytes(bytes) => f.write_str(&data_encoding::HEXLOWER.encode(bytes)),
            Self::Other => f.write_str("?"),
        }
    }
}

impl Value {
    /// The number, also where it is written as a text or as bytes, as old programs do.
    pub fn as_number(&self) -> Option<u32> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Bytes(bytes) => bytes.as_slice().try_into().ok().map(u32::from_le_bytes),
            Self::Other => None,
        }
    }

    /// The text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) | Self::Bytes(_) | Self::Other => None,
        }
    }
}

/// Reads the registry. A key or value that is not there is `None` or nothing, and no error.
pub trait Registry: Send + Sync {
    /// One value.
    fn find(&self, key: &KeyPath, name: &str) -> io::Result<Option<Value>>;

    /// Names of the keys below a key.
    fn list_keys(&self, key: &KeyPath) -> io::Result<Vec<String>>;

    /// All values of a key.
    fn list_values(&self, key: &KeyPath) -> io::Result<Vec<(String, Value)>>;

    /// Names of the keys below a whole hive.
    fn list_roots(&self, hive: Hive) -> io::Result<Vec<String>>;
}

/// Changes the registry, for repairs alone.
pub trait EditRegistry: Registry {
    /// Sets a value; the keys on the way are made.
    fn set(&self, key: &KeyPath, name: &str, value: &Value) -> io::Result<()>;

    /// Removes a value, or finds it gone. A key that it leaves empty stays.
    fn remove(&self, key: &KeyPath, name: &str) -> io::Result<()>;
}

/// Reads values of one key in the type that is expected of them.
pub(super) struct Reader<'r> {
    pub(super) registry: &'r dyn Registry,
}

impl Reader<'_> {
    pub(super) fn number(&self, key: &KeyPath, name: &str) -> io::Result<Option<u32>> {
        Ok(self.registry.find(key, name)?.and_then(|value| value.as_number()))
    }

    pub(super) fn text(&self, key: &KeyPath, name: &str) -> io::Result<Option<String>> {
        let text = self.registry.find(key, name)?.and_then(|value| value.as_text().map(|text| text.trim().to_owned()));
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// The texts of a policy that is a list: values named `1`, `2`, …
    pub(super) fn texts(&self, key: &KeyPath) -> io::Result<Vec<String>> {
        let values = self.registry.list_values(key)?;
        Ok(values.iter().filter_map(|(_, value)| value.as_text().map(str::to_owned)).collect())
    }
}
