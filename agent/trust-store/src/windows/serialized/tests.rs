use proptest::prelude::*;

use super::*;

/// As the registry had it after the certificate was added through CryptoAPI, with properties of each kind.
const WITH_KEY: &[u8] = include_bytes!("fixtures/with-key.blob");

fn property(id: u32, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap();
    [id, 1, length].into_iter().flat_map(u32::to_le_bytes).chain(data.iter().copied()).collect()
}

fn link() -> KeyLink {
    KeyLink {
        container: "inkan-テスト".to_owned(),
        provider: "Microsoft Enhanced RSA and AES Cryptographic Provider".to_owned(),
        provider_type: 24,
        flags: 0x20,
        key_spec: 1,
    }
}

#[test]
fn a_blob_that_windows_wrote_is_read_with_name_key_and_purposes() {
    let read = SerializedCertificate::read(WITH_KEY).unwrap();
    assert!(inkan_model::Certificate::read(read.der.clone()).facts.is_ok());
    assert_eq!(read.name.as_deref(), Some("医院の証明書"));
    assert_eq!(read.key, KeyReference::Link(link()));
    assert_eq!(read.purposes, Some(vec!["1.3.6.1.5.5.7.3.2".to_owned()]));
    let sha1 = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &read.der);
    assert_eq!(read.sha1.as_deref(), Some(sha1.as_ref()));
    assert_eq!((read.unreadable, read.others), (vec![], vec![]));
}

#[test]
fn a_blob_that_windows_wrote_is_written_with_the_same_properties() {
    let read = SerializedCertificate::read(WITH_KEY).unwrap();
    let properties = |blob: &[u8]| {
        let mut found: Vec<_> =
            Properties { bytes: blob, at: 0 }.map(|p| p.map(|(id, data)| (id, data.to_vec())).unwrap()).collect();
        found.sort_unstable();
        found
    };
    assert_eq!(properties(&read.to_bytes().unwrap()), properties(WITH_KEY));
}

/// `CRYPT_KEY_PROV_INFO` of a 64-bit process, with offsets in the place of its pointers.
fn wide_link(link: &KeyLink) -> Vec<u8> {
    let container = terminated(&link.container);
    let provider_at = u32::try_from(48 + container.len()).unwrap();
    let words = [48, 0, provider_at, 0, link.provider_type, link.flags, 0, 0, 0, 0, link.key_spec, 0];
    let head = words.into_iter().flat_map(u32::to_le_bytes);
    head.chain(container).chain(terminated(&link.provider)).collect()
}

#[test]
fn a_key_link_is_read_in_both_layouts() {
    assert_eq!(KeyLink::read(&link().to_bytes().unwrap()), Some(link()));
    assert_eq!(KeyLink::read(&wide_link(&link())), Some(link()));
}

#[test]
fn a_key_link_that_cannot_be_read_still_says_that_there_is_a_key() {
    for junk in [&b""[..], &[0; 12], &[0xff; 64], &[0; 64]] {
        let blob = [property(KEY_PROVIDER, junk), property(CERTIFICATE, b"der")].concat();
        assert_eq!(SerializedCertificate::read(&blob).unwrap().key, KeyReference::Unreadable);
    }
}

#[test]
fn no_purposes_is_another_thing_than_no_limit() {
    let with = |usage: &[u8]| {
        let blob = [property(USAGE, usage), property(CERTIFICATE, b"der")].concat();
        let read = SerializedCertificate::read(&blob).unwrap();
        (read.purposes, read.unreadable)
    };
    assert_eq!(with(&[0x30, 0]), (Some(vec![]), vec![]));
    assert_eq!(with(&[0x30, 3, 6, 1, 0x2a]), (Some(vec!["1.2".to_owned()]), vec![]));
    let cut = [0x30, 4, 6, 2, 0x2a, 0x80];
    let padded = [0x30, 5, 6, 3, 0x2a, 0x80, 1];
    let huge = [&[0x30, 13, 6, 11][..], &[0xff; 10], &[0]].concat();
    for junk in [b"", &[0x30, 1][..], &[0x30, 0, 0], &[0x30, 2, 5, 0], &[0x30, 2, 6, 0], &cut, &padded, &huge] {
        assert_eq!(with(junk), (None, vec!["purposes"]), "{junk:?}");
    }
    let blob = property(CERTIFICATE, b"der");
    assert_eq!(SerializedCertificate::read(&blob), Ok(SerializedCertificate::new(b"der".to_vec())));
}

