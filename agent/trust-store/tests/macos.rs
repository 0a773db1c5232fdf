//! Keychains, with a program of our own in the place of `security`: it answers in the words of the real one as far as these
//! are known. Nothing here ran on a Mac.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot set its stage must fail")]

use std::path::PathBuf;

use inkan_model::EntryProperties;
use inkan_model::properties::TrustLevel;
use inkan_model::store::{KeyPresence, Location, ReadErrorKind, Scope, SetEntry};
use inkan_trust_store::files::{User, Users};
use inkan_trust_store::macos::Keychains;
use inkan_trust_store::{Anchor, AnchorStore as _, ChangeError, Changed, Reading, StoreBackend as _};

const SYSTEM: &str = "/Library/Keychains/System.keychain";
const ROOTS: &str = "/System/Library/Keychains/SystemRootCertificates.keychain";

/// A Mac below a folder. Each keychain is a folder of answers beside it.
struct Mac {
    root: tempfile::TempDir,
    keychains: Keychains,
}

const PROGRAM: &str = r#"#!/bin/sh
for last; do :; done
case "$*" in
    "find-certificate -a -p "*) answer=$last.answers/pem ;;
    "find-certificate -a -Z "*) answer=$last.answers/names ;;
    "find-identity "*) answer=$last.answers/identities ;;
    "dump-trust-settings -d") answer=$root/settings ;;
    *) echo "unknown command" >&2; exit 2 ;;
esac
if [ -f "$answer" ]; then cat "$answer"; exit 0; fi
case "$1" in
    dump-trust-settings) echo "SecTrustSettingsCopyCertificates: No Trust Settings were found." >&2; exit 1 ;;
    *) echo "security: SecKeychainSearchCopyNext: The specified item could not be found in the keychain." >&2; exit 44 ;;
esac
"#;

