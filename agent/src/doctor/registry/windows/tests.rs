//! The real registry, and every repair in it: each test has a user's key of its own below the one who runs it.

use inkan_model::Timestamp;
use inkan_model::programme::Programme;

use super::*;
use crate::disk::Disk;
use crate::doctor::internet_options::InternetOptions;
use crate::doctor::repair::{self, Repair, RepairJournal};

/// The user who runs the tests.
fn sid() -> String {
    let roots = WindowsRegistry.list_roots(Hive::Users).unwrap();
    roots.into_iter().find(|sid| sid.starts_with("S-1-5-21-") && !sid.ends_with("_Classes")).unwrap()
}

#[test]
fn values_are_written_read_listed_and_removed() {
    let key = KeyPath::user(&sid(), "Software\\inkan test\\values");
    let values = [Value::Number(0x828), Value::Text("値; *.example.jp".to_owned()), Value::Bytes(vec![0, 1, 2, 3])];
    for (number, value) in values.iter().enumerate() {
        let name = format!("v{number}");
        WindowsRegistry.set(&key, &name, value).unwrap();
        assert_eq!(WindowsRegistry.find(&key, &name).unwrap().as_ref(), Some(value));
    }
    assert_eq!(WindowsRegistry.list_values(&key).unwrap().len(), values.len());
    let above = KeyPath::user(&sid(), "Software\\inkan test");
    assert!(WindowsRegistry.list_keys(&above).unwrap().contains(&"values".to_owned()));
    for number in 0..values.len() {
        let name = format!("v{number}");
        WindowsRegistry.remove(&key, &name).unwrap();
        WindowsRegistry.remove(&key, &name).unwrap();
        assert_eq!(WindowsRegistry.find(&key, &name).unwrap(), None);
    }
}

#[test]
fn what_is_not_there_is_nothing_and_no_error() {
    let nowhere = KeyPath::machine("SOFTWARE\\inkan test\\nowhere");
    assert_eq!(WindowsRegistry.find(&nowhere, "x").unwrap(), None);
    assert!(WindowsRegistry.list_keys(&nowhere).unwrap().is_empty());
    assert!(WindowsRegistry.list_values(&nowhere).unwrap().is_empty());
    WindowsRegistry.remove(&nowhere, "x").unwrap();
}

#[test]
fn every_repair_changes_the_real_options_and_takes_it_back() {
    let settings = KeyPath::user(&sid(), crate::doctor::internet_options::INTERNET_SETTINGS);
    let wrong = [
        ("SecureProtocols", Value::Number(0x28)),
        ("ProxyEnable", Value::Number(1)),
        ("ProxyServer", Value::Text("proxy.test:8080".to_owned())),
        ("ProxyOverride", Value::Text("<local>".to_owned())),
    ];
    let before: Vec<_> = wrong.iter().map(|(name, _)| WindowsRegistry.find(&settings, name).unwrap()).collect();
    for (name, value) in &wrong {
        WindowsRegistry.set(&settings, name, value).unwrap();
    }
    let text = "[programme]\nid = \"own\"\nnames = { ja = \"自前\", en = \"Own\" }\n[checks]\n\
                sites = [\"https://www.repair-test.co.jp\"]\nproxy_exceptions = [\"*.repair-test.co.jp\"]\n";
    let programme = Programme::from_toml("own.toml", text).unwrap();
    for repair in Repair::ALL {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = RepairJournal::open(Disk::default(), folder.path()).unwrap();
        let changes = repair::plan(repair, Some(&programme), None, &WindowsRegistry).unwrap();
        let applied = repair::apply(repair, changes, &WindowsRegistry, &mut journal, Timestamp::default()).unwrap();
        let applied = applied.unwrap_or_else(|| panic!("{repair:?} found nothing to do"));
        assert!(repair::plan(repair, Some(&programme), None, &WindowsRegistry).unwrap().is_empty());
        let mut journal = RepairJournal::open(Disk::default(), folder.path()).unwrap();
        let undone = repair::undo(repair, &WindowsRegistry, &mut journal).unwrap();
        assert_eq!((undone.restored, undone.left.len()), (applied.changes.len(), 0), "{repair:?}");
        for change in applied.changes {
            assert_eq!(WindowsRegistry.find(&change.key, &change.name).unwrap(), change.before);
        }
    }
    for ((name, _), before) in wrong.iter().zip(before) {
        match before {
            Some(value) => WindowsRegistry.set(&settings, name, &value).unwrap(),
            None => WindowsRegistry.remove(&settings, name).unwrap(),
        }
    }
}

#[test]
fn the_options_of_this_pc_are_read_without_an_error() {
    let options = InternetOptions::read(&WindowsRegistry);
    assert!(options.errors.is_empty(), "{:?}", options.errors);
    assert!(options.users.iter().any(|user| user.sid == sid() && !user.name.is_empty()));
}
