//! The deployment's authority: identities that can be read back, and pins.

use std::net::IpAddr;

use inkan_model::certificate::CertificateFacts;
use inkan_model::id::{HostId, VendorId};
use inkan_model::identity::{AgentIdentity, TrustDomain};
use proptest::prelude::*;
use time::Duration;

use super::{leaf, now, private_ca, two_units};
use crate::identity_ca::{AgentCa, CaPin, IdentityError, InvalidCaPin, IssueError, verify_identity};
use crate::key::SoftwareKey;
use crate::private_ca::CertificationAuthority;

pub(super) fn agent_ca() -> AgentCa {
    let deployment: TrustDomain = "fleet.example".parse().unwrap();
    AgentCa::create(&deployment, [2; 16], now(), Duration::days(3_650)).unwrap()
}

fn identity() -> AgentIdentity {
    AgentIdentity {
        deployment: "fleet.example".parse().unwrap(),
        vendor: VendorId::new(now(), [1; 10]),
        host: HostId::new(now(), [2; 10]),
    }
}

pub(super) fn agent(ca: &AgentCa, serial: [u8; 16], spki: &[u8]) -> Vec<u8> {
    ca.issue_agent(&identity(), spki, serial, now(), now().plus(Duration::days(30))).unwrap()
}

pub(super) fn server(ca: &AgentCa) -> Vec<u8> {
    let names = ["inkan.fleet.example".to_owned(), "localhost".to_owned()];
    let addresses: [IpAddr; 2] = ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    let spki = SoftwareKey::generate().unwrap().spki();
    ca.issue_server(&names, &addresses, &spki, [3; 16], now(), now().plus(Duration::days(90))).unwrap()
}

#[test]
fn an_identity_reads_back_from_its_certificate() {
    let ca = agent_ca();
    let spki = SoftwareKey::generate().unwrap().spki();
    // Leading zero octets do not stand in the certificate, and come back.
    let mut serial = [0xff; 16];
    serial[..3].fill(0);
    let issued = verify_identity(&agent(&ca, serial, &spki), ca.certificate()).unwrap();
    assert_eq!((issued.identity, issued.serial, issued.spki_der), (identity(), serial, spki));
    assert_eq!((issued.not_before, issued.not_after), (now(), now().plus(Duration::days(30))));
}

#[test]
fn an_identity_of_another_deployment_is_refused() {
    let (ours, theirs) = (agent_ca(), agent_ca());
    let spki = SoftwareKey::generate().unwrap().spki();
    let certificate = agent(&theirs, [1; 16], &spki);
    assert!(matches!(verify_identity(&certificate, ours.certificate()), Err(IdentityError::Signature(_))));
    let private = private_ca();
    assert!(matches!(verify_identity(&certificate, private.certificate()), Err(IdentityError::Issuer)));
}

#[test]
fn certificates_that_are_not_identities_are_refused() {
    let ca = agent_ca();
    let refused = |der: &[u8]| verify_identity(der, ca.certificate()).unwrap_err();
    assert!(matches!(refused(&server(&ca)), IdentityError::Profile { .. }));
    assert!(matches!(refused(ca.certificate()), IdentityError::Profile { .. }));
    assert!(matches!(refused(b"x"), IdentityError::Leaf(_)));
    let private = private_ca();
    let client = leaf(&private, &two_units());
    assert!(matches!(verify_identity(&client, private.certificate()), Err(IdentityError::Profile { .. })));
}

#[test]
fn a_listeners_certificate_says_its_names_and_its_purpose() {
    let facts = CertificateFacts::read(&server(&agent_ca())).unwrap();
    assert_eq!(facts.dns_names, ["inkan.fleet.example", "localhost"]);
    assert_eq!((facts.client_auth, facts.server_auth), (Some(false), Some(true)));
}

#[test]
fn a_listener_without_a_name_or_with_a_bad_one_is_refused() {
    let ca = agent_ca();
    let spki = SoftwareKey::generate().unwrap().spki();
    let too_long = "a.".repeat(127) + "aa";
    for names in [
        vec![],
        vec![String::new()],
        vec!["a..b".to_owned()],
        vec!["*.b".to_owned()],
        vec!["診".to_owned()],
        vec![too_long],
    ] {
        let issued = ca.issue_server(&names, &[], &spki, [1; 16], now(), now().plus(Duration::DAY));
        assert!(matches!(issued, Err(IssueError::ServerName { .. })), "{names:?}");
    }
}

#[test]
fn a_pin_is_the_same_from_authority_certificate_files_and_text() {
    let ca = agent_ca();
    let pin = ca.pin();
    assert_eq!(CaPin::of_certificate(ca.certificate()).unwrap(), pin);
    assert_eq!(AgentCa::load(&ca.certificate_pem().unwrap(), &ca.key_pem().unwrap()).unwrap().pin(), pin);
    assert_eq!(pin.to_string().parse(), Ok(pin));
    assert_eq!(pin.to_string().len(), "sha256:".len() + 64);
    assert_ne!(agent_ca().pin(), pin);
}

#[test]
fn a_text_that_is_not_a_pin_is_refused() {
    for text in [
        "",
        "sha256:",
        "sha256:zz",
        &"0".repeat(64),
        &format!("sha256:{}", "0".repeat(62)),
        &format!("sha1:{}", "0".repeat(64)),
    ] {
        assert_eq!(text.parse::<CaPin>(), Err(InvalidCaPin), "{text}");
    }
}

/// Every single bit, since a lenient reader overlooks few of them.
#[test]
fn an_identity_with_any_one_bit_flipped_is_refused() {
    let ca = agent_ca();
    let good = agent(&ca, [7; 16], &SoftwareKey::generate().unwrap().spki());
    for (at, bit) in (0..good.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut der = good.clone();
        der[at] ^= 1 << bit;
        assert!(verify_identity(&der, ca.certificate()).is_err(), "bit {bit} of byte {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_bytes_are_no_identity_and_cause_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let ca = agent_ca();
        prop_assert!(verify_identity(&bytes, ca.certificate()).is_err());
        prop_assert!(verify_identity(ca.certificate(), &bytes).is_err());
        prop_assert!(CaPin::of_certificate(&bytes).is_err());
    }
}
