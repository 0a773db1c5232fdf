//! What of Java can be tested without Java.

mod changes;
mod formats;

use std::path::{Path, PathBuf};

use inkan_model::store::{KeyPresence, Location, Scope, SetEntry};
use zeroize::Zeroizing;

use super::*;
use crate::files::User;

/// A certificate that is its own issuer.
fn certificate(name: &str) -> Vec<u8> {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

/// A keystore of these trusted certificates, under `changeit` or another password.
fn keystore(certificates: &[(&str, &[u8])], password: &str) -> Vec<u8> {
    const EMPTY: [u8; 12] = [0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2, 0, 0, 0, 0];
    let mut empty = EMPTY.to_vec();
    empty.extend([0; 20]);
    let mut jks = jks::read(&empty).ok().unwrap();
    for (alias, der) in certificates {
        jks.add_trusted(alias, der);
    }
    jks.write(password)
}

/// A folder with runtimes.
struct Stage {
    root: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    /// A runtime with this keystore.
    fn runtime(&self, name: &str, keystore: &[u8]) -> PathBuf {
        let path = self.root.path().join("jvm").join(name).join("lib/security/cacerts");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, keystore).unwrap();
        path
    }

    fn keystores(&self) -> JavaKeystores {
        JavaKeystores::of_runtimes_in(vec![self.root.path().join("jvm")])
    }

    fn names_beside(path: &Path) -> Vec<String> {
        let names = std::fs::read_dir(path.parent().unwrap()).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn names(reading: &Reading) -> Vec<(String, KeyPresence)> {
    let told = |entry: &SetEntry| match entry {
        SetEntry::Certificate { name, key, .. } => Some((name.clone().unwrap_or_default(), *key)),
        SetEntry::Unreadable { .. } => None,
    };
    let mut names: Vec<_> = reading.entries.iter().filter_map(told).collect();
    names.sort();
    names
}

#[test]
#[cfg(unix)]
fn a_keystore_that_several_runtimes_share_is_one_location() {
    let stage = Stage::new();
    let shared = stage.runtime("shared-17", &keystore(&[], "changeit"));
    let linked = stage.root.path().join("jvm/vendor/jdk-8/jre/lib/security");
    std::fs::create_dir_all(&linked).unwrap();
    std::os::unix::fs::symlink(&shared, linked.join("cacerts")).unwrap();
    let found = stage.keystores().discover();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].path, shared.canonicalize().unwrap().to_str().unwrap());
    assert_eq!(found[0].scope, Scope::Machine);
}

#[test]
fn keystores_of_users_and_of_the_settings_are_found_and_others_are_not() {
    let stage = Stage::new();
    let home = stage.root.path().join("home/mika");
    std::fs::create_dir_all(home.join(".java/deployment/security")).unwrap();
    let bytes = keystore(&[("own", &certificate("own"))], "");
    for name in [".keystore", ".java/deployment/security/trusted.certs", ".java/deployment/security/other"] {
        std::fs::write(home.join(name), &bytes).unwrap();
    }
    let named = stage.root.path().join("receipt.jks");
    std::fs::write(&named, &bytes).unwrap();
    let users = Users::Given(vec![User { name: "mika".to_owned(), home: home.clone() }]);
    let java = stage.keystores().with_users(users).with_keystores(vec![named, stage.root.path().join("missing.jks")]);
    let found = java.discover();
    let of_mika = found.iter().filter(|location| location.scope == Scope::User("mika".to_owned())).count();
    assert_eq!((found.len(), of_mika), (3, 2), "{found:?}");
    for location in &found {
        let reading = java.read(location);
        assert_eq!((names(&reading), reading.errors), (vec![("own".to_owned(), KeyPresence::NotExpected)], vec![]));
    }
    let elsewhere = Location { path: "/etc/shadow".to_owned(), ..found[0].clone() };
    assert_eq!(java.read(&elsewhere).errors[0].kind, ReadErrorKind::NotFound);
}

#[test]
#[cfg(unix)]
fn a_link_in_a_home_is_not_followed() {
    let stage = Stage::new();
    let home = stage.root.path().join("home");
    std::fs::create_dir_all(&home).unwrap();
    let elsewhere = stage.root.path().join("elsewhere");
    std::fs::write(&elsewhere, keystore(&[], "changeit")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, home.join(".keystore")).unwrap();
    let java = stage.keystores().with_users(Users::Given(vec![User { name: "mika".to_owned(), home }]));
    assert_eq!(java.discover(), []);
}

#[test]
fn the_keystores_of_this_machine_read_without_errors_where_there_are_some() {
    let java = JavaKeystores::of_system().with_users(Users::Given(Vec::new()));
    for location in java.discover() {
        let reading = java.read(&location);
        assert!(!reading.certificates.is_empty() && reading.errors.is_empty(), "{location}: {:?}", reading.errors);
    }
}

#[test]
fn nothing_that_can_be_shown_holds_a_password() {
    let stage = Stage::new();
    let path = stage.runtime("jdk", &keystore(&[("a", &certificate("a"))], "streng geheim"));
    let passwords = stage.root.path().join("passwords");
    std::fs::write(&passwords, "streng geheim\n").unwrap();
    let java = stage.keystores().with_password_files(vec![passwords]);
    let location = java.discover().remove(0);
    let anchors = java.anchors().unwrap();
    anchors.can_change(&location).unwrap();
    std::fs::write(&path, &keystore(&[], "streng geheim")[..30]).unwrap();
    let told = format!("{:?} {:?}", java.read(&location), anchors.can_change(&location));
    assert!(!told.contains("geheim"), "{told}");
}
