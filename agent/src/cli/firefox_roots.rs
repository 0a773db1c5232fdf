//! `repair firefox-roots`: an old Firefox takes the machine's roots when its policies say so. Newer ones do by themselves.

use std::path::PathBuf;

use inkan_model::locale::Bilingual;
use inkan_trust_store::Changed;
use inkan_trust_store::nss::policies::{FirefoxInstallation, MachineRoots, find_installations};

/// The name on the command line.
pub(super) const NAME: &str = "firefox-roots";

/// What it does, in a sentence.
pub(super) fn what() -> Bilingual {
    Bilingual::new(
        "古い Firefox (120 より前) に、この端末のルート証明書を使わせます (policies.json)。",
        "Lets an old Firefox (before 120) take this PC’s roots (policies.json).",
    )
}

/// Each Firefox that is installed for the whole PC.
pub(super) fn installations() -> Vec<FirefoxInstallation> {
    let named = ["ProgramFiles", "ProgramFiles(x86)", "ProgramW6432"];
    let folders: Vec<_> = named.into_iter().filter_map(std::env::var_os).map(PathBuf::from).collect();
    let mut found = find_installations(&folders);
    found.sort_by(|a, b| a.folder.cmp(&b.folder));
    found.dedup_by(|a, b| a.folder == b.folder);
    found
}

/// What came of one Firefox, in words; the flag says whether it went well.
pub(super) fn apply(firefox: &FirefoxInstallation, only_show: bool) -> (bool, Bilingual) {
    let what = format!("Firefox {} ({})", firefox.version, firefox.folder.display());
    let says = |well, ja: &str, en: &str| (well, Bilingual::new(format!("{what}: {ja}"), format!("{what}: {en}")));
    match (firefox.machine_roots(), only_show) {
        (MachineRoots::ByItself, _) => {
            says(true, "もともと端末のルート証明書を使います", "takes the PC’s roots by itself")
        }
        (MachineRoots::ByPolicy, true) => says(true, "policies.json を変更します", "policies.json would be changed"),
        (MachineRoots::ByPolicy, false) | (MachineRoots::Never, _) => match firefox.import_machine_roots() {
            Ok(Changed::AlreadySo) => says(true, "設定済みです", "is set already"),
            Ok(Changed::Done | Changed::AfterRestart { .. }) => {
                says(true, "設定しました。Firefox を開き直してください", "is set; start Firefox anew")
            }
            Err(error) => said(&what, &error),
        },
    }
}

/// Takes back what [`apply`] wrote.
pub(super) fn withdraw(firefox: &FirefoxInstallation) -> (bool, Bilingual) {
    let what = format!("Firefox {} ({})", firefox.version, firefox.folder.display());
    let says = |ja: &str, en: &str| (true, Bilingual::new(format!("{what}: {ja}"), format!("{what}: {en}")));
    match firefox.withdraw_policy() {
        Ok(Changed::AlreadySo) => says("戻すものはありません", "has nothing to take back"),
        Ok(Changed::Done | Changed::AfterRestart { .. }) => says("元に戻しました", "is as it was"),
        Err(error) => said(&what, &error),
    }
}

fn said(what: &str, error: &dyn std::error::Error) -> (bool, Bilingual) {
    let words = format!("{what}: {}", crate::causes::with_causes(error));
    (false, Bilingual::new(words.clone(), words))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn firefox(program_files: &Path, version: &str) -> FirefoxInstallation {
        let folder = program_files.join("Mozilla Firefox");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("application.ini"), format!("[App]\nName=Firefox\nVersion={version}\n")).unwrap();
        find_installations(&[program_files.to_path_buf()]).remove(0)
    }

    #[test]
    fn an_old_firefox_is_told_and_has_its_policies_back_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let firefox = firefox(folder.path(), "115.20.0");
        let policies = firefox.folder.join("distribution/policies.json");
        fs::create_dir_all(policies.parent().unwrap()).unwrap();
        fs::write(&policies, "{\"policies\":{\"DisableTelemetry\":true}}").unwrap();
        assert!(apply(&firefox, true).0);
        assert!(!fs::read_to_string(&policies).unwrap().contains("ImportEnterpriseRoots"), "only shown");
        assert!(apply(&firefox, false).0);
        assert!(fs::read_to_string(&policies).unwrap().contains("ImportEnterpriseRoots"));
        assert!(withdraw(&firefox).0);
        assert_eq!(fs::read_to_string(&policies).unwrap(), "{\"policies\":{\"DisableTelemetry\":true}}");
    }

    #[test]
    fn a_firefox_that_is_too_old_and_a_broken_file_are_told_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!apply(&firefox(folder.path(), "52.0"), false).0);
        let firefox = firefox(folder.path(), "115.0");
        let policies = firefox.folder.join("distribution/policies.json");
        fs::create_dir_all(policies.parent().unwrap()).unwrap();
        fs::write(&policies, "not json").unwrap();
        let (well, words) = apply(&firefox, false);
        assert!(!well && words.en.contains("left alone"), "{words:?}");
        assert_eq!(fs::read_to_string(&policies).unwrap(), "not json");
    }
}
