//! Keys in the forms that CryptoAPI and CNG take and give. Pure: numbers turned round and put behind each other.

use zeroize::Zeroizing;

use crate::pkcs12::key::{EC, P256, P256Material, RSA, RsaMaterial};
use crate::pkcs12::tlv::{self, BIT_STRING, CONTEXT_1, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE};

/// `PRIVATEKEYBLOB` and `PUBLICKEYBLOB`, version 2.
const PRIVATE_BLOB: [u8; 4] = [7, 2, 0, 0];
const PUBLIC_BLOB: [u8; 4] = [6, 2, 0, 0];
/// `CALG_RSA_KEYX`.
const RSA_KEY_EXCHANGE: u32 = 0xa400;
/// What tells an RSA private key from a public one in CryptoAPI; the public one is also CNG's.
const RSA_PRIVATE: [u8; 4] = *b"RSA2";
const RSA_PUBLIC: [u8; 4] = *b"RSA1";
/// CNG's mark of a public P-256 key for ECDSA.
const P256_PUBLIC: [u8; 4] = *b"ECS1";
/// The element NULL.
const NULL: [u8; 2] = [5, 0];
/// Octets of one number of P-256.
const P256_NUMBER: usize = 32;

/// An RSA key as CryptoAPI's `PRIVATEKEYBLOB`. `None` where its numbers have lengths that this form has no room for.
pub(super) fn capi_private(key: &RsaMaterial<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let whole = key.modulus.len();
    let half = whole / 2;
    if !whole.is_multiple_of(2) || key.modulus.first()? & 0x80 == 0 {
        return None;
    }
    let exponent = key.public_exponent;
    let numbers = [
        (exponent, 4),
        (key.modulus, whole),
        (key.prime_1, half),
        (key.prime_2, half),
        (key.exponent_1, half),
        (key.exponent_2, half),
        (key.coefficient, half),
        (key.private_exponent, whole),
    ];
    // One allocation that never grows leaves no copy behind.
    let mut blob = Zeroizing::new(Vec::with_capacity(16 + numbers.iter().map(|(_, length)| length).sum::<usize>()));
    blob.extend(PRIVATE_BLOB);
    blob.extend(RSA_KEY_EXCHANGE.to_le_bytes());
    blob.extend(RSA_PRIVATE);
    blob.extend(u32::try_from(whole * 8).ok()?.to_le_bytes());
    for (number, length) in numbers {
        let zeros = length.checked_sub(number.len())?;
        blob.extend(number.iter().rev());
        blob.extend(std::iter::repeat_n(0, zeros));
    }
    Some(blob)
}

/// SubjectPublicKeyInfo of CryptoAPI's `PUBLICKEYBLOB`.
pub(super) fn capi_public(blob: &[u8]) -> Option<Vec<u8>> {
    let rest = blob.strip_prefix(&PUBLIC_BLOB)?.get(4..)?.strip_prefix(&RSA_PUBLIC)?;
    let (bits, rest) = rest.split_first_chunk::<4>()?;
    let (exponent, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*bits)).ok()?.div_ceil(8);
    let modulus: Vec<u8> = rest.get(..length)?.iter().rev().copied().collect();
    Some(rsa_spki(&modulus, &u32::from_le_bytes(*exponent).to_be_bytes()))
}

/// SubjectPublicKeyInfo of CNG's public blob (`BCRYPT_RSAPUBLIC_BLOB`, `BCRYPT_ECCPUBLIC_BLOB`).
pub(super) fn cng_public(blob: &[u8]) -> Option<Vec<u8>> {
    let (magic, rest) = blob.split_first_chunk::<4>()?;
    match *magic {
        RSA_PUBLIC => {
            let (header, rest) = rest.split_at_checked(20)?;
            let length = |at: usize| Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?) as usize);
            let (exponent, rest) = rest.split_at_checked(length(4)?)?;
            Some(rsa_spki(rest.get(..length(8)?)?, exponent))
        }
        P256_PUBLIC => {
            let (length, rest) = rest.split_first_chunk::<4>()?;
            let fits = u32::from_le_bytes(*length) as usize == P256_NUMBER && rest.len() == 2 * P256_NUMBER;
            fits.then(|| p256_spki(&rest[..P256_NUMBER], &rest[P256_NUMBER..]))
        }
        _ => None,
    }
}

/// An ECDSA signature as DER (RFC 3279 §2.2.3) from both numbers behind each other, as CNG gives them.
pub(super) fn ecdsa_der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    tlv::write(SEQUENCE, &[&magnitude(r), &magnitude(s)])
}

/// A P-256 key as PKCS#8 (RFC 5958) with its public half, on which CNG insists; `spki` ends with it.
pub(super) fn p256_pkcs8(key: &P256Material<'_>, spki: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let point = spki.last_chunk::<{ 1 + 2 * P256_NUMBER }>()?;
    let wiped = |tag, content: &[&[u8]]| Zeroizing::new(tlv::write(tag, content));
    let public = tlv::write(CONTEXT_1, &[&tlv::write(BIT_STRING, &[&[0], point])]);
    let scalar = wiped(OCTET_STRING, &[key.scalar]);
    let key = wiped(SEQUENCE, &[&[INTEGER, 1, 1], &scalar, &public]);
    Some(wiped(SEQUENCE, &[&[INTEGER, 1, 0], &p256_algorithm(), &wiped(OCTET_STRING, &[&key])]))
}

/// SubjectPublicKeyInfo of an RSA key (RFC 3279 §2.3.1).
fn rsa_spki(modulus: &[u8], public_exponent: &[u8]) -> Vec<u8> {
    let numbers = tlv::write(SEQUENCE, &[&magnitude(modulus), &magnitude(public_exponent)]);
    let algorithm = tlv::write(SEQUENCE, &[&tlv::write(OBJECT_IDENTIFIER, &[&RSA]), &NULL]);
    tlv::write(SEQUENCE, &[&algorithm, &tlv::write(BIT_STRING, &[&[0], &numbers])])
}

