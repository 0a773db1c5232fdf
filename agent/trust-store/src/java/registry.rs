//! Windows: the runtimes that the registry knows, wherever they were installed.

use std::path::PathBuf;

use winreg::RegKey;
use winreg::enums::{HKEY_LOCAL_MACHINE, KEY_READ, KEY_WOW64_32KEY, KEY_WOW64_64KEY};

/// The kinds of runtimes under `SOFTWARE\JavaSoft`, old names and new ones.
const KINDS: [&str; 4] = ["Java Development Kit", "Java Runtime Environment", "JDK", "JRE"];
/// Versions of one kind that are looked at.
const VERSIONS: usize = 100;

/// The folders of the runtimes, as both halves of the registry tell them.
pub(super) fn runtimes() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for half in [KEY_WOW64_64KEY, KEY_WOW64_32KEY] {
        for kind in KINDS {
            let path = format!(r"SOFTWARE\JavaSoft\{kind}");
            let Ok(key) = RegKey::predef(HKEY_LOCAL_MACHINE).open_subkey_with_flags(path, KEY_READ | half) else { continue };
            let homes = key.enum_keys().take(VERSIONS).flatten().filter_map(|version| {
                key.open_subkey_with_flags(version, KEY_READ | half).ok()?.get_value::<String, _>("JavaHome").ok()
            });
            found.extend(homes.map(PathBuf::from).filter(|home| home.is_absolute()));
        }
    }
    found
}
