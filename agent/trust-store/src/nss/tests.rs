use std::fs;
use std::path::{Path, PathBuf};

use inkan_model::Fingerprint;
use inkan_model::properties::{TrustFlags, TrustLevel};
use inkan_model::store::{KeyPresence, SetEntry};
use proptest::prelude::*;
use rusqlite::Connection;

use super::trust::{FOR_SERVERS, UNSET};
use super::*;
use crate::files::User;

/// A home directory with one database of Chromium's kin, whose rows a test writes by itself.
struct Stage {
    home: tempfile::TempDir,
}

const COLUMNS: &str = "id PRIMARY KEY UNIQUE ON CONFLICT ABORT, a0, a3, a11, a81, a82, a102, ace536358, ace536359, \
                       ace53635a, ace53635b, ace5363b4, a62c, a62d, a62e, a62f, a635";

impl Stage {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join(".pki/nssdb")).unwrap();
        Self { home }
    }

    fn with_table() -> Self {
        let stage = Self::new();
        stage.sql(&format!("CREATE TABLE nssPublic ({COLUMNS})"));
        stage
    }

    fn file(&self) -> PathBuf {
        self.home.path().join(".pki/nssdb/cert9.db")
    }

    fn sql(&self, statement: &str) {
        Connection::open(self.file()).unwrap().execute_batch(statement).unwrap();
    }

    fn insert(&self, fields: &[(&str, &[u8])]) {
        let columns: Vec<_> = fields.iter().map(|(column, _)| *column).collect();
        let places = vec!["?"; fields.len()].join(",");
        let statement = format!("INSERT INTO nssPublic ({}) VALUES ({places})", columns.join(","));
        let values = rusqlite::params_from_iter(fields.iter().map(|(_, value)| *value));
        Connection::open(self.file()).unwrap().execute(&statement, values).unwrap();
    }

    fn certificate(&self, der: &[u8]) {
        self.insert(&[("a0", &[0, 0, 0, 1]), ("a11", der), ("a3", b"label")]);
    }

    fn store(&self) -> NssDatabases {
        let user = User { name: "mika".to_owned(), home: self.home.path().to_path_buf() };
        NssDatabases::new(Users::Given(vec![user]), Layout::Linux)
    }

    fn read(&self) -> Reading {
        let store = self.store();
        let location = store.discover().remove(0);
        store.read(&location)
    }
}

fn der(name: &str) -> Vec<u8> {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn trust_of(reading: &Reading, der: &[u8]) -> Option<TrustFlags> {
    let trust = |entry: &SetEntry| match entry {
        SetEntry::Certificate { certificate, properties, .. } if *certificate == Fingerprint::of(der) => {
            Some(properties.trust)
        }
        SetEntry::Certificate { .. } | SetEntry::Unreadable { .. } => None,
    };
    reading.entries.iter().find_map(trust).expect("the certificate is there")
}

const NEW_ANCHOR: &[u8] = &[0, 0, 0, 2];
const OLD_ANCHOR: &[u8] = &[0xce, 0x53, 0x43, 0x52];
const NEW_ROW: &[u8] = &[0, 0, 0, 0x0b];
const OLD_ROW: &[u8] = &[0xce, 0x53, 0x43, 0x53];

#[test]
fn a_small_file_whose_columns_stand_for_much_is_read_in_bounds() {
    let stage = Stage::new();
    stage.sql("CREATE TABLE nssPublic (id PRIMARY KEY, a0)");
    stage.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
         INSERT INTO nssPublic SELECT i, x'00000001' FROM n",
    );
    let much = "00".repeat(60_000);
    stage.sql(&format!("ALTER TABLE nssPublic ADD COLUMN a11 DEFAULT x'{much}'"));
    assert!(fs::metadata(stage.file()).unwrap().len() < 1024 * 1024);
    let reading = stage.read();
    let too_large = |error: &inkan_model::store::ReadError| error.kind == ReadErrorKind::TooLarge;
    assert!(reading.errors.iter().any(too_large), "{:?}", reading.errors);
    assert!(reading.entries.len() < 1_000, "{}", reading.entries.len());
}

