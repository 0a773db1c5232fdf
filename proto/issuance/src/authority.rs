//! What a vendor's private authority and the deployment's own one have in common: a self-signed certificate with a
//! P-256 key, and the way to and from PEM files. The certificate is made by rcgen; leaves are not, see [`crate::leaf`].

use der::pem::{self, LineEnding};
use inkan_model::limits::{self, InvalidText};
use inkan_model::{Timestamp, UnreadableCertificate};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyUsagePurpose, SerialNumber};
use time::Duration;
use zeroize::Zeroizing;

use crate::certificate;
use crate::key::{KeyError, SoftwareKey};
use crate::leaf::{self, IssueError, Leaf, Signer};

/// An authority's certificate counts from this long before it was made, for PCs whose clocks are slow.
const BACKDATED: Duration = Duration::DAY;
const CERTIFICATE_LABEL: &str = "CERTIFICATE";

/// A certification authority that could not be made, saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The certificate could not be made.
    #[error("could not make the authority's certificate")]
    Certify(#[source] rcgen::Error),
    /// Key and certificate do not belong together.
    #[error("the authority's private key is not that of its certificate")]
    KeyDiffers,
    /// The key could not be made or read.
    #[error("the authority's key is unusable")]
    Key(#[source] KeyError),
    /// The name is empty, too long, or holds a control character.
    #[error("the authority's name is refused")]
    Name(#[source] InvalidText),
    /// The certificate does not say that it may sign certificates.
    #[error("the certificate is not that of a certification authority")]
    NotAuthority,
    /// The certificate's file is not PEM.
    #[error("could not read or write the certificate's PEM")]
    Pem(#[source] pem::Error),
    /// The PEM holds something else.
    #[error("the PEM does not hold a CERTIFICATE")]
    PemLabel,
    /// The bytes are not a certificate.
    #[error("could not read the authority's certificate")]
    Read(#[source] UnreadableCertificate),
    /// The serial number is 0, which no certificate may have (RFC 5280 §4.1.2.2).
    #[error("the serial number is 0")]
    Serial,
}

/// A certificate with its key, able to sign leaves.
#[derive(Debug)]
pub(crate) struct Authority {
    certificate: Vec<u8>,
    subject: Vec<u8>,
    key_id: Vec<u8>,
    not_after: Timestamp,
    key: SoftwareKey,
}

/// Lets rcgen sign with a key that it does not own, so that no copy of the key remains in memory unwiped.
struct SigningByKey<'a>(&'a SoftwareKey);

impl rcgen::PublicKeyData for SigningByKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.point()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for SigningByKey<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign_message(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

impl Authority {
    /// Makes a new key and certifies it by itself, to live until `lifetime` after `now`.
    pub(crate) fn create(
        name: &[(DnType, &str)],
        serial: [u8; 16],
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Self, CaError> {
        if serial == [0; 16] {
            return Err(CaError::Serial);
        }
        let mut distinguished_name = DistinguishedName::new();
        for (kind, text) in name {
            limits::check_name(text, limits::SHORT_TEXT).map_err(CaError::Name)?;
            distinguished_name.push(kind.clone(), *text);
        }
        let mut params = CertificateParams::default();
        params.not_before = now.minus(BACKDATED).to_utc();
        params.not_after = now.plus(lifetime).to_utc();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.distinguished_name = distinguished_name;
        // Signs leaves only: no authority below it.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];

        let key = SoftwareKey::generate().map_err(CaError::Key)?;
        let certificate = params.self_signed(&SigningByKey(&key)).map_err(CaError::Certify)?;
        Self::new(certificate.der().to_vec(), key)
    }

    /// Loads what [`Self::certificate_pem`] and [`Self::key_pem`] saved.
    pub(crate) fn load(certificate_pem: &str, key_pem: &str) -> Result<Self, CaError> {
        let (label, der) = pem::decode_vec(certificate_pem.as_bytes()).map_err(CaError::Pem)?;
        if label != CERTIFICATE_LABEL {
            return Err(CaError::PemLabel);
        }
        Self::new(der, SoftwareKey::from_pem(key_pem).map_err(CaError::Key)?)
    }

    fn new(der: Vec<u8>, key: SoftwareKey) -> Result<Self, CaError> {
        let facts = inkan_model::CertificateFacts::read(&der).map_err(CaError::Read)?;
        let certificate = certificate::read(&der).map_err(CaError::Read)?;
        let may_sign = match certificate.key_usage() {
            Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
            Err(_) => false,
        };
        let key_id = facts.subject_key_id.filter(|_| facts.is_ca && may_sign).ok_or(CaError::NotAuthority)?;
        if certificate.public_key().raw != key.spki() {
            return Err(CaError::KeyDiffers);
        }
        let subject = certificate.subject().as_raw().to_vec();
        Ok(Self { certificate: der, subject, key_id, not_after: facts.not_after, key })
    }

    pub(crate) fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    pub(crate) const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    pub(crate) fn spki(&self) -> Vec<u8> {
        self.key.spki()
    }

    pub(crate) fn certificate_pem(&self) -> Result<String, CaError> {
        pem::encode_string(CERTIFICATE_LABEL, LineEnding::LF, &self.certificate).map_err(CaError::Pem)
    }

    pub(crate) fn key_pem(&self) -> Result<Zeroizing<String>, CaError> {
        self.key.to_pem().map_err(CaError::Key)
    }

    pub(crate) fn issue(&self, leaf: &Leaf<'_>) -> Result<Vec<u8>, IssueError> {
        let Self { certificate: _, subject, key_id, not_after, key } = self;
        leaf::issue(leaf, &Signer { subject, key_id, not_after: *not_after, key })
    }
}
