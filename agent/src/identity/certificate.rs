//! Requests for identities, and the checks of what the server answers.

use inkan_issuance::identity_ca::{CaPin, IssuedIdentity, verify_identity};
use inkan_issuance::request::{self, RequestError, RequestSigner};
use inkan_model::certificate::CertificateFacts;

use super::{DeviceKey, IdentityError};

/// `CN=inkan agent` as DER. The server writes the name of an identity by itself; a request has to have one.
const SUBJECT: &[u8] = b"\x30\x16\x31\x14\x30\x12\x06\x03\x55\x04\x03\x0c\x0binkan agent";

/// A request for an identity with this key.
pub fn identity_request(key: &dyn DeviceKey) -> Result<Vec<u8>, RequestError> {
    request::build_request(SUBJECT, &Signing(key))
}

/// The authorities in a chain, as DER.
pub(super) fn authorities(chain: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let is_authority = |der: &&Vec<u8>| CertificateFacts::read(der).is_ok_and(|facts| facts.is_ca);
    chain.iter().filter(is_authority).cloned().collect()
}

/// The authority in a chain whose key is pinned.
pub(super) fn pinned_authority(chain: &[Vec<u8>], pin: CaPin) -> Result<Vec<u8>, IdentityError> {
    let is_pinned = |der: &Vec<u8>| CaPin::of_certificate(der).is_ok_and(|found| found == pin);
    authorities(chain).into_iter().find(is_pinned).ok_or(IdentityError::Authority { pin })
}

/// Reads an identity certificate, which one of the authorities must have issued for this key.
pub(super) fn read_leaf(
    chain: &[Vec<u8>],
    anchors: &[Vec<u8>],
    key: &dyn DeviceKey,
) -> Result<IssuedIdentity, IdentityError> {
    let leaf = chain.first().map(Vec::as_slice).unwrap_or_default();
    let mut refused = None;
    for anchor in anchors {
        match verify_identity(leaf, anchor) {
            Ok(issued) if issued.spki_der == key.public_key() => return Ok(issued),
            Ok(_) => return Err(IdentityError::KeyMismatch),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.map_or(IdentityError::NotEnrolled, IdentityError::Chain))
}

struct Signing<'a>(&'a dyn DeviceKey);

impl RequestSigner for Signing<'_> {
    fn public_key(&self) -> Vec<u8> {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        self.0.sign(message)
    }
}

#[cfg(test)]
mod tests {
    use inkan_issuance::key::SoftwareKey;
    use inkan_issuance::request::Request;

    use super::*;
    use crate::identity::FileKey;

    #[test]
    fn a_request_is_signed_by_the_device_key_and_has_a_name() {
        let key = FileKey::from(SoftwareKey::generate().unwrap());
        let request = Request::parse(&identity_request(&key).unwrap()).unwrap();
        assert_eq!(request.spki_der(), key.public_key());
        assert_eq!(request.subject_der(), SUBJECT);
    }
}
