//! Signatures by which a PC shows that it holds a key: of a renewed certificate, or of an identity that has expired.
//!
//! What is signed always begins with a label of ours, so that nobody can have a PC sign something with a meaning
//! elsewhere by calling it a challenge. Both sides make the message by the functions here.

use inkan_model::UnreadableCertificate;
use inkan_model::directive::PROOF_LABEL;
use inkan_model::identity::RECOVERY_LABEL;

use crate::certificate;
use crate::key::{InvalidSignature, PublicKey, UnsupportedKey};

/// A proof that does not hold.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProofError {
    /// The public key is not one that inkan deals with.
    #[error("the key is refused")]
    Key(#[source] UnsupportedKey),
    /// The signature was not made by that key over that message.
    #[error("the proof does not hold")]
    Signature(#[source] InvalidSignature),
}

/// What the key of a renewed certificate signs.
pub fn renewal_message(challenge: &[u8]) -> Vec<u8> {
    [PROOF_LABEL, challenge].concat()
}

/// What the key of an expired identity signs.
pub fn recovery_message(nonce: &[u8]) -> Vec<u8> {
    [RECOVERY_LABEL, nonce].concat()
}

/// Checks a signature by the key in `spki_der`: ECDSA with SHA-256 in DER for P-256, which all keys made by inkan are;
/// PKCS#1 with SHA-256 for RSA, and Ed25519, for keys that others made.
///
/// # Errors
/// When the key is not dealt with, or the signature does not fit.
pub fn verify_signature(spki_der: &[u8], message: &[u8], signature: &[u8]) -> Result<(), ProofError> {
    let key = PublicKey::read(spki_der).map_err(ProofError::Key)?;
    key.verify(message, signature).map_err(ProofError::Signature)
}

/// The key of a certificate as SubjectPublicKeyInfo, DER.
///
/// # Errors
/// When the certificate cannot be read.
pub fn public_key_of(certificate_der: &[u8]) -> Result<Vec<u8>, UnreadableCertificate> {
    Ok(certificate::read(certificate_der)?.public_key().raw.to_vec())
}
