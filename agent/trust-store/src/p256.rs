//! ECDSA P-256 keys that live in files, where the platform has no better keeper.
//!
//! The private half exists as PKCS#8 in wiped memory between file and signer, and nowhere else.

use data_encoding::BASE64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use zeroize::Zeroizing;

use crate::content::{Label, blocks};
use crate::{ChangeError, PrivateKey, SignatureScheme};

/// SubjectPublicKeyInfo up to the point: id-ecPublicKey with prime256v1 (RFC 5480 §2).
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Characters of one line of PEM (RFC 7468 §2).
const LINE: usize = 64;

/// A key pair in memory.
pub(crate) struct SoftwareKey {
    pair: EcdsaKeyPair,
    // ring takes chance from the operating system alone and cannot be given any, so a test cannot own it here.
    random: SystemRandom,
}

impl SoftwareKey {
    /// Makes a key, and gives it as PKCS#8 in PEM beside it.
    pub(crate) fn generate() -> Result<(Self, Zeroizing<String>), ChangeError> {
        let random = SystemRandom::new();
        let failed = |_| crypto("no P-256 key could be made");
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).map_err(failed)?;
        let pkcs8 = Zeroizing::new(document.as_ref().to_vec());
        Ok((Self::from_pkcs8(&pkcs8)?, armour(&pkcs8)))
    }

    /// Reads a file that holds one such key, alone or among certificates.
    pub(crate) fn from_pem(bytes: &[u8]) -> Result<Self, ChangeError> {
        let not_one = || crypto("the file does not hold one P-256 key as PKCS#8");
        let keys: Vec<_> = blocks(bytes).into_iter().filter(|block| block.label == Label::Key).collect();
        let [key] = keys.as_slice() else { return Err(not_one()) };
        let body: Zeroizing<Vec<u8>> =
            Zeroizing::new(key.body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect());
        let pkcs8 = Zeroizing::new(BASE64.decode(&body).map_err(|_| not_one())?);
        Self::from_pkcs8(&pkcs8)
    }

    pub(crate) fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, ChangeError> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &random)
            .map_err(|error| crypto(format!("the P-256 key is not usable: {error}")))?;
        Ok(Self { pair, random })
    }

    /// Whether it is the key of a certificate, told by the digest of the certificate's SubjectPublicKeyInfo.
    pub(crate) fn belongs_to(&self, spki_sha256: &[u8; 32]) -> bool {
        ring::digest::digest(&ring::digest::SHA256, &self.public_key()).as_ref() == spki_sha256
    }
}

impl PrivateKey for SoftwareKey {
    fn public_key(&self) -> Vec<u8> {
        [SPKI_PREFIX.as_slice(), self.pair.public_key().as_ref()].concat()
    }

    fn schemes(&self) -> &[SignatureScheme] {
        &[SignatureScheme::EcdsaP256Sha256]
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, ChangeError> {
        if scheme != SignatureScheme::EcdsaP256Sha256 {
            return Err(crypto("a P-256 key signs with ECDSA only"));
        }
        let signature = self.pair.sign(&self.random, message).map_err(|_| crypto("the P-256 key did not sign"))?;
        Ok(signature.as_ref().to_vec())
    }
}

pub(crate) fn crypto(what: impl Into<String>) -> ChangeError {
    ChangeError::Crypto { what: what.into() }
}

fn armour(pkcs8: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(BASE64.encode(pkcs8));
    // One allocation that never grows leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(body.len() + body.len() / LINE + 64));
    text.push_str("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END PRIVATE KEY-----\n");
    text
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_key_reads_back_from_its_pem_and_signs() {
        let (made, pem) = SoftwareKey::generate().unwrap();
        let read = SoftwareKey::from_pem(pem.as_bytes()).unwrap();
        assert_eq!(made.public_key(), read.public_key());
        let signature = read.sign(SignatureScheme::EcdsaP256Sha256, b"message").unwrap();
        let point = &made.public_key()[SPKI_PREFIX.len()..];
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(b"message", &signature).unwrap();
    }

    #[test]
    fn the_public_key_is_what_a_certificate_for_it_carries() {
        let (made, pem) = SoftwareKey::generate().unwrap();
        let pair = rcgen::KeyPair::from_pem(&pem).unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&pair).unwrap();
        let facts = inkan_model::CertificateFacts::read(certificate.der()).unwrap();
        assert!(made.belongs_to(&facts.spki_sha256));
    }

    #[test]
    fn a_file_with_no_key_or_two_is_refused() {
        let (_, one) = SoftwareKey::generate().unwrap();
        let (_, two) = SoftwareKey::generate().unwrap();
        assert!(SoftwareKey::from_pem(b"").is_err());
        assert!(SoftwareKey::from_pem(format!("{}{}", *one, *two).as_bytes()).is_err());
    }
}
