//! A private key as PKCS#8 (RFC 5958), taken apart as far as a key store wants it, and whether it is a certificate's.
//!
//! Everything borrows the wiped bytes that it was read from, and nothing here can be shown.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::tlv::SEQUENCE;
use super::tlv::{self, BIT_STRING, CONTEXT_0, CONTEXT_1, Elements, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING};

/// rsaEncryption (RFC 8017 appendix C).
pub(crate) const RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// id-ecPublicKey (RFC 5480 §2.1.1).
pub(crate) const EC: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// secp256r1 (RFC 5480 §2.1.1.1).
pub(crate) const P256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// Octets of a P-256 point that is not compressed, and of its private number.
const POINT: usize = 65;
const SCALAR: usize = 32;
/// Octets of the largest RSA modulus that is taken in.
const MODULUS: usize = 16_384 / 8;

/// A private key that a key store can take.
pub(crate) enum KeyMaterial<'k> {
    Rsa(RsaMaterial<'k>),
    P256(P256Material<'k>),
}

/// The numbers of an RSA key (RFC 8017 appendix A.1.2), without leading zeros.
#[cfg_attr(not(any(test, windows)), expect(dead_code, reason = "elsewhere keys only say whose they are"))]
pub(crate) struct RsaMaterial<'k> {
    pub(crate) modulus: &'k [u8],
    pub(crate) public_exponent: &'k [u8],
    pub(crate) private_exponent: &'k [u8],
    pub(crate) prime_1: &'k [u8],
    pub(crate) prime_2: &'k [u8],
    pub(crate) exponent_1: &'k [u8],
    pub(crate) exponent_2: &'k [u8],
    pub(crate) coefficient: &'k [u8],
}

/// The number of a P-256 key (RFC 5915 §3), and its point where the key says it.
pub(crate) struct P256Material<'k> {
    pub(crate) scalar: &'k [u8],
    point: Option<&'k [u8]>,
}

impl<'k> KeyMaterial<'k> {
    /// Reads PKCS#8. `None` where it is no RSA or P-256 key, or is damaged.
    pub(crate) fn read(pkcs8: &'k [u8]) -> Option<Self> {
        let mut info = Elements::new(tlv::only(pkcs8, SEQUENCE)?);
        info.take(INTEGER)?;
        let mut algorithm = Elements::new(info.take(SEQUENCE)?);
        let key = info.take(OCTET_STRING)?;
        let oid = algorithm.take(OBJECT_IDENTIFIER)?;
        if oid == RSA {
            return RsaMaterial::read(key).map(Self::Rsa);
        }
        let is_p256 = oid == EC && algorithm.take(OBJECT_IDENTIFIER)? == P256;
        if is_p256 { P256Material::read(key).map(Self::P256) } else { None }
    }

    /// Whether it is the private half of the key in this SubjectPublicKeyInfo.
    pub(crate) fn belongs_to(&self, spki: &[u8]) -> bool {
        let Ok((_, spki)) = SubjectPublicKeyInfo::from_der(spki) else { return false };
        match (self, spki.parsed()) {
            (Self::Rsa(key), Ok(PublicKey::RSA(public))) => {
                key.modulus == trimmed(public.modulus) && key.public_exponent == trimmed(public.exponent)
            }
            (Self::P256(key), Ok(PublicKey::EC(point))) => key.has_point(point.data()),
            (Self::Rsa(_) | Self::P256(_), _) => false,
        }
    }
}

impl<'k> RsaMaterial<'k> {
    fn read(key: &'k [u8]) -> Option<Self> {
        let mut numbers = Elements::new(tlv::only(key, SEQUENCE)?);
        // Version 0: two primes.
        if numbers.take(INTEGER)? != [0] {
            return None;
        }
        let read = Self {
            modulus: numbers.magnitude()?,
            public_exponent: numbers.magnitude()?,
            private_exponent: numbers.magnitude()?,
            prime_1: numbers.magnitude()?,
            prime_2: numbers.magnitude()?,
            exponent_1: numbers.magnitude()?,
            exponent_2: numbers.magnitude()?,
            coefficient: numbers.magnitude()?,
        };
        let whole = (64..=MODULUS).contains(&read.modulus.len()) && numbers.is_empty();
        whole.then_some(read)
    }
}

impl<'k> P256Material<'k> {
    fn read(key: &'k [u8]) -> Option<Self> {
        let mut parts = Elements::new(tlv::only(key, SEQUENCE)?);
        if parts.take(INTEGER)? != [1] {
            return None;
        }
        let scalar = parts.take(OCTET_STRING).filter(|scalar| scalar.len() == SCALAR)?;
        parts.take(CONTEXT_0);
        let point = match parts.take(CONTEXT_1) {
            Some(bits) => Some(tlv::only(bits, BIT_STRING)?.strip_prefix(&[0])?),
            None => None,
        };
        Some(Self { scalar, point: point.filter(|point| point.len() == POINT) })
    }

    /// Whether this point is the public half.
    pub(crate) fn has_point(&self, point: &[u8]) -> bool {
        // ring computes the point and refuses another one.
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            self.scalar,
            point,
            &SystemRandom::new(),
        );
        self.point.is_none_or(|said| said == point) && pair.is_ok()
    }
}

fn trimmed(magnitude: &[u8]) -> &[u8] {
    let zeros = magnitude.iter().take_while(|octet| **octet == 0).count();
    &magnitude[zeros..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_p256_key_knows_its_certificate_and_no_other() {
        let (key, other) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
        let pkcs8 = key.serialize_der();
        let material = KeyMaterial::read(&pkcs8).unwrap();
        assert!(material.belongs_to(&rcgen::PublicKeyData::subject_public_key_info(&key)));
        assert!(!material.belongs_to(&rcgen::PublicKeyData::subject_public_key_info(&other)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
            to in any::<u8>(),
        ) {
            let _ = KeyMaterial::read(&bytes);
            let mut pkcs8 = rcgen::KeyPair::generate().unwrap().serialize_der();
            let at = at.index(pkcs8.len());
            pkcs8[at] = to;
            if let Some(material) = KeyMaterial::read(&pkcs8) {
                let _ = material.belongs_to(&bytes);
            }
        }
    }
}