#[test]
fn what_is_not_a_certificate_with_properties_is_refused_by_reason() {
    let read = SerializedCertificate::read;
    assert_eq!(read(b""), Err(InvalidBlob::NoCertificate));
    assert_eq!(read(&property(FRIENDLY_NAME, b"")), Err(InvalidBlob::NoCertificate));
    assert_eq!(read(&WITH_KEY[..WITH_KEY.len() - 1]).unwrap_err().to_string(), "ends within the property at byte 250");
    assert_eq!(read(&vec![0; BLOB_BYTES + 1]), Err(InvalidBlob::TooLarge(BLOB_BYTES + 1)));
    let many = property(99, b"").repeat(PROPERTIES + 1);
    assert_eq!(read(&many), Err(InvalidBlob::TooMany));
    let huge = [[99_u32, 1, u32::MAX].map(u32::to_le_bytes).concat(), vec![0; 8]].concat();
    assert_eq!(read(&huge), Err(InvalidBlob::Truncated(0)));
}

#[test]
fn purposes_have_their_known_encoding() {
    for (dotted, der) in [
        ("1.3.6.1.4.1.311.10.3.4", &[0x30, 12, 6, 10, 0x2b, 6, 1, 4, 1, 0x82, 0x37, 10, 3, 4][..]),
        ("2.999.3", &[0x30, 5, 6, 3, 0x88, 0x37, 3]),
        ("0.0", &[0x30, 3, 6, 1, 0]),
    ] {
        assert_eq!(usage_der(&[dotted.to_owned()]).as_deref(), Some(der));
        assert_eq!(usage::read(der), Some(vec![dotted.to_owned()]));
    }
}

#[test]
fn a_purpose_that_is_no_object_identifier_is_not_written() {
    for junk in ["", "1", "1.2.x", "9.9.9", "1.40", "serverAuth", "1.2.", "01.2.3", "1.2.18446744073709551616"] {
        assert_eq!(usage_der(&[junk.to_owned()]), None, "{junk}");
    }
}

fn oid() -> impl Strategy<Value = String> {
    (0_u64..3, 0_u64..40, prop::collection::vec(any::<u64>(), 0..6)).prop_map(|(first, second, rest)| {
        let arcs = [first, second].into_iter().chain(rest);
        arcs.map(|arc| arc.to_string()).collect::<Vec<_>>().join(".")
    })
}

fn certificate() -> impl Strategy<Value = SerializedCertificate> {
    let key = prop_oneof![
        Just(KeyReference::None),
        ("[a-z鍵]{1,9}", "[A-Z ]{0,9}", any::<(u32, u32, u32)>()).prop_map(
            |(container, provider, (provider_type, flags, key_spec))| KeyReference::Link(KeyLink {
                container,
                provider,
                provider_type,
                flags,
                key_spec
            })
        ),
    ];
    let bytes = || prop::collection::vec(any::<u8>(), 1..40);
    (
        bytes(),
        prop::option::of("[a-z医院]{1,9}"),
        key,
        prop::option::of(prop::collection::btree_set(oid(), 0..5)),
        prop::option::of(bytes()),
        prop::option::of(bytes()),
        prop::collection::vec((200_u32..300, bytes()), 0..4),
    )
        .prop_map(|(der, name, key, purposes, name_constraints, sha1, others)| SerializedCertificate {
            name,
            key,
            purposes: purposes.map(|purposes| purposes.into_iter().collect()),
            name_constraints,
            sha1,
            others,
            ..SerializedCertificate::new(der)
        })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(certificate in certificate()) {
        let written = certificate.to_bytes().unwrap();
        prop_assert_eq!(SerializedCertificate::read(&written), Ok(certificate));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = SerializedCertificate::read(&bytes);
    }

    #[test]
    fn a_blob_with_flipped_bytes_is_read_or_refused(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut blob = WITH_KEY.to_vec();
        for (at, byte) in flips {
            let at = at.index(blob.len());
            blob[at] = byte;
        }
        let _ = SerializedCertificate::read(&blob);
    }

    #[test]
    fn any_key_link_and_any_purposes_are_read_or_refused(bytes in prop::collection::vec(0_u8..64, 0..120)) {
        let _ = (KeyLink::read(&bytes), usage::read(&bytes));
        let wide: Vec<u8> = [48_u32, 0].into_iter().flat_map(u32::to_le_bytes).chain(bytes).collect();
        let _ = KeyLink::read(&wide);
    }
}
