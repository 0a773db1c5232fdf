//! System stores beyond those that are reported: whoever else has a certificate whose key is about to be deleted.
//!
//! Anybody may make a system store, such as a web server its own, and programs keep certificates with keys there.
//! Those of the machine and of the running account are looked into here; other users' own stores of such names are not.

use std::io;

use winreg::RegKey;
use winreg::enums::{HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE, KEY_READ, KEY_WOW64_64KEY};

use crate::windows::serialized::KeyLink;
use crate::windows::system_store::{StoreScope, SystemStore};

/// Where Windows lists the stores of a scope.
const STORES: &str = "Software\\Microsoft\\SystemCertificates";
/// Stores of a scope that are looked into.
const LIMIT: usize = 200;
/// Stores that are looked into elsewhere, other users' of these names included.
const REPORTED: [&str; 5] = ["MY", "Root", "CA", "TrustedPeople", "Disallowed"];

/// The entries of such stores whose key is in the container of a link, in words.
pub(super) fn users_of(scope: StoreScope, link: &KeyLink) -> io::Result<Vec<String>> {
    let mut users = Vec::new();
    for name in names(scope)? {
        let Some(store) = SystemStore::open_to_read(scope, &name)? else { continue };
        for stored in store.certificates() {
            if stored.key_link()?.is_some_and(|other| other.same_container(link)) {
                users.push(format!("{} at {name}", stored.fingerprint()));
            }
        }
    }
    Ok(users)
}

fn names(scope: StoreScope) -> io::Result<Vec<String>> {
    let root = RegKey::predef(match scope {
        StoreScope::CurrentUser => HKEY_CURRENT_USER,
        StoreScope::Machine => HKEY_LOCAL_MACHINE,
    });
    let stores = match root.open_subkey_with_flags(STORES, KEY_READ | KEY_WOW64_64KEY) {
        Ok(stores) => stores,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let names: Vec<String> = stores.enum_keys().collect::<io::Result<_>>()?;
    if names.len() > LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more stores than are looked into"));
    }
    let is_other = |name: &String| !REPORTED.iter().any(|reported| reported.eq_ignore_ascii_case(name));
    Ok(names.into_iter().filter(is_other).collect())
}
