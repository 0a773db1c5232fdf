//! Changing keystores: what survives, what is undone, and what a kill leaves behind.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use inkan_model::properties::{EntryProperties, TrustFlags, TrustLevel};

use super::*;
use crate::folder::{Change, Gate};
use crate::{Anchor, ChangeError, Changed};

fn anchor(name: &str) -> Anchor {
    Anchor { der: certificate(name), name: Some(name.to_owned()), properties: EntryProperties::default() }
}

fn after_restart() -> Changed {
    Changed::AfterRestart { application: "Java".to_owned() }
}

/// Lets so many changes of the filesystem pass, and none after.
struct Failing {
    left: AtomicUsize,
    kind: io::ErrorKind,
}

impl Gate for Failing {
    fn pass(&self, _change: Change) -> io::Result<()> {
        let spent = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        spent.map(drop).map_err(|_| self.kind.into())
    }
}

#[test]
fn an_anchor_is_added_once_and_removed_once_and_leaves_no_trace() {
    let stage = Stage::new();
    let bytes = keystore(&[("one", &certificate("one"))], "changeit");
    let path = stage.runtime("jdk", &bytes);
    let (java, added) = (stage.keystores(), anchor("Vendor Root"));
    let (location, anchors) = (java.discover().remove(0), java.anchors().unwrap());
    anchors.can_change(&location).unwrap();
    assert_eq!(anchors.find_anchor(&location, added.fingerprint()).unwrap(), None);

    assert_eq!(anchors.add_anchor(&location, &added).unwrap(), after_restart());
    assert_eq!(anchors.add_anchor(&location, &added).unwrap(), Changed::AlreadySo);
    let found = anchors.find_anchor(&location, added.fingerprint()).unwrap().unwrap();
    assert_eq!((found.der, found.name.as_deref()), (added.der.clone(), Some("vendor root")));
    assert_eq!(names(&java.read(&location)).len(), 2);
    assert_eq!(Stage::names_beside(&path), ["cacerts", "cacerts.inkan-backup"]);
    assert_eq!(std::fs::read(path.with_file_name("cacerts.inkan-backup")).unwrap(), bytes);

    assert_eq!(anchors.remove_anchor(&location, added.fingerprint()).unwrap(), after_restart());
    assert_eq!(anchors.remove_anchor(&location, added.fingerprint()).unwrap(), Changed::AlreadySo);
    assert_eq!(Stage::names_beside(&path), ["cacerts"]);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn an_alias_that_is_taken_is_not_given_twice() {
    let stage = Stage::new();
    stage.runtime("jdk", &keystore(&[("root", &certificate("another"))], "changeit"));
    let (java, added) = (stage.keystores(), anchor("Root"));
    let (location, anchors) = (java.discover().remove(0), java.anchors().unwrap());
    anchors.add_anchor(&location, &added).unwrap();
    let alias = anchors.find_anchor(&location, added.fingerprint()).unwrap().unwrap().name.unwrap();
    assert_eq!(alias, format!("inkan-{}", &added.fingerprint().to_string()[..12]));
}

#[test]
fn limits_that_java_cannot_enforce_are_refused() {
    let stage = Stage::new();
    stage.runtime("jdk", &keystore(&[], "changeit"));
    let java = stage.keystores();
    let location = java.discover().remove(0);
    let flags =
        |client| TrustFlags { server: TrustLevel::Anchor, client, email: TrustLevel::Anchor, code: TrustLevel::Anchor };
    let limited = [
        EntryProperties { purposes: Some(vec!["1.3.6.1.5.5.7.3.1".to_owned()]), ..EntryProperties::default() },
        EntryProperties { name_constraints: Some(vec![0x30, 0]), ..EntryProperties::default() },
        EntryProperties { trust: Some(flags(TrustLevel::Unset)), ..EntryProperties::default() },
    ];
    for properties in limited {
        let refused = java.anchors().unwrap().add_anchor(&location, &Anchor { properties, ..anchor("a") });
        assert!(matches!(refused, Err(ChangeError::CannotLimit { .. })), "{refused:?}");
    }
    let properties = EntryProperties { trust: Some(flags(TrustLevel::Anchor)), ..EntryProperties::default() };
    let whole = java.anchors().unwrap().add_anchor(&location, &Anchor { properties, ..anchor("a") });
    assert_eq!(whole.unwrap(), after_restart());
}

#[test]
fn a_keystore_that_the_distribution_makes_or_whose_password_is_unknown_is_read_only() {
    let stage = Stage::new();
    let generated = stage.runtime("one", &keystore(&[], "changeit"));
    let locked = stage.runtime("two", &keystore(&[], "unknown"));
    let broken = stage.runtime("three", &keystore(&[], "changeit")[..20]);
    let java = stage.keystores().with_generated(vec![generated.clone()]);
    for path in [generated, locked, broken] {
        let before = std::fs::read(&path).unwrap();
        let is_meant =
            |location: &Location| Path::new(&location.path).canonicalize().unwrap() == path.canonicalize().unwrap();
        let location = java.discover().into_iter().find(is_meant).unwrap();
        let anchors = java.anchors().unwrap();
        for refused in [anchors.can_change(&location), anchors.add_anchor(&location, &anchor("a")).map(drop)] {
            assert!(matches!(refused, Err(ChangeError::ReadOnly { .. })), "{refused:?}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(Stage::names_beside(&path), ["cacerts"]);
    }
}

#[test]
fn a_full_disk_leaves_the_keystore_as_it_was() {
    let bytes = keystore(&[("one", &certificate("one"))], "changeit");
    let added = anchor("added");
    let mut failures = 0;
    for steps in 0.. {
        let stage = Stage::new();
        let path = stage.runtime("jdk", &bytes);
        let gate = Failing { left: AtomicUsize::new(steps), kind: io::ErrorKind::StorageFull };
        let java = stage.keystores().with_gate(Arc::new(gate));
        let location = java.discover().remove(0);
        let outcome = java.anchors().unwrap().add_anchor(&location, &added);
        let sound = stage.keystores().read(&location);
        assert_eq!(sound.errors, []);
        if outcome.is_ok() {
            break;
        }
        failures += 1;
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        // Made again where the disk has room, it comes to its end, whatever is left of the first try.
        let java = stage.keystores();
        java.anchors().unwrap().add_anchor(&location, &added).unwrap();
        assert_eq!(names(&java.read(&location)).len(), 2);
        java.anchors().unwrap().remove_anchor(&location, added.fingerprint()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        assert_eq!(Stage::names_beside(&path), ["cacerts"], "after {steps} steps");
    }
    assert!(failures > 5, "{failures}");
}

#[test]
fn a_read_only_filesystem_is_told_as_read_only() {
    let stage = Stage::new();
    stage.runtime("jdk", &keystore(&[], "changeit"));
    let gate = Failing { left: AtomicUsize::new(0), kind: io::ErrorKind::ReadOnlyFilesystem };
    let java = stage.keystores().with_gate(Arc::new(gate));
    let refused = java.anchors().unwrap().add_anchor(&java.discover()[0], &anchor("a"));
    assert!(matches!(refused, Err(ChangeError::ReadOnly { .. })), "{refused:?}");
}

#[test]
fn no_change_of_two_writers_is_lost() {
    let stage = Stage::new();
    stage.runtime("jdk", &keystore(&[], "changeit"));
    let location = stage.keystores().discover().remove(0);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (java, location) = (stage.keystores(), &location);
            scope.spawn(move || {
                for number in 0..5 {
                    java.anchors().unwrap().add_anchor(location, &anchor(&format!("w{writer}-{number}"))).unwrap();
                }
            });
        }
    });
    let reading = stage.keystores().read(&location);
    assert_eq!((reading.entries.len(), reading.errors.len()), (20, 0));
}

/// Changes the keystore behind the agent's back, the first time that it writes a file.
struct Meddling {
    path: PathBuf,
    bytes: Vec<u8>,
    done: AtomicUsize,
}

impl Gate for Meddling {
    fn pass(&self, _change: Change) -> io::Result<()> {
        if self.done.fetch_add(1, Ordering::SeqCst) == 6 { std::fs::write(&self.path, &self.bytes) } else { Ok(()) }
    }
}

#[test]
fn a_change_that_somebody_else_makes_meanwhile_is_kept() {
    let stage = Stage::new();
    let path = stage.runtime("jdk", &keystore(&[], "changeit"));
    let bytes = keystore(&[("theirs", &certificate("theirs"))], "changeit");
    let meddling = Meddling { path, bytes, done: AtomicUsize::new(0) };
    let java = stage.keystores().with_gate(Arc::new(meddling));
    let location = java.discover().remove(0);
    java.anchors().unwrap().add_anchor(&location, &anchor("ours")).unwrap();
    let told: Vec<_> = names(&java.read(&location)).into_iter().map(|(name, _)| name).collect();
    assert_eq!(told, ["ours", "theirs"]);
}

#[test]
#[cfg(unix)]
fn mode_and_owner_of_the_file_stay_and_a_link_to_it_stays_a_link() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let stage = Stage::new();
    let path = stage.runtime("jdk", &keystore(&[], "changeit"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let linked = stage.root.path().join("jvm/other/lib/security/cacerts");
    std::fs::create_dir_all(linked.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&path, &linked).unwrap();
    let before = std::fs::metadata(&path).unwrap();
    let java = stage.keystores();
    java.anchors().unwrap().add_anchor(&java.discover()[0], &anchor("a")).unwrap();
    let after = std::fs::metadata(&path).unwrap();
    assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
    assert_ne!(after.ino(), before.ino());
    assert!(std::fs::symlink_metadata(&linked).unwrap().is_symlink());
}
