use std::fmt::Write as _;
use std::path::Path;

use inkan_model::store::{KeyPresence, ReadErrorKind, SetEntry};
use inkan_model::{Fingerprint, limits};
use proptest::prelude::*;

use super::*;

struct Made {
    der: Vec<u8>,
    pem: String,
    key: String,
}

fn made(name: &str, adapt: impl FnOnce(&mut rcgen::CertificateParams)) -> Made {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    adapt(&mut params);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Made { der: certificate.der().to_vec(), pem: certificate.pem(), key: key.serialize_pem() }
}

fn client(name: &str) -> Made {
    made(name, |params| params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth])
}

fn read(folder: &Path) -> Reading {
    let stores = Directories::new(vec![folder.to_path_buf()]);
    stores.read(&stores.discover()[0])
}

fn key_of(reading: &Reading, wanted: &str) -> KeyPresence {
    let found = reading.entries.iter().find_map(|entry| match entry {
        SetEntry::Certificate { key, name: Some(name), .. } if name == wanted => Some(*key),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{wanted} is not among {:?}", reading.entries))
}

#[test]
fn keys_are_found_in_the_same_file_and_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let [combined, beside, pem_beside, alone] = ["combined", "beside", "pem", "alone"].map(client);
    write("combined.pem", &format!("{}{}", combined.pem, combined.key));
    write("beside.crt", &beside.pem);
    write("beside.key", &beside.key);
    write("other.cer", &pem_beside.pem);
    write("other.pem", &pem_beside.key);
    write("alone.crt", &alone.pem);
    std::fs::write(folder.path().join("der.der"), client("der").der).unwrap();
    write("der.key", "0\u{1}");
    write("empty.crt", &client("empty").pem);
    write("empty.key", "");
    let ca = made("ca", |params| params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    write("ca.crt", &ca.pem);
    let server = made("server", |params| params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth]);
    write("server.crt", &server.pem);
    let reading = read(folder.path());
    for name in ["combined.pem", "beside.crt", "other.cer", "der.der"] {
        assert_eq!(key_of(&reading, name), KeyPresence::Present, "{name}");
    }
    for name in ["alone.crt", "empty.crt"] {
        assert_eq!(key_of(&reading, name), KeyPresence::Absent, "{name}");
    }
    for name in ["ca.crt", "server.crt"] {
        assert_eq!(key_of(&reading, name), KeyPresence::NotExpected, "{name}");
    }
    assert_eq!((reading.entries.len(), reading.errors.len()), (8, 0), "{reading:?}");
}

#[test]
fn broken_files_are_all_recorded_with_their_digest() {
    let folder = tempfile::tempdir().unwrap();
    let good = client("good");
    let mut flipped = good.der.clone();
    flipped[8] ^= 0x40;
    let huge = [vec![0x30, 0x83, 0x02, 0, 0], vec![0; 0x2_0000]].concat();
    let corpus: [(&str, &[u8]); 8] = [
        ("truncated.der", &good.der[..100]),
        ("truncated.pem", &good.pem.as_bytes()[..100]),
        ("flipped.cer", &flipped),
        ("label.pem", b"-----BEGIN CERTIFICAT-----\nAAAA\n-----END CERTIFICAT-----"),
        ("empty.crt", b""),
        ("large.der", &huge),
        ("junk.p12", b"\x7fELF\x01\x02"),
        ("nul.crt", &[0; 300]),
    ];
    for (name, bytes) in corpus {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let reading = read(folder.path());
    assert_eq!((reading.entries.len(), reading.certificates.len()), (corpus.len(), 0));
    for (name, bytes) in corpus {
        let recorded = reading.entries.iter().any(|entry| {
            let digest = Some(Fingerprint::of(bytes));
            matches!(entry, SetEntry::Unreadable { sha256, name: Some(n), why } if n == name && *sha256 == digest && !why.is_empty())
        });
        assert!(recorded, "{name}: {:?}", reading.entries);
    }
}

#[test]
fn a_file_that_is_too_large_is_an_entry_and_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("sparse.pem")).unwrap();
    file.set_len(1 << 40).unwrap();
    let reading = read(folder.path());
    assert_eq!(reading.errors[0].kind, ReadErrorKind::TooLarge);
    assert!(matches!(&reading.entries[..], [SetEntry::Unreadable { sha256: None, .. }]));
}

#[test]
fn more_entries_than_are_taken_are_told_as_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for n in 0..=limits::SET_ENTRIES {
        writeln!(text, "-----BEGIN CERTIFICATE-----\n{n}\n-----END CERTIFICATE-----").unwrap();
    }
    std::fs::write(folder.path().join("many.pem"), text).unwrap();
    std::fs::write(folder.path().join("next.pem"), client("next").pem).unwrap();
    let reading = read(folder.path());
    assert_eq!(reading.entries.len(), limits::SET_ENTRIES);
    assert!(reading.errors.iter().all(|error| error.kind == ReadErrorKind::TooLarge) && !reading.errors.is_empty());
}

#[test]
fn a_missing_directory_that_was_asked_for_is_an_error() {
    let reading = read(Path::new("/nowhere/at/all"));
    assert_eq!(reading.errors[0].kind, ReadErrorKind::NotFound);
}

#[test]
fn the_archive_and_what_lies_too_deep_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let put = |below: &str| {
        std::fs::create_dir_all(folder.path().join(below)).unwrap();
        std::fs::write(folder.path().join(below).join("c.pem"), client(below).pem).unwrap();
    };
    ["a/b/c", "a/b/c/d", ".inkan-archive/x", "a/.inkan-archive"].into_iter().for_each(put);
    let reading = read(folder.path());
    assert_eq!(reading.certificates.len(), 1);
    assert_eq!(key_of(&reading, "a/b/c/c.pem"), KeyPresence::Absent);
    assert_eq!(reading.errors.len(), 1);
}

