//! Proofs. INTERFACE ONLY: being written.
use crate::request::RequestError;
/// The raw SubjectPublicKeyInfo of a certificate.
pub fn public_key_of(certificate_der: &[u8]) -> Result<Vec<u8>, RequestError> { crate::request::subject_of(certificate_der) }
