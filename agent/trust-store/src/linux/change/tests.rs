//! Changes with a program of our own in the place of the distribution's, so that it can fail at will.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::StoreBackend as _;
use crate::folder::{Change, Gate};

const FOLDER: &str = "usr/local/share/ca-certificates";

/// A system below a folder, whose program puts every `.crt` file into the bundle.
struct Stage(tempfile::TempDir);

const CONCATENATE: &str = r#"find -L "$root/usr/local/share/ca-certificates" -name '*.crt' | sort | while read -r file; do cat "$file"; done >"$root/new"
mkdir -p "$root/etc/ssl/certs" && mv "$root/new" "$root/etc/ssl/certs/ca-certificates.crt""#;

impl Stage {
    fn new() -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(stage.path(FOLDER)).unwrap();
        std::fs::create_dir_all(stage.path("usr/sbin")).unwrap();
        stage.put_program(CONCATENATE);
        stage
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn put_program(&self, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path("usr/sbin/update-ca-certificates");
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, format!("#!/bin/sh\nroot='{}'\n{script}\n", self.0.path().display())).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn anchors(&self) -> (LocalAnchors, Location) {
        let anchors = LocalAnchors::below(self.0.path());
        let location = anchors.discover().remove(0);
        (anchors, location)
    }

    /// Everything below the folder of anchors, by name and content.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.path(FOLDER)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.insert(path.clone(), std::fs::read(path).unwrap());
                }
            }
        }
        files
    }
}

fn anchor(name: &str) -> Anchor {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let der = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec();
    Anchor { der, name: None, properties: EntryProperties::default() }
}

fn pem_of(anchor: &Anchor) -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", anchor.der.as_slice()))
}

/// Lets so many changes of the filesystem pass, and fails the next ones in this way.
struct Failing {
    left: AtomicUsize,
    kind: io::ErrorKind,
    failures: AtomicUsize,
}

impl Gate for Failing {
    fn pass(&self, _change: Change) -> io::Result<()> {
        let spent = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        // One failure, and then there is room again: for the way back.
        if spent.is_err() && self.failures.fetch_add(1, Ordering::SeqCst) == 0 { Err(self.kind.into()) } else { Ok(()) }
    }
}

fn failing(left: usize, kind: io::ErrorKind) -> Arc<dyn Gate> {
    Arc::new(Failing { left: AtomicUsize::new(left), kind, failures: AtomicUsize::new(0) })
}

#[test]
fn a_disk_that_is_full_at_any_step_leaves_folder_and_bundle_as_they_were() {
    let (added, removed, kept) = (anchor("added"), anchor("removed"), anchor("kept"));
    let mut failures = 0;
    for steps in 0..16 {
        let stage = Stage::new();
        std::fs::write(stage.path(FOLDER).join("two.crt"), format!("{}{}", pem_of(&removed), pem_of(&kept))).unwrap();
        let (anchors, location) = stage.anchors();
        let before = stage.files();
        for change in [true, false] {
            let limited = anchors.clone().with_gate(failing(steps, io::ErrorKind::StorageFull));
            let outcome = if change {
                limited.add_anchor(&location, &added)
            } else {
                limited.remove_anchor(&location, removed.fingerprint())
            };
            if outcome.is_err() {
                failures += 1;
                let mut now = stage.files();
                now.retain(|path, _| !path.components().any(|part| part.as_os_str() == ARCHIVE));
                assert!(now == before, "after {steps} steps: {outcome:?}, {:?}", now.keys());
            }
            // Once there is room, the same call comes to its end.
            anchors.add_anchor(&location, &added).unwrap();
            anchors.remove_anchor(&location, removed.fingerprint()).unwrap();
            assert_eq!(anchors.read(&location).entries.len(), 2);
            anchors.remove_anchor(&location, added.fingerprint()).unwrap();
            anchors.add_anchor(&location, &removed).unwrap();
            assert!(stage.files() == before, "after {steps} steps: {:?}", stage.files().keys());
        }
    }
    assert!(failures > 12, "{failures}");
}

