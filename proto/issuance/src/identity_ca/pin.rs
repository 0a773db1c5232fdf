//! The pin by which an agent knows the deployment's authority before it trusts anything.

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use inkan_model::UnreadableCertificate;
use ring::digest;

use crate::certificate;

const PREFIX: &str = "sha256:";

/// SHA-256 over an authority's SubjectPublicKeyInfo. It stays the same when the certificate is made anew with the same
/// key. Its text is `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct CaPin([u8; 32]);

/// A text that is not a pin.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a pin: sha256: and 64 hexadecimal digits are expected")]
pub struct InvalidCaPin;

impl CaPin {
    /// The pin of the key in a SubjectPublicKeyInfo.
    pub fn of_spki(spki_der: &[u8]) -> Self {
        let mut pin = [0; 32];
        pin.copy_from_slice(digest::digest(&digest::SHA256, spki_der).as_ref());
        Self(pin)
    }

    /// The pin of the key in a certificate.
    ///
    /// # Errors
    /// When the bytes are not a certificate.
    pub fn of_certificate(der: &[u8]) -> Result<Self, UnreadableCertificate> {
        certificate::read(der).map(|certificate| Self::of_spki(certificate.public_key().raw))
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for CaPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for CaPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CaPin {
    type Err = InvalidCaPin;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.trim().strip_prefix(PREFIX).ok_or(InvalidCaPin)?;
        let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map_err(|_| InvalidCaPin)?;
        bytes.try_into().map(Self).map_err(|_| InvalidCaPin)
    }
}
