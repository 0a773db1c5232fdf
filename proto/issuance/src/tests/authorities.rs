//! The private authority: its profile, its limits, its files.

use inkan_model::Timestamp;
use inkan_model::certificate::{CertificateFacts, KeyAlgorithm, SignatureHash};
use time::Duration;

use super::{leaf, now, order, private_ca, two_units};
use crate::key::{PublicKey, SoftwareKey};
use crate::private_ca::{CaError, CertificationAuthority, IssueError, Order, PrivateCa};
use crate::proof;

#[test]
fn a_leaf_has_the_profile_of_a_client_certificate() {
    let ca = private_ca();
    let authority = CertificateFacts::read(ca.certificate()).unwrap();
    let facts = CertificateFacts::read(&leaf(&ca, &two_units())).unwrap();
    assert!(facts.is_end_entity() && facts.may_be_issued_by(&authority));
    assert_eq!((facts.client_auth, facts.server_auth), (Some(true), Some(false)));
    assert_eq!((facts.key, facts.signature), (KeyAlgorithm::Ec { bits: 256 }, SignatureHash::Strong));
    assert_eq!(facts.serial, "5a".repeat(16));
    assert_eq!((facts.not_before, facts.not_after), (now(), now().plus(Duration::days(365))));
    assert!(facts.subject_key_id.is_some());
    assert_eq!(facts.authority_key_id, authority.subject_key_id);
}

#[test]
fn the_chain_is_the_leaf_and_then_the_authority() {
    let ca = private_ca();
    let chain = ca.issue(&order(&two_units(), &SoftwareKey::generate().unwrap().spki())).unwrap();
    assert_eq!(chain.len(), 2);
    assert_eq!(chain[1], ca.certificate());
}

#[test]
fn a_leaf_never_outlives_its_authority() {
    let ca = private_ca();
    let spki = SoftwareKey::generate().unwrap().spki();
    let long = Order { not_after: now().plus(Duration::days(36_500)), ..order(&two_units(), &spki) };
    let facts = CertificateFacts::read(&ca.issue(&long).unwrap()[0]).unwrap();
    assert_eq!(facts.not_after, ca.not_after());
}

#[test]
fn an_authority_that_has_ended_issues_nothing() {
    let ca = private_ca();
    let spki = SoftwareKey::generate().unwrap().spki();
    let not_before = ca.not_after();
    let late = Order { not_before, not_after: not_before.plus(Duration::DAY), ..order(&two_units(), &spki) };
    assert!(matches!(ca.issue(&late), Err(IssueError::Expired { .. })));
}

#[test]
fn what_cannot_be_certified_is_refused_by_its_name() {
    let ca = private_ca();
    let spki = SoftwareKey::generate().unwrap().spki();
    let good = || order(&two_units(), &spki);
    let before_1970 = Timestamp::from_unix_seconds(-1);
    let issue = |order: Order| ca.issue(&order).unwrap_err();
    assert!(matches!(issue(Order { serial: [0; 16], ..good() }), IssueError::Serial));
    assert!(matches!(issue(Order { subject_der: vec![0x30, 0], ..good() }), IssueError::Subject(_)));
    assert!(matches!(issue(Order { spki_der: vec![0x30, 0], ..good() }), IssueError::Key(_)));
    assert!(matches!(issue(Order { not_after: now(), ..good() }), IssueError::Validity { .. }));
    assert!(matches!(issue(Order { not_before: before_1970, ..good() }), IssueError::Validity { .. }));
}

#[test]
fn a_leaf_after_2049_reads_back_with_its_date() {
    let ca = PrivateCa::create("Long", [1; 16], now(), Duration::days(36_500)).unwrap();
    let spki = SoftwareKey::generate().unwrap().spki();
    let not_after = now().plus(Duration::days(20_000));
    let chain = ca.issue(&Order { not_after, ..order(&two_units(), &spki) }).unwrap();
    assert_eq!(CertificateFacts::read(&chain[0]).unwrap().not_after, not_after);
}

#[test]
fn an_authority_comes_back_from_its_files() {
    let ca = private_ca();
    let back = PrivateCa::load(&ca.certificate_pem().unwrap(), &ca.key_pem().unwrap()).unwrap();
    assert_eq!(back.certificate(), ca.certificate());
    let facts = CertificateFacts::read(&leaf(&back, &two_units())).unwrap();
    assert!(facts.may_be_issued_by(&CertificateFacts::read(ca.certificate()).unwrap()));
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let (one, other) = (private_ca(), private_ca());
    let load = |certificate: &str, key: &str| PrivateCa::load(certificate, key).unwrap_err();
    let (certificate, key) = (one.certificate_pem().unwrap(), one.key_pem().unwrap());
    assert!(matches!(load(&certificate, &other.key_pem().unwrap()), CaError::KeyDiffers));
    assert!(matches!(load(&key, &key), CaError::PemLabel));
    assert!(matches!(load(&certificate, &certificate), CaError::Key(_)));
    assert!(matches!(load("", &key), CaError::Pem(_)));
}

#[test]
fn a_leaf_is_not_taken_for_an_authority() {
    let key = SoftwareKey::generate().unwrap();
    let chain = private_ca().issue(&order(&two_units(), &key.spki())).unwrap();
    let pem = der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, &chain[0]).unwrap();
    assert!(matches!(PrivateCa::load(&pem, &key.to_pem().unwrap()), Err(CaError::NotAuthority)));
}

#[test]
fn an_authority_without_a_name_or_a_serial_is_not_made() {
    let create = |name, serial| PrivateCa::create(name, serial, now(), Duration::days(1)).unwrap_err();
    assert!(matches!(create(" ", [1; 16]), CaError::Name(_)));
    assert!(matches!(create("x", [0; 16]), CaError::Serial));
}

#[test]
fn a_private_key_does_not_show_itself_in_a_log() {
    let key = SoftwareKey::generate().unwrap();
    let shown = format!("{key:?}");
    let secret = data_encoding::HEXLOWER.encode(&key.pkcs8()[36..68]);
    assert!(!shown.contains(&secret), "{shown}");
}

#[test]
fn a_proof_holds_for_its_own_key_and_message_only() {
    let (key, other) = (SoftwareKey::generate().unwrap(), SoftwareKey::generate().unwrap());
    let message = proof::renewal_message(b"challenge");
    let signature = key.sign_message(&message).unwrap();
    assert_eq!(proof::verify_signature(&key.spki(), &message, &signature), Ok(()));
    assert!(proof::verify_signature(&other.spki(), &message, &signature).is_err());
    assert!(proof::verify_signature(&key.spki(), &proof::recovery_message(b"challenge"), &signature).is_err());
    assert!(proof::verify_signature(&key.spki(), b"challenge", &signature).is_err());
    assert!(proof::verify_signature(b"", &message, &signature).is_err());
    assert!(PublicKey::read(&key.spki()).unwrap().verify(&message, b"").is_err());
}
