//! Writing a leaf certificate (RFC 5280 §4.1) with a subject that is carried and not written anew.
//!
//! This is done here and not by rcgen, because rcgen keeps one value per kind of attribute, so that of the two
//! organisational units of a subject only the last would remain. The structures around the subject are ours for that
//! reason alone; the extensions are x509-cert's.

use std::time::Duration;

use der::asn1::{
    AnyRef, BitStringRef, GeneralizedTime, ObjectIdentifier, OctetString, SetOfVec, UintRef, UtcTime, Utf8StringRef,
};
use der::oid::AssociatedOid;
use der::{Decode, Encode, Sequence, ValueOrd};
use inkan_model::Timestamp;
use ring::digest;
use spki::AlgorithmIdentifierRef;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::time::{Time, Validity};

use crate::key::{ECDSA_WITH_SHA256, InvalidSignature, PublicKey, SoftwareKey, UnsupportedKey};
use crate::request::{InvalidName, opaque_name};

/// commonName (RFC 5280 appendix A.1).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// What the key of a leaf is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// TLS client authentication.
    Client,
    /// TLS server authentication.
    Server,
}

impl Purpose {
    /// RFC 5280 §4.2.1.12.
    const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Client => ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2"),
            Self::Server => ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1"),
        }
    }
}

/// What a leaf is to say.
pub(crate) struct Leaf<'a> {
    pub(crate) subject: &'a [u8],
    pub(crate) spki: &'a [u8],
    pub(crate) serial: [u8; 16],
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) purpose: Purpose,
    pub(crate) alternative_names: Vec<GeneralName>,
}

/// Who signs it.
pub(crate) struct Signer<'a> {
    pub(crate) subject: &'a [u8],
    pub(crate) key_id: &'a [u8],
    pub(crate) not_after: Timestamp,
    pub(crate) key: &'a SoftwareKey,
}

