//! The port to a certification authority that issues client certificates, and a vendor's private one behind it.
//!
//! A leaf has the ordered subject byte for byte, ECDSA with SHA-256 by the authority's P-256 key, and this profile:
//! basicConstraints CA:FALSE and keyUsage digitalSignature (both critical), extendedKeyUsage clientAuth, subject and
//! authority key identifiers. Its TBS is DER written in this crate, because rcgen drops repeated attributes of a
//! subject.

use inkan_model::{Timestamp, UnreadableCertificate};
use rcgen::DnType;
use time::Duration;
use zeroize::Zeroizing;

use crate::authority::Authority;
pub use crate::authority::CaError;
use crate::certificate;
use crate::key::{InvalidSignature, PublicKey, UnsupportedKey};
pub use crate::leaf::IssueError;
use crate::leaf::{Leaf, Purpose};

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
    /// Serial number: random, and not 0.
    pub serial: [u8; 16],
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity. A leaf never outlives its authority: a later end is brought forward to the authority's.
    pub not_after: Timestamp,
}

/// Whether the authority's key signed the certificate: what may be relied on where something is allowed because of it.
/// Names and key identifiers say who claims to have signed; anybody can write those.
///
/// # Errors
/// When one of the two cannot be read, the authority's key is not dealt with, or it did not sign.
pub fn verify_issued_by(leaf_der: &[u8], ca_der: &[u8]) -> Result<(), NotIssued> {
    let leaf = certificate::read(leaf_der).map_err(NotIssued::Unreadable)?;
    let authority = certificate::read(ca_der).map_err(NotIssued::Unreadable)?;
    if leaf.issuer().as_raw() != authority.subject().as_raw() {
        return Err(NotIssued::Name);
    }
    let key = PublicKey::read(authority.public_key().raw).map_err(NotIssued::Key)?;
    let signed = leaf.tbs_certificate.as_ref();
    key.verify(signed, leaf.signature_value.data.as_ref()).map_err(NotIssued::Signature)
}

/// Why a certificate is not one of an authority's.
#[derive(Debug, thiserror::Error)]
pub enum NotIssued {
    /// The authority's key is not one that inkan deals with.
    #[error("the authority's key is refused")]
    Key(#[source] UnsupportedKey),
    /// It names another issuer.
    #[error("the certificate names another issuer")]
    Name,
    /// The authority's key did not sign it.
    #[error("the certificate was not signed by the authority")]
    Signature(#[source] InvalidSignature),
    /// One of the two cannot be read.
    #[error("could not read the certificates")]
    Unreadable(#[source] UnreadableCertificate),
}

/// A vendor's own certification authority, whose key is a file of the server.
#[derive(Debug)]
pub struct PrivateCa(Authority);

impl PrivateCa {
    /// Makes a new key and certificate. Its name is the common name; it lives until `lifetime` after `now`, and counts
    /// from a day before `now` for PCs whose clocks are slow.
    ///
    /// # Errors
    /// Says which part could not be made.
    pub fn create(name: &str, serial: [u8; 16], now: Timestamp, lifetime: Duration) -> Result<Self, CaError> {
        Authority::create(&[(DnType::CommonName, name)], serial, now, lifetime).map(Self)
    }

    /// Loads what [`Self::certificate_pem`] and [`Self::key_pem`] gave.
    ///
    /// # Errors
    /// When a file is unreadable, or the two do not belong together.
    pub fn load(certificate_pem: &str, key_pem: &str) -> Result<Self, CaError> {
        Authority::load(certificate_pem, key_pem).map(Self)
    }

    /// The certificate as PEM.
    ///
    /// # Errors
    /// Never for a certificate of this size; the encoder's answer is passed on.
    pub fn certificate_pem(&self) -> Result<String, CaError> {
        self.0.certificate_pem()
    }

    /// The private key as PKCS#8 PEM, for a file that only the server may read.
    ///
    /// # Errors
    /// Never for a key of this size; the encoder's answer is passed on.
    pub fn key_pem(&self) -> Result<Zeroizing<String>, CaError> {
        self.0.key_pem()
    }

    /// The authority's own last moment.
    pub const fn not_after(&self) -> Timestamp {
        self.0.not_after()
    }
}

impl CertificationAuthority for PrivateCa {
    fn certificate(&self) -> &[u8] {
        self.0.certificate()
    }

    fn issue(&self, order: &Order) -> Result<Vec<Vec<u8>>, IssueError> {
        let Order { subject_der, spki_der, serial, not_before, not_after } = order;
        let leaf = Leaf {
            subject: subject_der,
            spki: spki_der,
            serial: *serial,
            not_before: *not_before,
            not_after: *not_after,
            purpose: Purpose::Client,
            alternative_names: Vec::new(),
        };
        Ok(vec![self.0.issue(&leaf)?, self.certificate().to_vec()])
    }
}
