//! What a PC asks a certification authority for: a PKCS#10 request (RFC 2986) with the subject of the old certificate.
//!
//! The subject must survive byte for byte, because the systems that accept the certificate compare it so. A name may
//! hold the same attribute twice (two organisational units in RDNs of their own, `13` and `medical`, are usual here),
//! may use old string types, may have several attributes in one RDN. Libraries that model a name as a map or a list and
//! write it anew keep one of two attributes, merge RDNs or change types. So a name is carried here as an opaque DER
//! value ([`der::asn1::AnyRef`]) and is only checked, never written anew.

use std::error::Error;

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode, Sequence, Tag, TagNumber, Tagged};
use inkan_model::UnreadableCertificate;
use inkan_model::limits;
use spki::AlgorithmIdentifierRef;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use crate::certificate;
use crate::key::{InvalidSignature, PublicKey, UnsupportedKey};

/// A key that can sign, wherever it lives: in memory, in an operating system's key store, in a TPM.
pub trait RequestSigner {
    /// SubjectPublicKeyInfo as DER.
    fn public_key(&self) -> Vec<u8>;

    /// Signs in the one way that counts for its kind of key: P-256 with ECDSA and SHA-256 (the signature is DER), RSA with
    /// PKCS#1 v1.5 and SHA-256.
    ///
    /// # Errors
    /// Whatever the key's home says.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>>;
}

/// A request that could not be made, or that is refused.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The certificate that the subject should come from cannot be read.
    #[error("could not read the certificate to succeed")]
    Certificate(#[source] UnreadableCertificate),
    /// The bytes are not a request.
    #[error("could not read the request")]
    Decode(#[source] der::Error),
    /// The request could not be written.
    #[error("could not write the request")]
    Encode(#[source] der::Error),
    /// Its public key is not one that inkan deals with.
    #[error("the request's key is refused")]
    Key(#[source] UnsupportedKey),
    /// It is signed with an algorithm that is not the one for its key.
    #[error("the request is signed with {oid}, which is not the algorithm for its key")]
    SignatureAlgorithm {
        /// The algorithm's object identifier.
        oid: der::asn1::ObjectIdentifier,
    },
    /// Its signature was not made by its key.
    #[error("the request was not signed by its own key")]
    Signature(#[source] InvalidSignature),
    /// The key would not sign.
    #[error("could not sign the request")]
    Sign(#[source] Box<dyn Error + Send + Sync>),
    /// Its subject is not a name.
    #[error("the subject is not a distinguished name")]
    Subject(#[source] InvalidName),
    /// It is larger than a request may be.
    #[error("the request has {length} bytes, more than {}", limits::REQUEST_BYTES)]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// It has a version other than the only one (RFC 2986 §4.1).
    #[error("the request has version {found}, not 0")]
    Version {
        /// The version's number.
        found: u8,
    },
}

/// Bytes that are not one distinguished name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not the DER of one name (RFC 5280 §4.1.2.4), or an empty one")]
pub struct InvalidName;

/// RFC 2986 §4.1, with name and key as they are.
#[derive(Sequence)]
struct RequestInfo<'a> {
    version: u8,
    subject: AnyRef<'a>,
    spki: AnyRef<'a>,
    attributes: AnyRef<'a>,
}

/// RFC 2986 §4.2. What is signed is kept as it is, since the signature counts for these very bytes.
#[derive(Sequence)]
struct SignedRequest<'a> {
    info: AnyRef<'a>,
    algorithm: AlgorithmIdentifierRef<'a>,
    signature: BitStringRef<'a>,
}

const ATTRIBUTES: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };

/// The raw subject of a certificate, as its DER has it.
///
/// # Errors
/// When the bytes are not a certificate.
pub fn subject_of(certificate_der: &[u8]) -> Result<Vec<u8>, RequestError> {
    let certificate = certificate::read(certificate_der).map_err(RequestError::Certificate)?;
    Ok(certificate.subject().as_raw().to_vec())
}

/// Reads a name without changing it: strict DER on the outside, at least one RDN, and nothing behind it.
pub(crate) fn opaque_name(der: &[u8]) -> Result<AnyRef<'_>, InvalidName> {
    let opaque = AnyRef::from_der(der).map_err(|_| InvalidName)?;
    match X509Name::from_der(der) {
        Ok(([], name)) if opaque.tag() == Tag::Sequence && name.iter_rdn().next().is_some() => Ok(opaque),
        _ => Err(InvalidName),
    }
}

/// Makes a request for `key` with exactly the subject given, and checks it as a receiver would.
///
/// # Errors
/// When the subject is not a name, or the key does not sign as it should.
pub fn build_request(subject_der: &[u8], key: &dyn RequestSigner) -> Result<Vec<u8>, RequestError> {
    let spki = key.public_key();
    let info = RequestInfo {
        version: 0,
        subject: opaque_name(subject_der).map_err(RequestError::Subject)?,
        spki: AnyRef::from_der(&spki).map_err(RequestError::Encode)?,
        attributes: AnyRef::new(ATTRIBUTES, &[]).map_err(RequestError::Encode)?,
    };
    let info = info.to_der().map_err(RequestError::Encode)?;
    let algorithm = PublicKey::read(&spki).map_err(RequestError::Key)?.signature_identifier();
    let signature = key.sign(&info).map_err(RequestError::Sign)?;
    let request = SignedRequest {
        info: AnyRef::from_der(&info).map_err(RequestError::Encode)?,
        algorithm,
        signature: BitStringRef::from_bytes(&signature).map_err(RequestError::Encode)?,
    };
    let request = request.to_der().map_err(RequestError::Encode)?;
    // A key store that signs in another form is found out here, and not by a certification authority.
    Request::parse(&request)?;
    Ok(request)
}

/// A request whose signature was made by the key that it names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    subject: Vec<u8>,
    spki: Vec<u8>,
}

impl Request {
    /// Reads a request's DER and verifies its signature; trailing bytes are refused.
    ///
    /// # Errors
    /// Says what is wrong with the request.
    pub fn parse(der: &[u8]) -> Result<Self, RequestError> {
        if der.len() > limits::REQUEST_BYTES {
            return Err(RequestError::TooLong { length: der.len() });
        }
        let request = SignedRequest::from_der(der).map_err(RequestError::Decode)?;
        // Strict DER has one encoding only, so this gives back the bytes that were signed.
        let signed = request.info.to_der().map_err(RequestError::Decode)?;
        let info = RequestInfo::from_der(&signed).map_err(RequestError::Decode)?;
        if info.version != 0 {
            return Err(RequestError::Version { found: info.version });
        }
        info.attributes.tag().assert_eq(ATTRIBUTES).map_err(RequestError::Decode)?;
        let subject = info.subject.to_der().map_err(RequestError::Decode)?;
        opaque_name(&subject).map_err(RequestError::Subject)?;

        let spki = info.spki.to_der().map_err(RequestError::Decode)?;
        let key = PublicKey::read(&spki).map_err(RequestError::Key)?;
        if request.algorithm.oid != key.signature_algorithm() {
            return Err(RequestError::SignatureAlgorithm { oid: request.algorithm.oid });
        }
        let signature = request.signature.as_bytes().ok_or(RequestError::Signature(InvalidSignature))?;
        key.verify(&signed, signature).map_err(RequestError::Signature)?;
        Ok(Self { subject, spki })
    }

    /// The subject's DER, as the request has it.
    pub fn subject_der(&self) -> &[u8] {
        &self.subject
    }

    /// SubjectPublicKeyInfo as DER.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }
}
