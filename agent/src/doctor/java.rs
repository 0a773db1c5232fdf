//! Whether there is a Java runtime.

use std::io;
use std::path::Path;

use inkan_model::checkup::{Check, CheckResult, CheckStatus};
use inkan_model::locale::Bilingual;

use super::registry::{KeyPath, Reader, Registry};

const KEYS: [&str; 4] = [
    "SOFTWARE\\JavaSoft\\JRE",
    "SOFTWARE\\JavaSoft\\JDK",
    "SOFTWARE\\JavaSoft\\Java Runtime Environment",
    "SOFTWARE\\WOW6432Node\\JavaSoft\\Java Runtime Environment",
];
/// Where Linux distributions and macOS keep runtimes.
const FOLDERS: [&str; 2] = ["usr/lib/jvm", "Library/Java/JavaVirtualMachines"];

/// Versions in the registry.
pub(super) fn in_registry(registry: &dyn Registry) -> io::Result<Vec<String>> {
    let reader = Reader { registry };
    let mut found = Vec::new();
    for key in KEYS {
        found.extend(reader.text(&KeyPath::machine(key), "CurrentVersion")?);
    }
    Ok(found)
}

/// Runtimes in the folders of a system, below its root.
pub(super) fn in_folders(root: &Path) -> Vec<String> {
    let folders = FOLDERS.iter().filter_map(|folder| std::fs::read_dir(root.join(folder)).ok());
    let names = folders.flat_map(|entries| entries.flatten().take(100));
    let mut found: Vec<_> = names
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    found.sort_unstable();
    found
}

/// Whether there is one.
pub(super) fn check(found: &[String]) -> CheckResult {
    let name = Check::Java;
    if let Some(first) = found.first() {
        return CheckResult::well(name, format!("Java があります ({first})。"), format!("There is Java ({first})."));
    }
    CheckResult::unwell(
        name,
        CheckStatus::Now,
        Bilingual::new("Java の実行環境がありません。", "There is no Java runtime."),
        Bilingual::new(
            "システムの案内にある版の Java を入れてください。",
            "Install the Java that the system’s guide names.",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::registry::Value;
    use super::super::registry::fake::FakeRegistry;
    use super::*;

    #[test]
    fn a_runtime_is_found_in_the_registry_or_in_its_folder() {
        let key = KeyPath::machine(KEYS[2]);
        let registry = FakeRegistry::default().with(&key, "CurrentVersion", Value::Text("1.8".to_owned()));
        assert_eq!(in_registry(&registry).unwrap(), ["1.8"]);
        let root = tempfile::tempdir().unwrap();
        assert_eq!(check(&in_folders(root.path())).status, CheckStatus::Now);
        std::fs::create_dir_all(root.path().join("usr/lib/jvm/java-17-openjdk")).unwrap();
        assert_eq!(in_folders(root.path()), ["java-17-openjdk"]);
        assert_eq!(check(&in_folders(root.path())).status, CheckStatus::Well);
    }
}