#[test]
fn certificates_and_their_trust_are_read_in_both_shapes() {
    let (a, b, c) = (der("a"), der("b"), der("c"));
    let stage = Stage::with_table();
    for der in [&a, &b, &c] {
        stage.certificate(der);
    }
    let names = |der: &[u8]| super::row_identity::Identity::of(der).names.unwrap();
    let (of_a, of_b) = (names(&a), names(&b));
    let sha256 = Fingerprint::of(&a);
    let new = [("a0", NEW_ROW), ("a81", &of_a.issuer), ("a82", &of_a.serial), ("a635", sha256.as_bytes())];
    stage.insert(&[&new[..], &[("a62c", NEW_ANCHOR), ("a62f", &[0, 0, 0, 3])]].concat());
    stage.insert(&[("a0", OLD_ROW), ("a81", &of_b.issuer), ("a82", &of_b.serial), ("ace53635a", OLD_ANCHOR)]);
    let reading = stage.read();
    assert_eq!((reading.entries.len(), reading.certificates.len(), reading.errors.len()), (3, 3, 0));
    assert_eq!(trust_of(&reading, &a), Some(TrustFlags { email: TrustLevel::Distrusted, ..FOR_SERVERS }));
    assert_eq!(trust_of(&reading, &b), Some(TrustFlags { code: TrustLevel::Anchor, ..UNSET }));
    assert_eq!(trust_of(&reading, &c), None);
    let labelled = |entry: &SetEntry| match entry {
        SetEntry::Certificate { key, name, .. } => *key == KeyPresence::NotExpected && name.as_deref() == Some("label"),
        SetEntry::Unreadable { .. } => false,
    };
    assert!(reading.entries.iter().all(labelled));
}

#[test]
fn a_row_of_each_shape_for_one_certificate_comes_to_what_trusts_more() {
    let der = der("twice");
    let stage = Stage::with_table();
    stage.certificate(&der);
    let names = super::row_identity::Identity::of(&der).names.unwrap();
    let common = [("a81", names.issuer.as_slice()), ("a82", names.serial.as_slice())];
    stage.insert(&[&common[..], &[("a0", NEW_ROW), ("a62c", &[0, 0, 0, 4]), ("a62e", &[0, 0, 0, 77])]].concat());
    stage.insert(&[&common[..], &[("a0", OLD_ROW), ("ace536358", OLD_ANCHOR)]].concat());
    assert_eq!(trust_of(&stage.read(), &der), Some(TrustFlags { code: TrustLevel::Unrecognized(77), ..FOR_SERVERS }));
}

#[test]
fn trust_without_its_certificate_is_told() {
    let stage = Stage::with_table();
    stage.insert(&[("a0", NEW_ROW), ("a635", &[7; 32]), ("a62c", NEW_ANCHOR)]);
    stage.insert(&[("a0", NEW_ROW), ("a635", &[8; 32]), ("a62c", &[0, 0, 0, 4])]);
    let reading = stage.read();
    assert!(
        matches!(reading.entries.as_slice(), [SetEntry::Unreadable { why, .. }] if why.contains("server Anchor")
        && why.contains("0707")),
        "{:?}",
        reading.entries
    );
}

#[test]
fn a_row_that_is_about_another_certificate_of_the_same_name_and_number_does_not_count() {
    let der = der("same");
    let stage = Stage::with_table();
    stage.certificate(&der);
    let names = super::row_identity::Identity::of(&der).names.unwrap();
    let row = [("a0", NEW_ROW), ("a81", &names.issuer), ("a82", &names.serial), ("a62c", NEW_ANCHOR)];
    stage.insert(&[&row[..], &[("a635", &[1; 32])]].concat());
    assert_eq!(trust_of(&stage.read(), &der), None);
}

#[test]
fn both_halves_of_a_half_readable_database_are_told() {
    let stage = Stage::with_table();
    let good = der("good");
    stage.certificate(&good);
    stage.certificate(b"no certificate");
    stage.insert(&[("a0", &[0, 0, 0, 1]), ("a11", &vec![0x30; 300_000])]);
    stage.sql("INSERT INTO nssPublic (a0, a11, a3) VALUES (x'00000001', 'text', 17), (x'00000001', 4, NULL)");
    stage.sql("INSERT INTO nssPublic (a0, a62c, a81) VALUES (x'0000000b', 'text', 3.5)");
    let reading = stage.read();
    let broken = reading.entries.iter().filter(|entry| matches!(entry, SetEntry::Unreadable { .. })).count();
    assert_eq!((reading.certificates.len(), reading.errors.len()), (1, 0));
    assert_eq!(broken, 5, "{:?}", reading.entries);
    assert_eq!(trust_of(&reading, &good), None);
}

#[test]
fn a_field_of_many_megabytes_is_not_taken_in() {
    let stage = Stage::with_table();
    stage.certificate(&der("good"));
    stage.sql("INSERT INTO nssPublic (a0, a11) VALUES (x'00000001', zeroblob(20000000))");
    let reading = stage.read();
    assert_eq!((reading.certificates.len(), reading.entries.len(), reading.errors.len()), (1, 2, 0));
    stage.sql("INSERT INTO nssPublic (a0, a11) VALUES (x'00000001', zeroblob(20000000))");
    assert_eq!(stage.read().errors[0].kind, ReadErrorKind::TooLarge);
}

