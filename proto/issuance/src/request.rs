//! Requests (PKCS#10). INTERFACE ONLY: being written.
/// A parsed and verified request.
pub struct Request { subject_der: Vec<u8>, spki_der: Vec<u8> }
/// Why bytes are not a request.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct RequestError { why: String }
impl Request {
    /// Reads and verifies.
    pub fn parse(_der: &[u8]) -> Result<Self, RequestError> { Err(RequestError { why: String::new() }) }
    /// The subject's DER.
    pub fn subject_der(&self) -> &[u8] { &self.subject_der }
    /// SubjectPublicKeyInfo as DER.
    pub fn spki_der(&self) -> &[u8] { &self.spki_der }
}
/// The raw subject of a certificate.
pub fn subject_of(_certificate_der: &[u8]) -> Result<Vec<u8>, RequestError> { Err(RequestError { why: String::new() }) }
