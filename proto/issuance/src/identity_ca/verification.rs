//! Reading an identity back out of a certificate that this deployment issued.
//!
//! On a connection, TLS has verified the chain already and this gives the names. In a recovery there is no TLS client
//! certificate, because the identity has expired: then this is the whole check, and the time of validity is left to the
//! caller on purpose.

use inkan_model::identity::{AgentIdentity, InvalidIdentity};
use inkan_model::{Timestamp, UnreadableCertificate};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use crate::certificate;
use crate::key::{InvalidSignature, PublicKey, UnsupportedKey};
use crate::leaf::{self, VerifyError};

/// What an identity certificate of this deployment says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IssuedIdentity {
    /// Whose it is.
    pub identity: AgentIdentity,
    /// Serial number.
    pub serial: [u8; 16],
    /// SubjectPublicKeyInfo as DER.
    pub spki_der: Vec<u8>,
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
}

/// A certificate that is not an identity of this deployment.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The authority's certificate cannot be read.
    #[error("could not read the authority's certificate")]
    Authority(#[source] UnreadableCertificate),
    /// The authority's key is not one that inkan deals with.
    #[error("the authority's key is refused")]
    AuthorityKey(#[source] UnsupportedKey),
    /// It is not encoded in the one way in which the authority encodes.
    #[error("the certificate is not encoded as its authority encodes")]
    Encoding(#[source] der::Error),
    /// Its URI is not that of an agent.
    #[error("the certificate's URI is refused")]
    Identity(#[source] InvalidIdentity),
    /// It names another issuer.
    #[error("the certificate was issued by another authority")]
    Issuer,
    /// The certificate cannot be read.
    #[error("could not read the certificate")]
    Leaf(#[source] UnreadableCertificate),
    /// It is not for TLS clients, or it has not exactly one name, which is a URI.
    #[error("the certificate is not an agent's: {what}")]
    Profile {
        /// What does not fit.
        what: &'static str,
    },
    /// The authority's key did not sign it.
    #[error("the certificate was not signed by the authority")]
    Signature(#[source] InvalidSignature),
}

/// Checks that the authority signed `leaf_der` as an agent's identity, and reads it. Whether it has expired is not
/// looked at.
///
/// # Errors
/// Says why it is not an identity of this authority.
pub fn verify_identity(leaf_der: &[u8], ca_der: &[u8]) -> Result<IssuedIdentity, IdentityError> {
    let leaf = certificate::read(leaf_der).map_err(IdentityError::Leaf)?;
    let authority = certificate::read(ca_der).map_err(IdentityError::Authority)?;
    if leaf.issuer().as_raw() != authority.subject().as_raw() {
        return Err(IdentityError::Issuer);
    }
    check_signature(leaf_der, &authority)?;
    check_purpose(&leaf)?;
    Ok(IssuedIdentity {
        identity: only_uri(&leaf)?.parse().map_err(IdentityError::Identity)?,
        serial: serial(leaf.raw_serial())?,
        spki_der: leaf.public_key().raw.to_vec(),
        not_before: Timestamp::from_unix_seconds(leaf.validity().not_before.timestamp()),
        not_after: Timestamp::from_unix_seconds(leaf.validity().not_after.timestamp()),
    })
}

fn check_signature(leaf_der: &[u8], authority: &X509Certificate<'_>) -> Result<(), IdentityError> {
    let key = PublicKey::read(authority.public_key().raw).map_err(IdentityError::AuthorityKey)?;
    leaf::verify(leaf_der, &key).map_err(|error| match error {
        VerifyError::Decode(error) => IdentityError::Encoding(error),
        VerifyError::Signature(error) => IdentityError::Signature(error),
    })
}

fn check_purpose(leaf: &X509Certificate<'_>) -> Result<(), IdentityError> {
    let refuse = |what| Err(IdentityError::Profile { what });
    if leaf.is_ca() {
        return refuse("it is an authority's");
    }
    match leaf.extended_key_usage() {
        Ok(Some(usage)) if usage.value.client_auth => Ok(()),
        _ => refuse("it is not for TLS clients"),
    }
}

fn only_uri<'a>(leaf: &'a X509Certificate<'_>) -> Result<&'a str, IdentityError> {
    let names = match leaf.subject_alternative_name() {
        Ok(Some(names)) => names.value.general_names.as_slice(),
        Ok(None) | Err(_) => &[],
    };
    match names {
        [GeneralName::URI(uri)] => Ok(uri),
        _ => Err(IdentityError::Profile { what: "it has not exactly one name that is a URI" }),
    }
}

/// A serial number as it was given when it was issued: 16 bytes, however many of them DER left away in front.
fn serial(raw: &[u8]) -> Result<[u8; 16], IdentityError> {
    let start = raw.iter().position(|byte| *byte != 0).unwrap_or(raw.len());
    let magnitude = &raw[start..];
    let mut serial = [0; 16];
    let at =
        serial.len().checked_sub(magnitude.len()).ok_or(IdentityError::Profile { what: "its serial is too long" })?;
    serial[at..].copy_from_slice(magnitude);
    Ok(serial)
}