#[test]
fn a_view_or_a_virtual_table_is_no_table() {
    let program = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS a0, i AS a11 FROM n";
    for schema in
        [format!("CREATE VIEW nssPublic AS {program}"), "CREATE VIRTUAL TABLE nssPublic USING fts5(a0)".to_owned()]
    {
        let stage = Stage::new();
        stage.sql(&schema);
        let reading = stage.read();
        assert!(matches!(reading.errors.as_slice(), [error] if error.kind == ReadErrorKind::Malformed), "{reading:?}");
    }
}

#[test]
fn more_certificates_than_are_read_are_told() {
    let stage = Stage::with_table();
    stage.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 6000) \
         INSERT INTO nssPublic (a0, a11) SELECT x'00000001', x'30' FROM n",
    );
    let reading = stage.read();
    assert_eq!(reading.entries.len(), inkan_model::limits::SET_ENTRIES);
    assert_eq!(reading.errors[0].kind, ReadErrorKind::TooLarge);
}

#[test]
fn what_is_no_database_is_told_as_such() {
    for content in [&b""[..], b"not a database at all, but long enough to be looked at as one of them", &[0; 5000]] {
        let stage = Stage::new();
        fs::write(stage.file(), content).unwrap();
        let reading = stage.read();
        assert!(reading.entries.is_empty() && reading.errors.len() == 1, "{reading:?}");
    }
}

#[test]
fn the_old_format_is_told_as_such() {
    let stage = Stage::new();
    fs::write(stage.home.path().join(".pki/nssdb/cert8.db"), b"\0\x06\x15\x61").unwrap();
    let reading = stage.read();
    assert!(
        matches!(reading.errors.as_slice(), [error] if error.item == "cert8.db" && error.detail.contains("old format"))
    );
}

#[test]
fn a_database_in_the_middle_of_a_change_is_not_taken_for_whole() {
    let stage = Stage::with_table();
    stage.certificate(&der("good"));
    fs::write(stage.home.path().join(".pki/nssdb/cert9.db-journal"), b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7rest").unwrap();
    let reading = stage.read();
    assert!(reading.entries.is_empty() && reading.errors[0].detail.contains("writing"), "{reading:?}");
    fs::write(stage.home.path().join(".pki/nssdb/cert9.db-journal"), b"").unwrap();
    assert_eq!(stage.read().certificates.len(), 1);
}

#[test]
fn what_only_a_write_ahead_log_has_is_told_as_missing() {
    let stage = Stage::with_table();
    stage.certificate(&der("before"));
    let writer = Connection::open(stage.file()).unwrap();
    writer.query_row("PRAGMA journal_mode = wal", [], |_| Ok(())).unwrap();
    writer.execute("INSERT INTO nssPublic (a0, a11) VALUES (x'00000001', x'3000')", []).unwrap();
    let reading = stage.read();
    assert_eq!((reading.certificates.len(), reading.entries.len()), (1, 1));
    assert!(reading.errors[0].detail.contains("write-ahead log"), "{:?}", reading.errors);
    drop(writer);
    let reading = stage.read();
    assert_eq!((reading.entries.len(), reading.errors.len()), (2, 0));
}

#[cfg(unix)]
#[test]
fn a_link_in_place_of_a_database_is_not_followed() {
    let (stage, other) = (Stage::new(), Stage::with_table());
    other.certificate(&der("secret"));
    std::os::unix::fs::symlink(other.file(), stage.file()).unwrap();
    let reading = stage.read();
    assert!(reading.entries.is_empty() && reading.errors.len() == 1, "{reading:?}");
}

#[test]
fn a_location_that_nobody_has_is_not_read() {
    let stage = Stage::with_table();
    let store = stage.store();
    let mut location = store.discover().remove(0);
    location.path = "/etc".to_owned();
    assert_eq!(store.read(&location).errors[0].kind, ReadErrorKind::NotFound);
    location.scope = Scope::Machine;
    assert_eq!(store.read(&location).errors[0].kind, ReadErrorKind::NotFound);
}

#[cfg(unix)]
#[test]
fn without_a_child_nothing_can_be_changed() {
    let stage = Stage::with_table();
    let store = stage.store();
    let location = store.discover().remove(0);
    let refused = store.anchors().unwrap().can_change(&location);
    assert!(matches!(refused, Err(crate::ChangeError::ReadOnly { .. })), "{refused:?}");
}

fn damaged(path: &Path, at: usize, octets: &[u8]) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    for (offset, octet) in octets.iter().enumerate() {
        let length = bytes.len();
        bytes[(at + offset) % length] = *octet;
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_damaged_or_cut_database_never_panics(
        at in any::<usize>(),
        octets in proptest::collection::vec(any::<u8>(), 1..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let stage = Stage::with_table();
        for _ in 0..4 {
            stage.certificate(&[0x30; 900]);
        }
        let bytes = damaged(&stage.file(), at, &octets);
        fs::write(stage.file(), &bytes).unwrap();
        let _ = stage.read();
        fs::write(stage.file(), &bytes[..cut.index(bytes.len())]).unwrap();
        let _ = stage.read();
    }
}
