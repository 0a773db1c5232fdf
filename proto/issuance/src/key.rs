//! Keys: P-256 in software, and the public keys that a request or a proof may bring.
//!
//! A public key decides by itself which signature counts: P-256 signs with ECDSA and SHA-256, RSA with PKCS#1 1.5 and
//! SHA-256, Ed25519 with itself. So nobody can ask for a weaker check than the key allows.

use std::error::Error;
use std::fmt;

use der::asn1::{AnyRef, ObjectIdentifier, UintRef};
use der::pem::{self, LineEnding};
use der::{Decode, Sequence};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256,
    UnparsedPublicKey,
};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

use crate::request::RequestSigner;

/// ecdsa-with-SHA256 (RFC 5758 §3.2).
pub(crate) const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const ED25519_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const PRIME256V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// SubjectPublicKeyInfo of a P-256 key up to its point (RFC 5480 §2): everything before the 65 bytes is constant.
const P256_SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Length of an uncompressed point of P-256, which begins with 4 (SEC 1 §2.3.3).
const P256_POINT: usize = 65;
const PRIVATE_KEY_LABEL: &str = "PRIVATE KEY";

/// A P-256 key in memory. It never shows itself, and the bytes that it was read from are wiped when it is dropped.
pub struct SoftwareKey {
    pkcs8: Zeroizing<Vec<u8>>,
    pair: EcdsaKeyPair,
}

/// A key that could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No chance could be had from the operating system.
    #[error("could not generate a key")]
    Generate(#[source] ring::error::Unspecified),
    /// The file is not PEM.
    #[error("could not read the private key's PEM")]
    Pem(#[source] pem::Error),
    /// The PEM holds something else.
    #[error("the PEM does not hold a PRIVATE KEY (PKCS#8)")]
    Label,
    /// It is not a P-256 key in PKCS#8.
    #[error("could not read the private key: P-256 in PKCS#8 is expected")]
    Pkcs8(#[source] ring::error::KeyRejected),
}

impl SoftwareKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// When the operating system has no chance to give.
    pub fn generate() -> Result<Self, KeyError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
            .map_err(KeyError::Generate)?;
        Self::from_pkcs8(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// Reads PKCS#8 DER.
    ///
    /// # Errors
    /// When it is not a P-256 key.
    pub fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8, &SystemRandom::new())
            .map_err(KeyError::Pkcs8)?;
        Ok(Self { pkcs8, pair })
    }

    /// Reads PKCS#8 PEM.
    ///
    /// # Errors
    /// When it is not a P-256 key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let (label, der) = pem::decode_vec(text.as_bytes()).map_err(KeyError::Pem)?;
        let der = Zeroizing::new(der);
        if label != PRIVATE_KEY_LABEL {
            return Err(KeyError::Label);
        }
        Self::from_pkcs8(der)
    }

    /// The key as PKCS#8 DER, for a TLS listener or a store.
    pub fn pkcs8(&self) -> &Zeroizing<Vec<u8>> {
        &self.pkcs8
    }

    /// The key as PKCS#8 PEM, for a file that only its owner may read.
    ///
    /// # Errors
    /// Never for a key of this size; the encoder's answer is passed on.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        pem::encode_string(PRIVATE_KEY_LABEL, LineEnding::LF, &self.pkcs8).map(Zeroizing::new).map_err(KeyError::Pem)
    }

    /// SubjectPublicKeyInfo as DER.
    pub fn spki(&self) -> Vec<u8> {
        [&P256_SPKI_PREFIX, self.point()].concat()
    }

    /// The uncompressed point.
    pub(crate) fn point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// Signs with ECDSA and SHA-256; the signature is DER.
    ///
    /// # Errors
    /// When the operating system has no chance to give.
    pub fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>, ring::error::Unspecified> {
        self.pair.sign(&SystemRandom::new(), message).map(|signature| signature.as_ref().to_vec())
    }
}

/// Shows the public half only.
impl fmt::Debug for SoftwareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftwareKey")
            .field("spki", &data_encoding::HEXLOWER.encode(&self.spki()))
            .finish_non_exhaustive()
    }
}

impl RequestSigner for SoftwareKey {
    fn public_key(&self) -> Vec<u8> {
        self.spki()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        Ok(self.sign_message(message)?)
    }
}

/// A public key that inkan deals with: P-256, RSA of 2048 to 4096 bits, or Ed25519.
#[derive(Clone, Copy, Debug)]
pub struct PublicKey<'a> {
    scheme: Scheme,
    bits: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
enum Scheme {
    Ed25519,
    P256,
    Rsa,
}

