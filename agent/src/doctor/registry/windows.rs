//! The registry of this PC.
//!
//! The 64-bit view is asked for, so that a 32-bit agent on a 64-bit Windows sees the keys that programs see; a 32-bit
//! Windows ignores the wish.

use std::io;

use winreg::enums::{
    HKEY_LOCAL_MACHINE, HKEY_USERS, KEY_READ, KEY_SET_VALUE, KEY_WOW64_64KEY, REG_BINARY, REG_DWORD, REG_EXPAND_SZ,
    REG_SZ,
};
use winreg::types::FromRegValue as _;
use winreg::{RegKey, RegValue};

use super::{EditRegistry, Hive, KeyPath, Registry, Value};

/// Keys and values of one key that are looked at.
const MOST: usize = 10_000;

/// The registry of this PC.
#[derive(Clone, Copy, Debug, Default)]
pub struct WindowsRegistry;

fn root(hive: Hive) -> RegKey {
    RegKey::predef(match hive {
        Hive::LocalMachine => HKEY_LOCAL_MACHINE,
        Hive::Users => HKEY_USERS,
    })
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn open(key: &KeyPath) -> io::Result<Option<RegKey>> {
    found(root(key.hive).open_subkey_with_flags(&key.path, KEY_READ | KEY_WOW64_64KEY))
}

fn value_of(raw: &RegValue) -> Value {
    match raw.vtype {
        REG_DWORD => u32::from_reg_value(raw).map_or(Value::Other, Value::Number),
        REG_SZ | REG_EXPAND_SZ => String::from_reg_value(raw).map_or(Value::Other, Value::Text),
        REG_BINARY => Value::Bytes(raw.bytes.clone()),
        _ => Value::Other,
    }
}

impl Registry for WindowsRegistry {
    fn find(&self, key: &KeyPath, name: &str) -> io::Result<Option<Value>> {
        let Some(key) = open(key)? else { return Ok(None) };
        Ok(found(key.get_raw_value(name))?.map(|raw| value_of(&raw)))
    }

    fn list_keys(&self, key: &KeyPath) -> io::Result<Vec<String>> {
        open(key)?.map_or_else(|| Ok(Vec::new()), |key| key.enum_keys().take(MOST).collect())
    }

    fn list_values(&self, key: &KeyPath) -> io::Result<Vec<(String, Value)>> {
        let Some(key) = open(key)? else { return Ok(Vec::new()) };
        let each = |entry: io::Result<(String, RegValue)>| entry.map(|(name, raw)| (name, value_of(&raw)));
        key.enum_values().take(MOST).map(each).collect()
    }

    fn list_roots(&self, hive: Hive) -> io::Result<Vec<String>> {
        root(hive).enum_keys().take(MOST).collect()
    }
}

impl EditRegistry for WindowsRegistry {
    fn set(&self, key: &KeyPath, name: &str, value: &Value) -> io::Result<()> {
        let flags = KEY_READ | KEY_SET_VALUE | KEY_WOW64_64KEY;
        let (key, _) = root(key.hive).create_subkey_with_flags(&key.path, flags)?;
        match value {
            Value::Number(number) => key.set_value(name, number),
            Value::Text(text) => key.set_value(name, text),
            Value::Bytes(bytes) => key.set_raw_value(name, &RegValue { vtype: REG_BINARY, bytes: bytes.clone() }),
            Value::Other => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn remove(&self, key: &KeyPath, name: &str) -> io::Result<()> {
        let opened = root(key.hive).open_subkey_with_flags(&key.path, KEY_SET_VALUE | KEY_WOW64_64KEY);
        let Some(key) = found(opened)? else { return Ok(()) };
        found(key.delete_value(name)).map(drop)
    }
}

#[cfg(test)]
mod tests;
