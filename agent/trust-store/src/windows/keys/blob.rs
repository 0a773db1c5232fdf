//! Keys in the forms that CryptoAPI and CNG take and give. Pure: numbers turned round and put behind each other.

use zeroize::Zeroizing;

use crate::pkcs12::key::{RsaMaterial, p256_spki, rsa_spki};
use crate::pkcs12::tlv::{self, SEQUENCE};

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
/// Octets of one number of P-256.
const P256: usize = 32;

/// An RSA key as CryptoAPI's `PRIVATEKEYBLOB`. `None` where its numbers have lengths that this form has no room for.
pub(super) fn capi_private(key: &RsaMaterial<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let whole = key.modulus.len();
    let half = whole / 2;
    if whole % 2 != 0 || key.modulus.first()? & 0x80 == 0 {
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
            let fits = u32::from_le_bytes(*length) as usize == P256 && rest.len() == 2 * P256;
            fits.then(|| p256_spki(&rest[..P256], &rest[P256..]))
        }
        _ => None,
    }
}

/// An ECDSA signature as DER (RFC 3279 §2.2.3) from both numbers behind each other, as CNG gives them.
pub(super) fn ecdsa_der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    tlv::write(SEQUENCE, &[&tlv::write_magnitude(r), &tlv::write_magnitude(s)])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

    use super::*;

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
    fn a_signature_in_two_numbers_verifies_as_der() {
        let random = ring::rand::SystemRandom::new();
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
