//! Which trust rows are about a certificate: the one question that reading and removing must answer alike, because a row
//! that removing passes over keeps a removed root trusted.

use inkan_model::Fingerprint;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::trust::Shape;

/// By what a trust row knows its certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Identity {
    sha256: Fingerprint,
    /// Not known where only the certificate's fingerprint is.
    sha1: Option<Vec<u8>>,
    pub(super) names: Option<Names>,
}

/// By what NSS finds the trust of a certificate: its issuer and serial number, each as DER.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Names {
    pub(super) issuer: Vec<u8>,
    pub(super) serial: Vec<u8>,
}

impl Identity {
    pub(super) fn of(der: &[u8]) -> Self {
        let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref().to_vec();
        Self { sha256: Fingerprint::of(der), sha1: Some(sha1), names: Names::of(der) }
    }

    /// Of a certificate that is not there any more.
    #[cfg(any(test, unix))]
    pub(super) const fn of_fingerprint(sha256: Fingerprint) -> Self {
        Self { sha256, sha1: None, names: None }
    }

    /// Whether a row with these names and this hash is about the certificate. The hash decides where there is one, because
    /// two certificates of one issuer may share a serial number.
    pub(super) fn is_of_row(&self, shape: Shape, names: Option<&Names>, hash: Option<&[u8]>) -> bool {
        match (shape, hash) {
            (Shape::New, Some(hash)) => hash == self.sha256.as_bytes(),
            (Shape::Old, Some(hash)) => self.sha1.as_deref() == Some(hash),
            (_, None) => self.names.is_some() && self.names.as_ref() == names,
        }
    }
}

impl Names {
    fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let issuer = certificate.tbs_certificate.issuer.as_raw().to_vec();
        Some(Self { issuer, serial: der_integer(certificate.tbs_certificate.raw_serial())? })
    }
}

/// Puts an INTEGER's header before its octets again.
fn der_integer(octets: &[u8]) -> Option<Vec<u8>> {
    let length = u8::try_from(octets.len()).ok().filter(|length| *length < 0x80)?;
    Some([&[0x02, length], octets].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        let key = rcgen::KeyPair::generate().unwrap();
        Identity::of(rcgen::CertificateParams::default().self_signed(&key).unwrap().der())
    }

    #[test]
    fn the_hash_decides_where_there_is_one() {
        let (identity, other) = (identity(), identity());
        let names = identity.names.as_ref();
        let sha256 = identity.sha256.as_bytes().as_slice();
        assert!(identity.is_of_row(Shape::New, None, Some(sha256)));
        assert!(identity.is_of_row(Shape::Old, None, identity.sha1.as_deref()));
        assert!(identity.is_of_row(Shape::Old, names, None));
        assert!(!identity.is_of_row(Shape::Old, names, other.sha1.as_deref()));
        assert!(!identity.is_of_row(Shape::New, names, Some(other.sha256.as_bytes())));
    }

    #[test]
    fn a_fingerprint_alone_finds_the_new_shape_only() {
        let whole = identity();
        let alone = Identity::of_fingerprint(whole.sha256);
        assert!(alone.is_of_row(Shape::New, None, Some(whole.sha256.as_bytes())));
        assert!(!alone.is_of_row(Shape::Old, whole.names.as_ref(), whole.sha1.as_deref()));
        assert!(!alone.is_of_row(Shape::Old, None, None));
    }
}