#[test]
fn locked_pkcs12_needs_a_password_from_a_password_file() {
    use p12_keystore::{Certificate, KeyStore, KeyStoreEntry};
    let folder = tempfile::tempdir().unwrap();
    let mut store = KeyStore::new();
    let certificate = Certificate::from_der(&client("locked").der).unwrap();
    store.add_entry("one", KeyStoreEntry::Certificate(certificate));
    let bytes = store.writer("ひみつ").encryption_iterations(10).mac_iterations(10).write().unwrap();
    std::fs::create_dir(folder.path().join("certs")).unwrap();
    std::fs::write(folder.path().join("certs/a.pfx"), &bytes).unwrap();
    let directory = folder.path().join("certs");
    let reading = read(&directory);
    assert_eq!(reading.errors[0].kind, ReadErrorKind::PasswordNeeded);
    assert!(
        matches!(&reading.entries[..], [SetEntry::Unreadable { sha256: Some(digest), .. }] if *digest == Fingerprint::of(&bytes))
    );

    let passwords = folder.path().join("passwords");
    std::fs::write(&passwords, "wrong\r\nひみつ\r\n").unwrap();
    let stores = Directories::new(vec![directory]).with_password_files(vec![passwords, "/nowhere/p".into()]);
    let reading = stores.read(&stores.discover()[0]);
    assert_eq!(reading.certificates.len(), 1);
    assert_eq!(reading.errors[0].kind, ReadErrorKind::NotFound);
}

#[test]
fn users_directories_are_found_by_home_and_read_as_theirs() {
    let homes = tempfile::tempdir().unwrap();
    let user = |name: &str| User { name: name.to_owned(), home: homes.path().join(name) };
    std::fs::create_dir_all(homes.path().join("mika/.inkan/certs")).unwrap();
    std::fs::create_dir_all(homes.path().join("ken")).unwrap();
    std::fs::write(homes.path().join("mika/.inkan/certs/c.pem"), client("mika").pem).unwrap();
    let users = Users::Given(vec![user("mika"), user("ken")]);
    let stores = Directories::new(Vec::new()).with_user_directories(vec![".inkan/certs".into()], users);
    let found = stores.discover();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].kind, &found[0].scope), (StoreKind::UserDirectory, &Scope::User("mika".to_owned())));
    assert_eq!(stores.read(&found[0]).certificates.len(), 1);
}

#[cfg(unix)]
mod links {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_inside_of_the_directory_is_followed_and_one_out_of_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(inside.join("real.txt"), client("real").pem).unwrap();
        std::fs::write(folder.path().join("outside.pem"), client("outside").pem).unwrap();
        symlink("real.txt", inside.join("link.pem")).unwrap();
        symlink("../outside.pem", inside.join("out.pem")).unwrap();
        symlink("gone.pem", inside.join("dangling.pem")).unwrap();
        symlink(folder.path(), inside.join("up")).unwrap();
        let reading = read(&inside);
        assert_eq!(reading.certificates.len(), 1);
        assert_eq!(key_of(&reading, "link.pem"), KeyPresence::Absent);
        let kinds: Vec<_> = reading.errors.iter().map(|error| (error.item.as_str(), error.kind)).collect();
        assert_eq!(kinds, [("dangling.pem", ReadErrorKind::NotFound), ("out.pem", ReadErrorKind::Other)]);
        assert_eq!(reading.entries.len(), 3);
    }

    #[test]
    fn a_users_directory_behind_a_link_is_not_entered() {
        let homes = tempfile::tempdir().unwrap();
        let home = homes.path().join("mika");
        std::fs::create_dir_all(&home).unwrap();
        std::fs::create_dir_all(homes.path().join("secret/certs")).unwrap();
        std::fs::write(homes.path().join("secret/certs/c.pem"), client("secret").pem).unwrap();
        symlink(homes.path().join("secret"), home.join(".inkan")).unwrap();
        let users = Users::Given(vec![User { name: "mika".to_owned(), home }]);
        let stores = Directories::new(Vec::new()).with_user_directories(vec![".inkan/certs".into()], users);
        let reading = stores.read(&stores.discover()[0]);
        assert!(reading.certificates.is_empty() && reading.errors.len() == 1, "{reading:?}");
    }

    #[test]
    fn a_fifo_is_reported_and_never_opened() {
        let folder = tempfile::tempdir().unwrap();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, folder.path().join("pipe.pem"), mode).unwrap();
        let reading = read(folder.path());
        assert!(reading.errors[0].detail.contains("not a regular file"));
        assert_eq!(reading.entries.len(), 1);
    }

    #[test]
    fn keys_that_everybody_may_read_are_named() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        for (name, mode) in [("open.key", 0o644), ("closed.key", 0o640)] {
            let path = folder.path().join(name);
            std::fs::write(&path, client(name).key).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let stores = Directories::new(vec![folder.path().to_path_buf()]);
        assert_eq!(stores.exposed_keys(&stores.discover()[0]), ["open.key"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_file_of_any_bytes_is_an_entry_and_never_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..2048),
        extension in prop::sample::select(vec!["pem", "crt", "cer", "der", "p12", "pfx"]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(format!("any.{extension}")), &bytes).unwrap();
        prop_assert_eq!(read(folder.path()).entries.len(), 1);
    }
}
