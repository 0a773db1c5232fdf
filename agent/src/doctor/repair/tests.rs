use std::path::Path;

use inkan_model::programme::Programme;

use super::*;
use crate::disk::Disk;
use crate::doctor::internet_options::{INTERNET_SETTINGS, InternetOptions};
use crate::doctor::registry::Registry as _;
use crate::doctor::registry::fake::FakeRegistry;
use crate::doctor::{Check, CheckStatus, worst};

const SID: &str = "S-1-5-21-1-2-3-1001";
const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

fn programme() -> Programme {
    let text = "[programme]\nid = \"own\"\nnames = { ja = \"自前\", en = \"Own\" }\n[checks]\n\
                sites = [\"https://www.cjs-rokin.jp\"]\ntrusted_zone = true\npop_ups = true\n\
                proxy_exceptions = [\"*.secomtrust.net\"]\n";
    Programme::from_toml("own.toml", text).unwrap()
}

fn settings() -> KeyPath {
    KeyPath::user(SID, INTERNET_SETTINGS)
}

/// A PC on which everything that can be repaired is wrong.
fn ill() -> FakeRegistry {
    let text = |text: &str| Value::Text(text.to_owned());
    let paths = KeyPath::machine("SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\App Paths");
    FakeRegistry::default()
        .with(&KeyPath::user(SID, "Volatile Environment"), "USERNAME", text("uketsuke"))
        .with(&settings(), "SecureProtocols", Value::Number(0x28))
        .with(&settings(), "ProxyEnable", Value::Number(1))
        .with(&settings(), "ProxyServer", text("proxy:8080"))
        .with(&settings(), "ProxyOverride", text("<local>"))
        .with(&paths.below("iexplore.exe"), "", text("C:\\ie"))
        .with(&paths.below("msedge.exe"), "", text("C:\\edge"))
}

fn journal(folder: &Path) -> RepairJournal {
    RepairJournal::open(Disk::default(), folder).unwrap()
}

fn status(registry: &FakeRegistry, name: Check) -> CheckStatus {
    let results = InternetOptions::read(registry).checks(&programme().checks);
    worst(&results.into_iter().filter(|result| result.name == name).collect::<Vec<_>>())
}

#[test]
fn each_repair_makes_its_check_well_and_is_taken_back_whole() {
    let checks = [
        (Repair::Tls, Check::TlsVersions),
        (Repair::TrustedSite, Check::TrustedZone),
        (Repair::ProxyException, Check::Proxy),
        (Repair::PopUps, Check::PopUps),
    ];
    for (repair, check) in checks {
        let (folder, registry) = (tempfile::tempdir().unwrap(), ill());
        assert_ne!(status(&registry, check), CheckStatus::Well);
        let changes = plan(repair, Some(&programme()), None, &registry).unwrap();
        let applied = apply(repair, changes, &registry, &mut journal(folder.path()), NOW).unwrap().unwrap();
        assert_eq!(status(&registry, check), CheckStatus::Well, "{repair:?}");
        assert!(plan(repair, Some(&programme()), None, &registry).unwrap().is_empty(), "{repair:?} once more");
        let undone = undo(repair, &registry, &mut journal(folder.path())).unwrap();
        assert_eq!((undone.restored, undone.left.len()), (applied.changes.len(), 0));
        for change in &applied.changes {
            assert_eq!(registry.find(&change.key, &change.name).unwrap(), change.before);
        }
        assert!(journal(folder.path()).applied().is_empty());
    }
}

#[test]
fn what_somebody_changed_since_is_left_alone() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), ill());
    let changes = plan(Repair::Tls, None, None, &registry).unwrap();
    apply(Repair::Tls, changes, &registry, &mut journal(folder.path()), NOW).unwrap();
    registry.set(&settings(), "SecureProtocols", &Value::Number(0x2800)).unwrap();
    let undone = undo(Repair::Tls, &registry, &mut journal(folder.path())).unwrap();
    assert_eq!((undone.restored, undone.left.len()), (0, 1));
    assert_eq!(registry.find(&settings(), "SecureProtocols").unwrap(), Some(Value::Number(0x2800)));
}

#[test]
fn a_repair_that_was_cut_off_is_taken_back_by_its_journal() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), ill());
    let changes = plan(Repair::PopUps, Some(&programme()), None, &registry).unwrap();
    let first = changes[0].clone();
    assert!(changes.len() > 1);
    journal(folder.path()).push(Applied { repair: Repair::PopUps, at: NOW, changes }).unwrap();
    registry.set(&first.key, &first.name, first.after.as_ref().unwrap()).unwrap();
    let undone = undo(Repair::PopUps, &registry, &mut journal(folder.path())).unwrap();
    assert_eq!((undone.restored, undone.left.len()), (1, 0));
    assert_eq!(registry.find(&first.key, &first.name).unwrap(), None);
}

#[test]
fn nothing_is_changed_when_what_was_there_cannot_be_journaled() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), ill());
    let disk = Disk::behind(std::sync::Arc::new(crate::disk::fake::EndAfter::changes(0)));
    let mut journal = RepairJournal::open(disk, folder.path()).unwrap();
    let changes = plan(Repair::Tls, None, None, &registry).unwrap();
    let refused = apply(Repair::Tls, changes, &registry, &mut journal, NOW);
    assert!(matches!(refused, Err(RepairError::Journal { .. })));
    assert_eq!(registry.find(&settings(), "SecureProtocols").unwrap(), Some(Value::Number(0x28)));
}

#[test]
fn a_damaged_journal_is_told_and_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("repairs.json"), b"junk\n{}").unwrap();
    assert!(matches!(RepairJournal::open(Disk::default(), folder.path()), Err(RepairError::Damaged { .. })));
}

#[test]
fn a_repair_that_cannot_be_says_why() {
    let tls =
        |registry: &FakeRegistry, user: Option<&str>| plan(Repair::Tls, None, user, registry).unwrap_err().to_string();
    assert!(tls(&ill(), Some("nobody")).contains("signed in as nobody"));
    assert!(tls(&FakeRegistry::default(), None).contains("nobody is signed in"));
    let fixed = ill().with(
        &KeyPath::machine(crate::doctor::internet_options::POLICY_SETTINGS),
        "SecureProtocols",
        Value::Number(8),
    );
    assert!(tls(&fixed, None).contains("group policy"));
    assert!(plan(Repair::TrustedSite, None, None, &ill()).unwrap_err().to_string().contains("--programme"));
}

#[test]
fn names_read_back() {
    for repair in Repair::ALL {
        assert_eq!(Repair::from_name(repair.name()), Some(repair));
    }
}

#[test]
fn what_a_user_who_is_not_logged_on_has_waits_in_the_journal() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), ill());
    let changes = plan(Repair::Tls, None, None, &registry).unwrap();
    apply(Repair::Tls, changes, &registry, &mut journal(folder.path()), NOW).unwrap();
    let logged_off = FakeRegistry::default();
    let undone = undo(Repair::Tls, &logged_off, &mut journal(folder.path())).unwrap();
    assert_eq!((undone.restored, undone.left.len(), undone.waiting.len()), (0, 0, 1));
    let undone = undo(Repair::Tls, &registry, &mut journal(folder.path())).unwrap();
    assert_eq!((undone.restored, undone.waiting.len()), (1, 0));
    assert_eq!(registry.find(&settings(), "SecureProtocols").unwrap(), Some(Value::Number(0x28)));
}