/// A public key that is malformed, too weak, too large, or of a kind that inkan does not deal with.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UnsupportedKey {
    /// Neither P-256, nor RSA, nor Ed25519.
    #[error("the public key's algorithm {oid} is not dealt with")]
    Algorithm {
        /// The algorithm's object identifier.
        oid: ObjectIdentifier,
    },
    /// It is not a SubjectPublicKeyInfo, or not what its algorithm says.
    #[error("could not read the public key")]
    Decode(#[source] der::Error),
    /// An RSA key outside of 2048 to 4096 bits.
    #[error("the RSA key has {bits} bits; 2048 to 4096 are expected")]
    RsaBits {
        /// Bits of its modulus.
        bits: usize,
    },
    /// The point or key is not of the length or form that its algorithm asks for.
    #[error("the public key has not the form of its algorithm")]
    Shape,
}

/// A signature that does not fit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the signature does not fit the key and what was signed")]
pub struct InvalidSignature;

/// RFC 8017 appendix A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

impl<'a> PublicKey<'a> {
    /// Reads a SubjectPublicKeyInfo's DER; trailing bytes are refused.
    ///
    /// # Errors
    /// Says why the key is not one that inkan deals with.
    pub fn read(spki_der: &'a [u8]) -> Result<Self, UnsupportedKey> {
        let spki = SubjectPublicKeyInfoRef::from_der(spki_der).map_err(UnsupportedKey::Decode)?;
        let bits = spki.subject_public_key.as_bytes().ok_or(UnsupportedKey::Shape)?;
        let parameters = spki.algorithm.parameters;
        let scheme = match spki.algorithm.oid {
            EC_PUBLIC_KEY => p256(parameters, bits)?,
            RSA_ENCRYPTION => rsa(parameters, bits)?,
            ED25519_OID if parameters.is_none() && bits.len() == 32 => Scheme::Ed25519,
            ED25519_OID => return Err(UnsupportedKey::Shape),
            oid => return Err(UnsupportedKey::Algorithm { oid }),
        };
        Ok(Self { scheme, bits })
    }

    /// The key's own bits, without algorithm.
    pub(crate) const fn bits(&self) -> &'a [u8] {
        self.bits
    }

    /// The one signature algorithm that counts for this key.
    pub(crate) const fn signature_algorithm(&self) -> ObjectIdentifier {
        match self.scheme {
            Scheme::Ed25519 => ED25519_OID,
            Scheme::P256 => ECDSA_WITH_SHA256,
            Scheme::Rsa => SHA256_WITH_RSA,
        }
    }

    /// That algorithm as requests name it; RSA's has a NULL beside it (RFC 4055 §5), the others nothing.
    pub(crate) fn signature_identifier(&self) -> AlgorithmIdentifierRef<'static> {
        let parameters = matches!(self.scheme, Scheme::Rsa).then_some(AnyRef::NULL);
        AlgorithmIdentifierRef { oid: self.signature_algorithm(), parameters }
    }

    /// Checks a signature over `message`.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let algorithm: &dyn ring::signature::VerificationAlgorithm = match self.scheme {
            Scheme::Ed25519 => &ED25519,
            Scheme::P256 => &ECDSA_P256_SHA256_ASN1,
            Scheme::Rsa => &RSA_PKCS1_2048_8192_SHA256,
        };
        UnparsedPublicKey::new(algorithm, self.bits).verify(message, signature).map_err(|_| InvalidSignature)
    }
}

fn p256(parameters: Option<AnyRef<'_>>, point: &[u8]) -> Result<Scheme, UnsupportedKey> {
    let curve = parameters.ok_or(UnsupportedKey::Shape)?;
    let oid = curve.decode_as::<ObjectIdentifier>().map_err(UnsupportedKey::Decode)?;
    if oid != PRIME256V1 {
        return Err(UnsupportedKey::Algorithm { oid });
    }
    if point.len() != P256_POINT || point.first() != Some(&4) {
        return Err(UnsupportedKey::Shape);
    }
    Ok(Scheme::P256)
}

fn rsa(parameters: Option<AnyRef<'_>>, key: &[u8]) -> Result<Scheme, UnsupportedKey> {
    if !parameters.is_some_and(AnyRef::is_null) {
        return Err(UnsupportedKey::Shape);
    }
    let RsaPublicKey { modulus, exponent: _ } = RsaPublicKey::from_der(key).map_err(UnsupportedKey::Decode)?;
    let first = modulus.as_bytes().first().copied().unwrap_or(0);
    let bits = (modulus.as_bytes().len() * 8).saturating_sub(first.leading_zeros() as usize);
    if !(2048..=4096).contains(&bits) {
        return Err(UnsupportedKey::RsaBits { bits });
    }
    Ok(Scheme::Rsa)
}
