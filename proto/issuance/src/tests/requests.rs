//! Requests: the subject survives, and what is not a request is refused.

use std::sync::LazyLock;

use inkan_model::limits;
use proptest::prelude::*;

use super::{any_name, attribute, leaf, name, order, private_ca, tlv, two_units};
use crate::key::{SoftwareKey, UnsupportedKey};
use crate::private_ca::CertificationAuthority;
use crate::request::{Request, RequestError, RequestSigner, build_request, subject_of};

static REQUEST: LazyLock<Vec<u8>> =
    LazyLock::new(|| build_request(&two_units(), &SoftwareKey::generate().unwrap()).unwrap());

#[test]
fn a_subject_with_two_units_goes_from_the_old_certificate_through_the_request_into_the_new_one_byte_for_byte() {
    let ca = private_ca();
    let old = leaf(&ca, &two_units());
    let subject = subject_of(&old).unwrap();
    assert_eq!(subject, two_units());

    let key = SoftwareKey::generate().unwrap();
    let request = Request::parse(&build_request(&subject, &key).unwrap()).unwrap();
    assert_eq!(request.subject_der(), two_units());
    assert_eq!(request.spki_der(), key.spki());

    let new = ca.issue(&order(request.subject_der(), request.spki_der())).unwrap().remove(0);
    assert_eq!(subject_of(&new).unwrap(), two_units());
    let facts = inkan_model::CertificateFacts::read(&new).unwrap();
    assert!(facts.subject.contains("OU=13") && facts.subject.contains("OU=medical"), "{}", facts.subject);
}

#[test]
fn a_request_that_is_too_long_is_refused_before_it_is_read() {
    let error = Request::parse(&vec![0x30; limits::REQUEST_BYTES + 1]).unwrap_err();
    assert!(matches!(error, RequestError::TooLong { .. }), "{error}");
}

#[test]
fn trailing_bytes_are_refused() {
    let mut request = REQUEST.clone();
    request.push(0);
    assert!(matches!(Request::parse(&request), Err(RequestError::Decode(_))));
}

#[test]
fn a_request_of_another_version_is_refused() {
    // The version is the first value of what is signed, so the signature cannot hold either; the version is seen first.
    let mut request = REQUEST.clone();
    let at = request.windows(3).position(|bytes| bytes == [0x02, 0x01, 0x00]).unwrap();
    request[at + 2] = 1;
    assert!(matches!(Request::parse(&request), Err(RequestError::Version { found: 1 })));
}

/// Shows one key and signs with another.
struct Impostor(SoftwareKey, SoftwareKey);

impl RequestSigner for Impostor {
    fn public_key(&self) -> Vec<u8> {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        self.1.sign(message)
    }
}

#[test]
fn a_request_signed_by_another_key_is_not_even_made() {
    let impostor = Impostor(SoftwareKey::generate().unwrap(), SoftwareKey::generate().unwrap());
    assert!(matches!(build_request(&two_units(), &impostor), Err(RequestError::Signature(_))));
}

#[test]
fn what_is_not_a_name_is_refused_as_subject() {
    let key = SoftwareKey::generate().unwrap();
    let with_trailing = [two_units(), vec![0]].concat();
    let set_inside_out = tlv(0x31, &attribute(3, super::UTF8, b"x"));
    for subject in [Vec::new(), name(&[]), with_trailing, set_inside_out, b"CN=x".to_vec()] {
        assert!(matches!(build_request(&subject, &key), Err(RequestError::Subject(_))), "{subject:02x?}");
    }
}

#[test]
fn a_subject_is_not_taken_from_what_is_not_a_certificate() {
    assert!(matches!(subject_of(&REQUEST), Err(RequestError::Certificate(_))));
}

#[test]
fn a_key_on_another_curve_is_refused() {
    // secp256k1 in place of prime256v1; the point has the same length.
    let spki = SoftwareKey::generate().unwrap().spki();
    let algorithm =
        [tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]), tlv(0x06, &[0x2b, 0x81, 0x04, 0x00, 0x0a])];
    let spki = tlv(0x30, &[tlv(0x30, &algorithm.concat()), spki[spki.len() - 68..].to_vec()].concat());
    assert!(matches!(crate::key::PublicKey::read(&spki), Err(UnsupportedKey::Algorithm { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_name_survives_from_certificate_to_certificate(subject in any_name()) {
        let ca = private_ca();
        let key = SoftwareKey::generate().unwrap();
        let old = subject_of(&leaf(&ca, &subject)).unwrap();
        let request = Request::parse(&build_request(&old, &key).unwrap()).unwrap();
        let new = ca.issue(&order(request.subject_der(), request.spki_der())).unwrap().remove(0);
        prop_assert_eq!(subject_of(&new).unwrap(), subject);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Request::parse(&bytes).is_err());
        let _ = subject_of(&bytes);
    }

    #[test]
    fn a_request_with_several_bytes_changed_is_read_without_a_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut request = REQUEST.clone();
        for (at, to) in changes {
            let at = at.index(request.len());
            request[at] = to;
        }
        prop_assert!(Request::parse(&request).is_err() || request == *REQUEST);
    }
}

#[test]
fn a_request_with_any_one_bit_flipped_is_refused() {
    for (at, bit) in (0..REQUEST.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut request = REQUEST.clone();
        request[at] ^= 1 << bit;
        assert!(Request::parse(&request).is_err(), "bit {bit} of byte {at}");
    }
}

#[test]
fn a_request_that_is_cut_short_anywhere_is_refused() {
    for end in 0..REQUEST.len() {
        assert!(Request::parse(&REQUEST[..end]).is_err(), "{end} bytes");
    }
}