/// A certificate that could not be issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// A certification authority behind the port, other than those of this crate, could not be asked or refused.
    #[error("the certification authority did not issue")]
    Authority(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The authority itself has expired at the first moment of the leaf.
    #[error("the certification authority's own certificate ends at {not_after}")]
    Expired {
        /// Its last moment.
        not_after: Timestamp,
    },
    /// The certificate could not be written.
    #[error("could not write the certificate")]
    Encode(#[source] der::Error),
    /// The public key is not one that inkan deals with.
    #[error("the key is refused")]
    Key(#[source] UnsupportedKey),
    /// A name for subjectAltName is not one.
    #[error("{name:?} cannot be a server's name")]
    ServerName {
        /// The name.
        name: String,
    },
    /// The serial number is 0, which no certificate may have (RFC 5280 §4.1.2.2).
    #[error("the serial number is 0")]
    Serial,
    /// The authority's key would not sign.
    #[error("could not sign the certificate")]
    Sign(#[source] ring::error::Unspecified),
    /// The subject is not a name.
    #[error("the subject is not a distinguished name")]
    Subject(#[source] InvalidName),
    /// It would end before it begins, or lie outside of the years 1970 to 9999.
    #[error("a certificate cannot be valid from {not_before} to {not_after}")]
    Validity {
        /// First moment wanted.
        not_before: Timestamp,
        /// Last moment, after the authority's own end was applied.
        not_after: Timestamp,
    },
}

/// RFC 5280 §4.1.2, with names and key as they are.
#[derive(Sequence)]
struct Tbs<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial: UintRef<'a>,
    signature: AlgorithmIdentifierRef<'a>,
    issuer: AnyRef<'a>,
    validity: Validity,
    subject: AnyRef<'a>,
    spki: AnyRef<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

/// RFC 5280 §4.1.1.
#[derive(Sequence)]
struct SignedCertificate<'a> {
    tbs: AnyRef<'a>,
    algorithm: AlgorithmIdentifierRef<'a>,
    signature: BitStringRef<'a>,
}

/// Version 3, as DER counts.
const V3: u8 = 2;
const SIGNATURE_ALGORITHM: AlgorithmIdentifierRef<'static> =
    AlgorithmIdentifierRef { oid: ECDSA_WITH_SHA256, parameters: None };

/// Writes and signs a leaf. It never outlives its authority: a later end is brought forward to the authority's own.
pub(crate) fn issue(leaf: &Leaf<'_>, signer: &Signer<'_>) -> Result<Vec<u8>, IssueError> {
    if leaf.serial == [0; 16] {
        return Err(IssueError::Serial);
    }
    let key = PublicKey::read(leaf.spki).map_err(IssueError::Key)?;
    let tbs = Tbs {
        version: V3,
        serial: UintRef::new(&leaf.serial).map_err(IssueError::Encode)?,
        signature: SIGNATURE_ALGORITHM,
        issuer: opaque_name(signer.subject).map_err(IssueError::Subject)?,
        validity: validity(leaf, signer)?,
        subject: opaque_name(leaf.subject).map_err(IssueError::Subject)?,
        spki: AnyRef::from_der(leaf.spki).map_err(IssueError::Encode)?,
        extensions: extensions(leaf, &key, signer.key_id).map_err(IssueError::Encode)?,
    };
    let tbs = tbs.to_der().map_err(IssueError::Encode)?;
    let signature = signer.key.sign_message(&tbs).map_err(IssueError::Sign)?;
    let certificate = SignedCertificate {
        tbs: AnyRef::from_der(&tbs).map_err(IssueError::Encode)?,
        algorithm: SIGNATURE_ALGORITHM,
        signature: BitStringRef::from_bytes(&signature).map_err(IssueError::Encode)?,
    };
    certificate.to_der().map_err(IssueError::Encode)
}

/// Checks that `key` signed a certificate, strictly in the one encoding that [`issue`] writes. A lenient reader would
/// take several encodings of one certificate for as many certificates.
pub(crate) fn verify(der: &[u8], key: &PublicKey<'_>) -> Result<(), VerifyError> {
    let certificate = SignedCertificate::from_der(der).map_err(VerifyError::Decode)?;
    let signed = certificate.tbs.to_der().map_err(VerifyError::Decode)?;
    let tbs = Tbs::from_der(&signed).map_err(VerifyError::Decode)?;
    // Both places name the algorithm (RFC 5280 §4.1.1.2), and the key decides which one counts.
    if tbs.signature != certificate.algorithm || certificate.algorithm.oid != key.signature_algorithm() {
        return Err(VerifyError::Signature(InvalidSignature));
    }
    let signature = certificate.signature.as_bytes().ok_or(VerifyError::Signature(InvalidSignature))?;
    key.verify(&signed, signature).map_err(VerifyError::Signature)
}

/// Why [`verify`] refuses.
pub(crate) enum VerifyError {
    Decode(der::Error),
    Signature(InvalidSignature),
}

fn validity(leaf: &Leaf<'_>, signer: &Signer<'_>) -> Result<Validity, IssueError> {
    if leaf.not_before >= signer.not_after {
        return Err(IssueError::Expired { not_after: signer.not_after });
    }
    let not_before = leaf.not_before;
    let not_after = leaf.not_after.min(signer.not_after);
    match (moment(not_before), moment(not_after)) {
        (Some(from), Some(to)) if not_before < not_after => Ok(Validity::new(from, to)),
        _ => Err(IssueError::Validity { not_before, not_after }),
    }
}

/// UTCTime until 2049, GeneralizedTime after it (RFC 5280 §4.1.2.5).
fn moment(at: Timestamp) -> Option<Time> {
    let since_1970 = Duration::from_secs(u64::try_from(at.as_unix_seconds()).ok()?);
    let utc = UtcTime::from_unix_duration(since_1970).map(Time::UtcTime);
    utc.or_else(|_| GeneralizedTime::from_unix_duration(since_1970).map(Time::GeneralTime)).ok()
}

fn extensions(leaf: &Leaf<'_>, key: &PublicKey<'_>, issuer_key_id: &[u8]) -> der::Result<Vec<Extension>> {
    let authority = AuthorityKeyIdentifier {
        key_identifier: Some(OctetString::new(issuer_key_id)?),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    let mut extensions = vec![
        extension(true, &BasicConstraints { ca: false, path_len_constraint: None })?,
        extension(true, &KeyUsage(KeyUsages::DigitalSignature.into()))?,
        extension(false, &ExtendedKeyUsage(vec![leaf.purpose.oid()]))?,
        extension(false, &SubjectKeyIdentifier(OctetString::new(key_id(key))?))?,
        extension(false, &authority)?,
    ];
    if !leaf.alternative_names.is_empty() {
        extensions.push(extension(false, &SubjectAltName(leaf.alternative_names.clone()))?);
    }
    Ok(extensions)
}

fn extension<E: AssociatedOid + Encode>(critical: bool, value: &E) -> der::Result<Extension> {
    Ok(Extension { extn_id: E::OID, critical, extn_value: OctetString::new(value.to_der()?)? })
}

/// The leftmost 160 bits of the key's SHA-256 (RFC 7093 §2, method 1).
fn key_id(key: &PublicKey<'_>) -> Vec<u8> {
    digest::digest(&digest::SHA256, key.bits()).as_ref()[..20].to_vec()
}

#[derive(Sequence, ValueOrd)]
struct Attribute<'a> {
    kind: ObjectIdentifier,
    value: Utf8StringRef<'a>,
}

/// A name that consists of one common name.
pub(crate) fn common_name(text: &str) -> der::Result<Vec<u8>> {
    let attribute = Attribute { kind: COMMON_NAME, value: Utf8StringRef::new(text)? };
    vec![SetOfVec::try_from(vec![attribute])?].to_der()
}
