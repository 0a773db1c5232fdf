//! What the key of a renewal signs, and nothing else.
//!
//! The service is trusted with much, but a companion that signs whatever it is handed would lend its user's keys to
//! whoever gets hold of the service's end. So a message must be one of three: a request for a successor of that very
//! certificate with that very key, something under a label of ours, or what a TLS client signs in a handshake. None of the
//! three can be taken for another, nor for a document or a log-on elsewhere.

use std::cell::RefCell;
use std::error::Error;

use inkan_issuance::request::{self, RequestSigner};
use inkan_model::directive::PROOF_LABEL;

use crate::doctor::signing::LABEL as KEY_CHECK;

/// Bytes of a message: the transcript of a TLS 1.2 handshake with long lists of authorities is the longest.
pub const MESSAGE: usize = 256 * 1024;
/// Bytes of a challenge under our label.
const CHALLENGE: usize = 1_024;
/// RFC 8446 §4.4.3: 64 spaces, these words, a zero, and the hash of the transcript.
const TLS13_CLIENT: &[u8] = b"TLS 1.3, client CertificateVerify\0";
const TLS13_HASHES: [usize; 2] = [32, 48];
/// RFC 5246 §7.4: handshake messages by type.
const CLIENT_HELLO: u8 = 1;
const CLIENT_KEY_EXCHANGE: u8 = 16;

/// Whether the key with this SubjectPublicKeyInfo may sign this message; `old` is the certificate (DER) that it is to
/// succeed, where it is one of a renewal.
pub fn is_signable(message: &[u8], old: Option<&[u8]>, spki: &[u8]) -> bool {
    message.len() <= MESSAGE
        && (is_labelled(message) || is_tls13(message) || is_tls12(message) || is_request(message, old, spki))
}

/// A proof of a renewal, or the doctor's check of a key.
fn is_labelled(message: &[u8]) -> bool {
    let behind = |label| message.strip_prefix(label);
    behind(PROOF_LABEL).or_else(|| behind(KEY_CHECK)).is_some_and(|challenge| challenge.len() <= CHALLENGE)
}

fn is_tls13(message: &[u8]) -> bool {
    let hash = message.strip_prefix(&[b' '; 64]).and_then(|rest| rest.strip_prefix(TLS13_CLIENT));
    hash.is_some_and(|hash| TLS13_HASHES.contains(&hash.len()))
}

/// RFC 5246 §7.4.8: all handshake messages so far, from the client's greeting to its key exchange, each with type and
/// length, nothing before or after.
fn is_tls12(message: &[u8]) -> bool {
    let (mut rest, mut last, mut count) = (message, 0, 0_usize);
    while let [kind, a, b, c, body @ ..] = rest {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        if body.len() < length || (count == 0 && *kind != CLIENT_HELLO) {
            return false;
        }
        (rest, last, count) = (&body[length..], *kind, count + 1);
    }
    rest.is_empty() && count >= 4 && last == CLIENT_KEY_EXCHANGE
}

/// The one request that can be made for this key and this certificate is made here and compared.
fn is_request(message: &[u8], old: Option<&[u8]>, spki: &[u8]) -> bool {
    let Some(subject) = old.and_then(|old| request::subject_of(old).ok()) else { return false };
    let unsigned = Unsigned { spki, message: RefCell::new(None) };
    // It stops where it would be signed.
    let _ = request::build_request(&subject, &unsigned);
    unsigned.message.take().is_some_and(|expected| expected == message)
}

/// A key that takes the message and does not sign it.
struct Unsigned<'k> {
    spki: &'k [u8],
    message: RefCell<Option<Vec<u8>>>,
}

impl RequestSigner for Unsigned<'_> {
    fn public_key(&self) -> Vec<u8> {
        self.spki.to_vec()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        *self.message.borrow_mut() = Some(message.to_vec());
        Err("not to be signed here".into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, PublicKeyData as _};

    use super::*;

    struct Pc {
        old: Vec<u8>,
        spki: Vec<u8>,
    }

    fn pc() -> Pc {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "0110119153");
        let old = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
        Pc { old, spki: KeyPair::generate().unwrap().subject_public_key_info() }
    }

    fn request_for(pc: &Pc) -> Vec<u8> {
        let unsigned = Unsigned { spki: &pc.spki, message: RefCell::new(None) };
        let _ = request::build_request(&request::subject_of(&pc.old).unwrap(), &unsigned);
        unsigned.message.take().unwrap()
    }

    fn handshake(kinds: &[u8]) -> Vec<u8> {
        kinds.iter().flat_map(|kind| [*kind, 0, 0, 3, 7, 7, 7]).collect()
    }

    #[test]
    fn the_request_for_this_certificate_and_key_is_signed_and_no_other() {
        let (pc, other) = (pc(), pc());
        assert!(is_signable(&request_for(&pc), Some(&pc.old), &pc.spki));
        assert!(!is_signable(&request_for(&other), Some(&pc.old), &pc.spki));
        assert!(!is_signable(&request_for(&pc), None, &pc.spki));
    }

    #[test]
    fn proofs_and_tls_handshakes_are_signed() {
        let pc = pc();
        let signable = |message: &[u8]| is_signable(message, Some(&pc.old), &pc.spki);
        assert!(signable(&[PROOF_LABEL, b"challenge"].concat()));
        assert!(signable(&[KEY_CHECK, &[1; 32]].concat()));
        let tls13 = [&[b' '; 64][..], TLS13_CLIENT, &[9; 32]].concat();
        assert!(signable(&tls13));
        assert!(!signable(&tls13[..tls13.len() - 1]));
        let server = [&[b' '; 64][..], b"TLS 1.3, server CertificateVerify\0", &[9; 32]].concat();
        assert!(!signable(&server));
        assert!(signable(&handshake(&[1, 2, 11, 12, 13, 14, 11, 16])));
    }

    #[test]
    fn anything_else_is_not_signed() {
        let pc = pc();
        let signable = |message: &[u8]| is_signable(message, Some(&pc.old), &pc.spki);
        let challenge = [PROOF_LABEL, &[0; CHALLENGE + 1]].concat();
        let cases: [&[u8]; 7] = [
            b"",
            b"a document",
            &pc.old,
            &challenge,
            &handshake(&[2, 11, 13, 16]),
            &handshake(&[1, 2, 11, 14]),
            &handshake(&[1, 2, 11, 16])[..20],
        ];
        for message in cases {
            assert!(!signable(message), "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn hardly_any_bytes_are_signed_and_none_panic(message in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(!is_signable(&message, None, b"no key"));
        }
    }
}