impl Mac {
    fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let program = root.path().join("security");
        std::fs::write(&program, PROGRAM.replace("$root", root.path().to_str().unwrap())).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let user = User { name: "mika".to_owned(), home: root.path().join("Users/mika") };
        let keychains = Keychains::below(root.path(), Users::Given(vec![user]), program);
        let mac = Self { root, keychains };
        for keychain in [SYSTEM, ROOTS, "/Users/mika/Library/Keychains/login.keychain-db"] {
            let path = mac.path(keychain);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        mac
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    fn answer(&self, keychain: &str, question: &str, text: &str) {
        let folder = self.path(&format!("{keychain}.answers"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(question), text).unwrap();
    }

    fn location(&self, path: &str) -> Location {
        self.keychains.discover().into_iter().find(|location| location.path.ends_with(path)).unwrap()
    }

    /// Puts these certificates into the keychain of the machine.
    fn fill(&self, held: &[&Anchor]) {
        let pem: String =
            held.iter().map(|anchor| pem::encode(&pem::Pem::new("CERTIFICATE", anchor.der.as_slice()))).collect();
        let name = |anchor: &&Anchor| {
            let name = anchor.name.as_deref().unwrap();
            format!("SHA-1 hash: {}\nattributes:\n    \"labl\"<blob>=\"{name}\"\n", sha1(&anchor.der))
        };
        self.answer(SYSTEM, "pem", &pem);
        self.answer(SYSTEM, "names", &held.iter().map(name).collect::<String>());
    }

    fn trust(&self, names: &[&str]) {
        let settings = |name: &&str| format!("Cert 0: {name}\n   Number of trust settings : 0\n");
        let text: String = names.iter().map(settings).collect();
        std::fs::write(self.path("settings"), format!("Number of trusted certs = {}\n{text}", names.len())).unwrap();
    }
}

fn sha1(der: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, der);
    data_encoding::HEXUPPER.encode(hash.as_ref())
}

fn anchor(name: &str) -> Anchor {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let der = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec();
    Anchor { der, name: Some(name.to_owned()), properties: EntryProperties::default() }
}

fn told(reading: &Reading) -> Vec<(String, KeyPresence, Option<TrustLevel>)> {
    let entry = |entry: &SetEntry| match entry {
        SetEntry::Certificate { name, key, properties, .. } => {
            (name.clone().unwrap_or_default(), *key, properties.trust.map(|trust| trust.server))
        }
        SetEntry::Unreadable { why, .. } => (why.clone(), KeyPresence::Unknown, None),
    };
    let mut told: Vec<_> = reading.entries.iter().map(entry).collect();
    told.sort();
    told
}

#[test]
fn the_machines_and_each_users_keychain_are_locations() {
    let mac = Mac::new();
    let found = mac.keychains.discover();
    assert_eq!(found.len(), 3);
    assert_eq!(mac.location("login.keychain-db").scope, Scope::User("mika".to_owned()));
    assert_eq!((mac.location(SYSTEM).scope, mac.location(SYSTEM).path), (Scope::Machine, SYSTEM.to_owned()));
    for location in found {
        assert_eq!(mac.keychains.read(&location).errors, [], "an empty keychain is no error");
    }
}

#[test]
fn names_keys_and_trust_are_told_together() {
    let mac = Mac::new();
    let (root, client) = (anchor("Vendor Root"), anchor("client"));
    mac.fill(&[&root, &client]);
    let identity = format!("Policy: X.509 Basic\n  Matching identities\n  1) {} \"client\"\n", sha1(&client.der));
    mac.answer(SYSTEM, "identities", &identity);
    mac.trust(&["Vendor Root"]);
    let reading = mac.keychains.read(&mac.location(SYSTEM));
    assert_eq!(reading.errors, []);
    let expected = [
        ("Vendor Root".to_owned(), KeyPresence::Absent, Some(TrustLevel::Anchor)),
        ("client".to_owned(), KeyPresence::Present, None),
    ];
    assert_eq!(told(&reading), expected);
}

#[test]
fn trust_that_could_be_anothers_is_not_told() {
    let mac = Mac::new();
    mac.fill(&[&anchor("same"), &anchor("same")]);
    mac.trust(&["same"]);
    let reading = mac.keychains.read(&mac.location(SYSTEM));
    assert!(told(&reading).iter().all(|(_, _, trust)| trust.is_none()), "{reading:?}");
    assert_eq!((reading.errors.len(), reading.errors[0].kind), (1, ReadErrorKind::Other));
}

#[test]
fn what_cannot_be_asked_is_told_beside_what_could() {
    let mac = Mac::new();
    mac.fill(&[&anchor("a")]);
    let broken =
        PROGRAM.replace("\"find-identity \"*)", "\"nothing \"*)").replace("$root", mac.root.path().to_str().unwrap());
    std::fs::write(mac.path("security"), broken).unwrap();
    let reading = mac.keychains.read(&mac.location(SYSTEM));
    assert_eq!(told(&reading), [("a".to_owned(), KeyPresence::Unknown, None)]);
    assert_eq!((reading.errors.len(), reading.errors[0].item.as_str()), (1, "find-identity"));
    std::fs::remove_file(mac.path("security")).unwrap();
    assert_eq!(mac.keychains.read(&mac.location(SYSTEM)).errors[0].kind, ReadErrorKind::NotFound);
}

#[test]
fn a_change_of_trust_needs_a_person_and_what_is_so_needs_nobody() {
    let mac = Mac::new();
    let (trusted, held, absent) = (anchor("trusted"), anchor("held"), anchor("absent"));
    mac.fill(&[&trusted, &held]);
    mac.trust(&["trusted"]);
    let (system, roots) = (mac.location(SYSTEM), mac.location(ROOTS));
    let keychains = &mac.keychains;
    assert_eq!(keychains.add_anchor(&system, &trusted).unwrap(), Changed::AlreadySo);
    assert_eq!(keychains.remove_anchor(&system, absent.fingerprint()).unwrap(), Changed::AlreadySo);
    // A certificate that only stands in the keychain is not trusted.
    for refused in [
        keychains.can_change(&system),
        keychains.add_anchor(&system, &held).map(drop),
        keychains.add_anchor(&system, &absent).map(drop),
        keychains.remove_anchor(&system, held.fingerprint()).map(drop),
        keychains.can_change(&mac.location("login.keychain-db")),
    ] {
        assert!(matches!(refused, Err(ChangeError::NeedsUser { .. })), "{refused:?}");
    }
    let refused = keychains.add_anchor(&roots, &absent);
    assert!(matches!(refused, Err(ChangeError::ReadOnly { .. })), "{refused:?}");
    let found = keychains.find_anchor(&system, trusted.fingerprint()).unwrap().unwrap();
    assert_eq!((found.der, found.name.as_deref()), (trusted.der, Some("trusted")));
}