#[test]
fn a_read_only_filesystem_is_told_as_read_only() {
    let stage = Stage::new();
    let (anchors, location) = stage.anchors();
    let limited = anchors.with_gate(failing(0, io::ErrorKind::ReadOnlyFilesystem));
    let refused = limited.add_anchor(&location, &anchor("a"));
    assert!(matches!(refused, Err(ChangeError::ReadOnly { .. })), "{refused:?}");
}

#[test]
fn a_program_that_fails_or_hangs_or_does_nothing_leaves_no_file_behind() {
    for script in ["echo 'no room' >&2; exit 1", "sleep 600", "true"] {
        let stage = Stage::new();
        let (anchors, location) = stage.anchors();
        stage.put_program(script);
        let anchors = anchors.with_deadline(Duration::from_millis(300));
        let failed = anchors.add_anchor(&location, &anchor("a")).unwrap_err();
        let expected = match script {
            "true" => matches!(failed, ChangeError::NotConfirmed { .. }),
            _ => matches!(failed, ChangeError::Io { .. }),
        };
        assert!(expected, "{script}: {failed:?}");
        assert_eq!(stage.files(), BTreeMap::new(), "{script}");
    }
}

#[test]
fn a_change_that_was_cut_off_before_the_program_ran_is_finished_by_the_same_call() {
    let stage = Stage::new();
    let (anchors, location) = stage.anchors();
    let (cut, added) = (anchor("cut"), anchor("added"));
    std::fs::write(stage.path(FOLDER).join("cut.crt"), pem_of(&cut)).unwrap();
    assert_eq!(anchors.add_anchor(&location, &cut).unwrap(), Changed::Done);
    assert_eq!(anchors.add_anchor(&location, &cut).unwrap(), Changed::AlreadySo);
    anchors.add_anchor(&location, &added).unwrap();
    std::fs::remove_file(stage.path(FOLDER).join(own_name(added.fingerprint()))).unwrap();
    assert_eq!(anchors.remove_anchor(&location, added.fingerprint()).unwrap(), Changed::Done);
    assert_eq!(anchors.remove_anchor(&location, added.fingerprint()).unwrap(), Changed::AlreadySo);
}

#[test]
fn a_file_that_holds_more_than_certificates_is_left_alone() {
    let stage = Stage::new();
    let (anchors, location) = stage.anchors();
    let (one, two) = (anchor("one"), anchor("two"));
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let noted = pem_of(&two).replace("CERTIFICATE", "TRUSTED CERTIFICATE");
    for content in [format!("{}{key}", pem_of(&one)), format!("{}{noted}", pem_of(&one))] {
        std::fs::write(stage.path(FOLDER).join("mixed.crt"), content).unwrap();
        let before = stage.files();
        let refused = anchors.remove_anchor(&location, one.fingerprint());
        assert!(matches!(refused, Err(ChangeError::ReadOnly { .. })), "{refused:?}");
        assert_eq!(stage.files(), before);
    }
}

#[test]
fn without_the_distributions_program_nothing_can_be_changed() {
    let stage = Stage::new();
    let (anchors, location) = stage.anchors();
    anchors.can_change(&location).unwrap();
    std::fs::remove_file(stage.path("usr/sbin/update-ca-certificates")).unwrap();
    let refused = anchors.can_change(&location);
    assert!(matches!(refused, Err(ChangeError::ReadOnly { .. })), "{refused:?}");
    assert_eq!(anchors.find_anchor(&location, anchor("a").fingerprint()).unwrap(), None);
}

#[test]
fn two_writers_do_not_get_into_each_others_way() {
    let stage = Stage::new();
    let (anchors, location) = stage.anchors();
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let (anchors, location) = (anchors.clone(), &location);
            scope.spawn(move || {
                for number in 0..3 {
                    anchors.add_anchor(location, &anchor(&format!("{writer}-{number}"))).unwrap();
                }
            });
        }
    });
    assert_eq!(anchors.read(&location).entries.len(), 9);
}
