//! The vendor's private certification authority, behind a port.

use inkan_model::Timestamp;

/// Something that can issue client certificates.
pub trait CertificationAuthority: Send + Sync {
    /// The authority's own certificate, DER.
    fn certificate(&self) -> &[u8];

    /// Issues what was ordered: the leaf, then its issuers, as DER.
    ///
    /// # Errors
    /// Says what of the order cannot be certified.
    fn issue(&self, order: &Order) -> Result<Vec<Vec<u8>>, IssueError>;
}

/// What a certificate is to say. Time and chance come with the order.
#[derive(Clone, Debug)]
pub struct Order {
    /// The subject's DER, which goes into the certificate byte for byte.
    pub subject_der: Vec<u8>,
    /// SubjectPublicKeyInfo as DER.
    pub spki_der: Vec<u8>,
    /// Serial number.
    pub serial: [u8; 16],
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
}

/// An order that could not be carried out.
#[derive(Debug, thiserror::Error)]
#[error("could not {step}")]
pub struct IssueError {
    /// What was being done.
    pub step: &'static str,
    /// Why it failed.
    #[source]
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}