/// SubjectPublicKeyInfo of a P-256 key (RFC 5480 §2) from both coordinates.
fn p256_spki(x: &[u8], y: &[u8]) -> Vec<u8> {
    tlv::write(SEQUENCE, &[&p256_algorithm(), &tlv::write(BIT_STRING, &[&[0, 4], x, y])])
}

fn p256_algorithm() -> Vec<u8> {
    let [ec, p256] = [EC.as_slice(), &P256].map(|oid| tlv::write(OBJECT_IDENTIFIER, &[oid]));
    tlv::write(SEQUENCE, &[&ec, &p256])
}

/// A positive INTEGER from its magnitude.
fn magnitude(magnitude: &[u8]) -> Vec<u8> {
    let zeros = magnitude.iter().take_while(|octet| **octet == 0).count();
    match &magnitude[zeros..] {
        [] => vec![INTEGER, 1, 0],
        [first, ..] if first & 0x80 != 0 => tlv::write(INTEGER, &[&[0], &magnitude[zeros..]]),
        minimal => tlv::write(INTEGER, &[minimal]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use x509_parser::prelude::FromDer;
    use x509_parser::public_key::PublicKey;

    use super::*;
    use crate::pkcs12::key::KeyMaterial;

    fn material<'k>(modulus: &'k [u8], small: &'k [u8]) -> RsaMaterial<'k> {
        RsaMaterial {
            modulus,
            public_exponent: &[1, 0, 1],
            private_exponent: small,
            prime_1: small,
            prime_2: small,
            exponent_1: small,
            exponent_2: small,
            coefficient: small,
        }
    }

    #[test]
    fn numbers_are_turned_round_and_filled_up() {
        let blob = capi_private(&material(&[0x80, 1, 2, 3], &[9])).unwrap();
        let header = [7, 2, 0, 0, 0, 0xa4, 0, 0, b'R', b'S', b'A', b'2', 32, 0, 0, 0, 1, 0, 1, 0];
        assert_eq!(blob[..20], header);
        assert_eq!(blob[20..], [3, 2, 1, 0x80, 9, 0, 9, 0, 9, 0, 9, 0, 9, 0, 9, 0, 0, 0]);
    }

    #[test]
    fn numbers_without_room_are_refused() {
        assert!(capi_private(&material(&[0x80, 1, 2], &[9])).is_none());
        assert!(capi_private(&material(&[0x40, 1, 2, 3], &[9])).is_none());
        assert!(capi_private(&material(&[0x80, 1, 2, 3], &[9, 9, 9])).is_none());
    }

    #[test]
    fn both_public_forms_give_the_same_key() {
        let capi = [&[6, 2, 0, 0, 0, 0xa4, 0, 0][..], b"RSA1", &[16, 0, 0, 0, 1, 0, 1, 0, 0x55, 0x81]].concat();
        let words = [16_u32, 3, 2, 0, 0].map(u32::to_le_bytes).concat();
        let cng = [b"RSA1".as_slice(), &words, &[1, 0, 1, 0x81, 0x55]].concat();
        assert_eq!(capi_public(&capi), Some(rsa_spki(&[0x81, 0x55], &[1, 0, 1])));
        assert_eq!(cng_public(&cng), capi_public(&capi));
    }

    #[test]
    fn a_p256_key_gets_its_public_half_beside_it() {
        let key = rcgen::KeyPair::generate().unwrap();
        let (pkcs8, spki) = (key.serialize_der(), rcgen::PublicKeyData::subject_public_key_info(&key));
        let Some(KeyMaterial::P256(material)) = KeyMaterial::read(&pkcs8) else { panic!("no P-256 key") };
        let whole = p256_pkcs8(&material, &spki).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &whole, &SystemRandom::new()).unwrap();
        assert!(spki.ends_with(pair.public_key().as_ref()));
    }

    #[test]
    fn public_keys_are_written_as_certificates_carry_them() {
        let key = rcgen::KeyPair::generate().unwrap();
        let spki = rcgen::PublicKeyData::subject_public_key_info(&key);
        let point = &spki[spki.len() - 64..];
        assert_eq!(p256_spki(&point[..32], &point[32..]), spki);
        let modulus = [vec![0x80], vec![1; 255]].concat();
        let spki = rsa_spki(&modulus, &[1, 0, 1]);
        let (_, read) = x509_parser::x509::SubjectPublicKeyInfo::from_der(&spki).unwrap();
        let PublicKey::RSA(read) = read.parsed().unwrap() else { panic!("no RSA key") };
        assert_eq!((&read.modulus[1..], read.exponent), (modulus.as_slice(), [1, 0, 1].as_slice()));
    }

    #[test]
    fn an_integer_keeps_its_sign_and_drops_zeros() {
        assert_eq!(magnitude(&[0, 0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(magnitude(&[0]), [2, 1, 0]);
    }

    #[test]
    fn a_signature_in_two_numbers_verifies_as_der() {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let key = ring::signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, pair.public_key().as_ref());
        for _ in 0..32 {
            key.verify(b"m", &ecdsa_der(pair.sign(&random, b"m").unwrap().as_ref())).unwrap();
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(
            start in prop::sample::select(vec![&b"\x06\x02\0\0\0\xa4\0\0RSA1"[..], b"RSA1", b"ECS1", b""]),
            rest in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let bytes = [start, &rest].concat();
            let _ = (capi_public(&bytes), cng_public(&bytes), ecdsa_der(&bytes));
        }
    }
}
