use inkan_model::certificate::NameDigest;
use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use super::*;
use crate::testing::NOW;

fn params(is_ca: bool) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "anchor");
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

fn self_signed(params: &CertificateParams) -> Vec<u8> {
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn pem_of(tag: &str, der: &[u8]) -> String {
    pem::encode(&Pem::new(tag, der))
}

#[test]
fn certificates_are_read_from_pem_and_der_each_one_once() {
    let (one, two) = (self_signed(&params(true)), self_signed(&params(true)));
    let (first, second) = (pem_of("CERTIFICATE", &one), pem_of("CERTIFICATE", &two));
    let bundle = format!("\u{feff}# a comment\n{first}{second}{first}");
    assert_eq!(read_anchors(bundle.as_bytes()).unwrap(), [one.clone(), two]);
    assert_eq!(read_anchors(&one).unwrap(), [one]);
}

#[test]
fn a_private_key_in_any_form_is_refused() {
    let key = KeyPair::generate().unwrap();
    let certificate = pem_of("CERTIFICATE", &self_signed(&params(true)));
    for tag in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"] {
        let file = format!("{certificate}{}", pem_of(tag, &key.serialize_der()));
        assert_eq!(read_anchors(file.as_bytes()), Err(FileProblem::PrivateKey), "{tag}");
        let damaged = file.replace("-----END", "----END");
        assert_eq!(read_anchors(damaged.as_bytes()), Err(FileProblem::PrivateKey), "{tag}");
    }
    assert_eq!(read_anchors(&key.serialize_der()), Err(FileProblem::PrivateKey));
}

#[test]
fn keys_as_der_are_told_from_certificates_by_their_shape() {
    let integer = |value: u8| vec![0x02, 1, value];
    let sequence = |fields: &[&[u8]]| {
        let content = fields.concat();
        [&[0x30, u8::try_from(content.len()).unwrap()], content.as_slice()].concat()
    };
    let one = integer(7);
    let pkcs1 = sequence(&[&integer(0), &one, &one, &one, &one, &one, &one, &one, &one]);
    let sec1 = sequence(&[&integer(1), &[0x04, 1, 9]]);
    let encrypted = sequence(&[&sequence(&[&[0x06, 1, 42]]), &[0x04, 1, 9]]);
    for key in [pkcs1, sec1, encrypted] {
        assert_eq!(read_anchors(&key), Err(FileProblem::PrivateKey), "{key:02x?}");
    }
    let pkcs12 = sequence(&[&integer(3), &sequence(&[&[0x06, 1, 42]])]);
    assert_eq!(read_anchors(&pkcs12), Err(FileProblem::Pkcs12));
}

#[test]
fn what_is_no_file_of_certificates_is_refused() {
    let unreadable = |bytes: &[u8]| matches!(read_anchors(bytes), Err(FileProblem::Unreadable { .. }));
    assert!(unreadable(b"junk"));
    assert_eq!(read_anchors(b""), Err(FileProblem::Empty));
    assert_eq!(read_anchors(pem_of("PKCS7", b"x").as_bytes()), Err(FileProblem::Pkcs7));
    let signed_data = [0x30, 13, 0x06, 9, 42, 134, 72, 134, 247, 13, 1, 7, 2, 0x05, 0];
    assert_eq!(read_anchors(&signed_data), Err(FileProblem::Pkcs7));
    let ascii = "-----BEGIN CERTIFICATE-----";
    let wide: Vec<u8> = ascii.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read_anchors(&wide), Err(FileProblem::Utf16));
    assert!(unreadable(b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"));
    assert_eq!(read_anchors(b"-----BEGIN nothing"), Err(FileProblem::Empty));
    assert!(matches!(read_anchors(&vec![0; FILE_BYTES + 1]), Err(FileProblem::TooLarge { .. })));
}

fn problem(der: &[u8]) -> Option<AnchorProblem> {
    match check_anchor(der, NOW) {
        Ok(_) => None,
        Err(Refusal::Anchor { problem, .. }) => Some(problem),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn an_authority_and_a_servers_own_certificate_pass_and_somebody_elses_does_not() {
    assert_eq!(problem(&self_signed(&params(true))), None);
    let mut server = params(false);
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert_eq!(problem(&self_signed(&server)), None);
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    assert!(matches!(problem(&self_signed(&server)), Some(AnchorProblem::NoAuthority { .. })));
    let mut authority = params(true);
    authority.distinguished_name.push(DnType::OrganizationName, "other");
    let issuer = Issuer::new(authority, KeyPair::generate().unwrap());
    let leaf = params(false).signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
    assert!(matches!(problem(leaf.der()), Some(AnchorProblem::NoAuthority { .. })));
}

#[test]
fn what_is_over_or_far_ahead_is_refused_and_a_clock_that_is_hours_off_is_not() {
    let at = |from: time::Duration, to: time::Duration| {
        let mut params = params(true);
        (params.not_before, params.not_after) = (NOW.plus(from).to_utc(), NOW.plus(to).to_utc());
        problem(&self_signed(&params))
    };
    let days = time::Duration::days;
    assert!(matches!(at(days(-9), days(-1)), Some(AnchorProblem::Expired { .. })));
    assert!(matches!(at(days(2), days(9)), Some(AnchorProblem::NotYetValid { .. })));
    assert_eq!(at(time::Duration::hours(20), days(9)), None);
}

fn facts() -> CertificateFacts {
    CertificateFacts::read(&self_signed(&params(true))).unwrap()
}

#[test]
fn short_keys_and_forgeable_signatures_are_refused() {
    let rsa = |bits| find_problem(&CertificateFacts { key: KeyAlgorithm::Rsa { bits }, ..facts() }, NOW);
    assert_eq!(rsa(1_024), Some(AnchorProblem::WeakKey { bits: 1_024 }));
    assert_eq!(rsa(2_048), None);
    let sha1 = CertificateFacts { signature: SignatureHash::Sha1, ..facts() };
    assert_eq!(find_problem(&sha1, NOW), None);
    let issued = CertificateFacts { issuer_digest: NameDigest([7; 32]), ..sha1 };
    assert_eq!(find_problem(&issued, NOW), Some(AnchorProblem::WeakSignature));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_anchors(&bytes);
        let armoured = [b"-----BEGIN CERTIFICATE-----\n".as_slice(), &bytes].concat();
        let _ = read_anchors(&armoured);
        let _ = check_anchor(&bytes, NOW);
    }
}
