//! Reading and writing keystore bytes.

use inkan_model::Fingerprint;
use inkan_model::store::ReadError;
use proptest::prelude::*;

use super::*;

fn errors(reading: &Reading) -> Vec<ReadErrorKind> {
    reading.errors.iter().map(|ReadError { kind, .. }| *kind).collect()
}

fn read(bytes: &[u8], passwords: &[&str]) -> Reading {
    let passwords: Vec<_> = passwords.iter().map(|password| Zeroizing::new((*password).to_owned())).collect();
    Keystore::read(bytes, &passwords).into_reading()
}

#[test]
fn an_altered_keystore_is_reported_and_its_entries_are_told() {
    let der = certificate("a");
    let mut bytes = keystore(&[("alias", &der)], "changeit");
    assert_eq!(errors(&read(&bytes, &[])), []);
    let at = bytes.len() - 5;
    bytes[at] ^= 1;
    let reading = read(&bytes, &[]);
    assert_eq!(errors(&reading), [ReadErrorKind::PasswordNeeded]);
    assert_eq!(reading.certificates[0].der, der);
}

#[test]
fn a_password_from_a_file_fits_as_well_as_a_customary_one() {
    let bytes = keystore(&[("a", &certificate("a"))], "秘密🔑");
    assert_eq!(errors(&read(&bytes, &[])), [ReadErrorKind::PasswordNeeded]);
    assert_eq!(errors(&read(&bytes, &["falsch", "秘密🔑"])), []);
    assert_eq!(errors(&read(&keystore(&[], ""), &[])), []);
}

#[test]
fn entries_before_a_break_are_told_beside_the_break() {
    let bytes = keystore(&[("one", &certificate("one")), ("two", &certificate("two"))], "changeit");
    let reading = read(&bytes[..bytes.len() - 100], &[]);
    assert_eq!(names(&reading), [("one".to_owned(), KeyPresence::NotExpected)]);
    assert_eq!(errors(&reading), [ReadErrorKind::Malformed]);
    assert!(reading.errors[0].detail.starts_with("a certificate at byte "), "{:?}", reading.errors);
}

#[test]
fn a_certificate_that_is_none_is_an_unreadable_entry() {
    let reading = read(&keystore(&[("broken", b"junk"), ("good", &certificate("good"))], "changeit"), &[]);
    assert_eq!((reading.entries.len(), reading.certificates.len()), (2, 1));
    let unreadable = |entry: &SetEntry| {
        matches!(entry, SetEntry::Unreadable { sha256, name: Some(name), .. }
            if *sha256 == Some(Fingerprint::of(b"junk")) && name == "broken")
    };
    assert!(reading.entries.iter().any(unreadable));
}

#[test]
fn what_is_no_keystore_says_so() {
    for bytes in [&b""[..], b"\x30\x03\x02\x01\x03", b"-----BEGIN CERTIFICATE-----", &[0xFE, 0xED, 0xFE, 0xED]] {
        assert_eq!(errors(&read(bytes, &[])), [ReadErrorKind::Malformed], "{bytes:?}");
    }
}

#[test]
fn adding_and_removing_gives_the_same_file_again() {
    let bytes = keystore(&[("one", &certificate("one")), ("zwei 二", &certificate("two"))], "changeit");
    let added = certificate("three");
    let mut jks = jks::read(&bytes).ok().unwrap();
    jks.add_trusted("drei 三🔑", &added);
    let longer = jks.write("changeit");
    assert!(longer.len() > bytes.len());
    let mut jks = jks::read(&longer).ok().unwrap();
    assert_eq!(jks.entries[2].alias, "drei 三🔑");
    jks.remove_trusted(Fingerprint::of(&added));
    assert_eq!(jks.write("changeit"), bytes);
}

#[test]
fn a_number_of_entries_that_no_file_can_hold_costs_nothing() {
    let mut bytes = keystore(&[], "changeit");
    bytes[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(errors(&read(&bytes, &[])), [ReadErrorKind::Malformed]);
}

/// A stream with one array of the byte type `[B`, as the Java Object Serialization Specification has it.
fn serialized_bytes(content: &[u8]) -> Vec<u8> {
    let mut stream = vec![0xAC, 0xED, 0, 5, 0x75, 0x72, 0, 2, b'[', b'B', 1, 2, 3, 4, 5, 6, 7, 8, 2, 0, 0, 0x78, 0x70];
    stream.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
    stream.extend(content);
    stream
}

#[test]
fn the_length_of_a_serialized_object_is_found_whatever_follows() {
    let stream = serialized_bytes(b"four");
    let mut followed = stream.clone();
    followed.extend(b"more");
    assert_eq!(serialized::length(&followed), Some(stream.len()));
    assert_eq!(serialized::length(&stream[..stream.len() - 1]), None);
    assert_eq!(serialized::length(b"\xAC\xED\x00\x05\x73\x70"), None);
}

#[test]
fn a_stream_of_things_in_things_is_given_up() {
    let mut stream = vec![0xAC, 0xED, 0, 5];
    let deeper = [0x75, 0x72, 0, 2, b'[', b'[', 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0x78, 0x70, 0, 0, 0, 1];
    for _ in 0..100_000 {
        stream.extend(deeper);
    }
    assert_eq!(serialized::length(&stream), None);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), magic in 0_usize..4) {
        let magic: &[u8] = [&[][..], &[0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2, 0, 0, 0, 2], &[0xCE, 0xCE, 0xCE, 0xCE, 0, 0, 0, 2],
            &[0xAC, 0xED, 0, 5, 0x73, 0x72]][magic];
        let bytes = [magic, &bytes].concat();
        let reading = read(&bytes, &[]);
        let _ = serialized::length(&bytes);
        prop_assert!(!reading.errors.is_empty() || !reading.entries.is_empty() || bytes.len() == 32);
    }

    #[test]
    fn any_flipped_bit_is_noticed(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut bytes = keystore(&[("alias", b"one"), ("other", b"two")], "changeit");
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(!read(&bytes, &[]).errors.is_empty());
    }

    #[test]
    fn any_alias_survives(alias in "\\PC{0,40}") {
        let jks = jks::read(&keystore(&[(alias.as_str(), b"x")], "changeit")).ok().unwrap();
        prop_assert_eq!(&jks.entries[0].alias, &alias);
    }

    #[test]
    fn any_cut_of_a_stream_has_no_length(cut in 0_usize..30) {
        let stream = serialized_bytes(b"1234567");
        prop_assert_eq!(serialized::length(&stream[..cut.min(stream.len() - 1)]), None);
    }
}
