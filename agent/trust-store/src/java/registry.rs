//! Windows: the runtimes that the registry knows, wherever they were installed.

use std::path::PathBuf;

use winreg::RegKey;
use winreg::enums::{HKEY_LOCAL_MACHINE, KEY_READ, KEY_WOW64_32KEY, KEY_WOW64_64KEY};

/// Where Java's installers write.
const JAVA: &str = r"SOFTWARE\JavaSoft";
/// The kinds of runtimes there, old names and new ones.
const KINDS: [&str; 4] = ["Java Development Kit", "Java Runtime Environment", "JDK", "JRE"];
/// Versions of one kind that are looked at.
const VERSIONS: usize = 100;

/// The folders of the runtimes, as both halves of the registry tell them.
pub(super) fn runtimes() -> Vec<PathBuf> {
    let machine = RegKey::predef(HKEY_LOCAL_MACHINE);
    let halves = [KEY_WOW64_64KEY, KEY_WOW64_32KEY].map(|half| KEY_READ | half);
    let found = halves.map(|access| machine.open_subkey_with_flags(JAVA, access).map(|java| homes(&java, access)));
    found.into_iter().flatten().flatten().collect()
}

fn homes(java: &RegKey, access: u32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for kind in KINDS {
        let Ok(kind) = java.open_subkey_with_flags(kind, access) else { continue };
        let homes = kind.enum_keys().take(VERSIONS).flatten().filter_map(|version| {
            kind.open_subkey_with_flags(version, access).ok()?.get_value::<String, _>("JavaHome").ok()
        });
        found.extend(homes.map(PathBuf::from).filter(|home| home.is_absolute()));
    }
    found
}

#[cfg(test)]
mod tests {
    use winreg::enums::HKEY_CURRENT_USER;

    use super::*;

    #[test]
    fn each_version_of_each_kind_tells_its_folder() {
        let path = format!(r"Software\inkan-test-{}", std::process::id());
        let user = RegKey::predef(HKEY_CURRENT_USER);
        let (java, _) = user.create_subkey(&path).unwrap();
        let entries = [
            (r"JRE\17", r"C:\Java\jre-17"),
            (r"JDK\21", r"D:\jdk-21"),
            (r"JDK\broken", "nowhere"),
            (r"Other\1", r"C:\x"),
        ];
        for (key, home) in entries {
            java.create_subkey(key).unwrap().0.set_value("JavaHome", &home).unwrap();
        }
        java.create_subkey(r"JRE\without").unwrap();
        let found = homes(&java, KEY_READ);
        user.delete_subkey_all(&path).unwrap();
        assert_eq!(found, [r"D:\jdk-21", r"C:\Java\jre-17"].map(PathBuf::from));
    }
}
