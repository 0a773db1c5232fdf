//! Whether a certificate may succeed another one: the key that was made for it, and the same subject byte for byte.

use inkan_issuance::request::{self, RequestError};
use inkan_model::certificate::CertificateFacts;
use inkan_model::{Fingerprint, UnreadableCertificate};

/// A certificate that must not take the old one's place.
#[derive(Debug, thiserror::Error)]
pub enum WrongSuccessor {
    /// It is a certification authority's.
    #[error("it is a certification authority's certificate")]
    Authority,
    /// It was issued for another key than the one made for this renewal.
    #[error("it was issued for another key than the one made for this renewal")]
    Key,
    /// A certificate cannot be read.
    #[error("a certificate cannot be read")]
    Unreadable(#[source] UnreadableCertificate),
    /// A subject cannot be read.
    #[error("a subject cannot be read")]
    Name(#[source] RequestError),
    /// Its subject differs.
    #[error("its subject is {found} where {expected} was asked for{}", if found == expected { " (in another encoding)" } else { "" })]
    Subject {
        /// The old certificate's subject.
        expected: String,
        /// The new one's.
        found: String,
    },
}

/// Checks `leaf` against the old certificate and the new key's SubjectPublicKeyInfo.
pub(super) fn check(leaf: &[u8], old: &[u8], spki: &[u8]) -> Result<(), WrongSuccessor> {
    let new_facts = CertificateFacts::read(leaf).map_err(WrongSuccessor::Unreadable)?;
    let old_facts = CertificateFacts::read(old).map_err(WrongSuccessor::Unreadable)?;
    if new_facts.spki_sha256 != *Fingerprint::of(spki).as_bytes() {
        return Err(WrongSuccessor::Key);
    }
    let subject_of = |der| request::subject_of(der).map_err(WrongSuccessor::Name);
    if subject_of(leaf)? != subject_of(old)? {
        return Err(WrongSuccessor::Subject { expected: old_facts.subject, found: new_facts.subject });
    }
    if new_facts.is_ca {
        return Err(WrongSuccessor::Authority);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, DnValue, IsCa, KeyPair, PublicKeyData as _};

    use super::*;

    fn certificate(name: DnValue, key: &KeyPair, ca: bool) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        if ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params.self_signed(key).unwrap().der().to_vec()
    }

    fn utf8(name: &str) -> DnValue {
        DnValue::Utf8String(name.to_owned())
    }

    #[test]
    fn a_certificate_with_the_new_key_and_the_old_subject_is_taken() {
        let (old_key, new_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let (old, new) = (certificate(utf8("医院"), &old_key, false), certificate(utf8("医院"), &new_key, false));
        check(&new, &old, &new_key.subject_public_key_info()).unwrap();
    }

    #[test]
    fn what_differs_is_said() {
        let (old_key, new_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let spki = new_key.subject_public_key_info();
        let old = certificate(utf8("0110119153"), &old_key, false);
        let refused = |leaf: &[u8]| check(leaf, &old, &spki).unwrap_err();
        assert!(matches!(refused(&old), WrongSuccessor::Key));
        assert!(matches!(refused(&certificate(utf8("0110119153"), &new_key, true)), WrongSuccessor::Authority));
        assert!(matches!(refused(b"no certificate"), WrongSuccessor::Unreadable(_)));
        let other = refused(&certificate(utf8("other"), &new_key, false)).to_string();
        assert!(other.contains("CN=other") && other.contains("CN=0110119153"), "{other}");
        let printable = DnValue::PrintableString("0110119153".try_into().unwrap());
        let encoded = refused(&certificate(printable, &new_key, false)).to_string();
        assert!(encoded.contains("in another encoding"), "{encoded}");
    }
}
