//! One certificate: its DER, and what its DER says.
//!
//! Reading is lenient (x509-parser), because the inventory must show what a PC really holds. What cannot be read is
//! kept as [`UnreadableCertificate`] with its fingerprint: an entry is never dropped.

use serde::{Deserialize, Serialize};
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::X509Name;

use crate::digest::{FieldHasher, Fingerprint};
use crate::limits::{self, tame_text};
use crate::time::Timestamp;

/// A certificate's bytes together with what could be read from them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate {
    /// SHA-256 over `der`.
    pub fingerprint: Fingerprint,
    /// The bytes, exactly as found.
    pub der: Vec<u8>,
    /// What they say, or why they could not be read.
    pub facts: Result<CertificateFacts, UnreadableCertificate>,
}

impl Certificate {
    /// Reads one certificate's DER. Never fails: what is wrong with it is part of the result.
    pub fn read(der: Vec<u8>) -> Self {
        Self { fingerprint: Fingerprint::of(&der), facts: CertificateFacts::read(&der), der }
    }
}

/// Why bytes that claim to be a certificate could not be read.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
#[error("not a readable X.509 certificate: {why}")]
pub struct UnreadableCertificate {
    /// The parser's reason, in English.
    pub why: String,
}

/// Stands for a name (RFC 5280 §4.1.2.4) in comparisons: SHA-256 over its DER.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct NameDigest(pub [u8; 32]);

impl NameDigest {
    fn of(name: &X509Name<'_>) -> Self {
        let mut hasher = FieldHasher::new("name");
        hasher.field(name.as_raw());
        Self(hasher.finish())
    }
}

/// What a certificate says, as far as inkan asks.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CertificateFacts {
    /// Subject in the order of the certificate, as text (RFC 4514 attribute names, comma-separated, not reversed).
    pub subject: String,
    /// Issuer, in the same form.
    pub issuer: String,
    /// Digest of the subject's DER.
    pub subject_digest: NameDigest,
    /// Digest of the issuer's DER.
    pub issuer_digest: NameDigest,
    /// The subject's last common name, else its whole text; what a row of a table shows.
    pub common_name: String,
    /// The issuer's last common name, else its whole text.
    pub issuer_common_name: String,
    /// Serial number in lower-case hexadecimal, without a leading sign octet (RFC 5280 §4.1.2.2).
    pub serial: String,
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
    /// The public key's kind and strength.
    pub key: KeyAlgorithm,
    /// The hash behind the issuer's signature.
    pub signature: SignatureHash,
    /// SHA-256 over the SubjectPublicKeyInfo's DER.
    pub spki_sha256: [u8; 32],
    /// Subject key identifier (RFC 5280 §4.2.1.2).
    pub subject_key_id: Option<Vec<u8>>,
    /// Key identifier of the authority key identifier (RFC 5280 §4.2.1.1).
    pub authority_key_id: Option<Vec<u8>>,
    /// Whether basicConstraints says CA (RFC 5280 §4.2.1.9). Old self-signed roots of version 1 count as CA.
    pub is_ca: bool,
    /// Whether extendedKeyUsage allows TLS client authentication; `None` when the extension is absent.
    pub client_auth: Option<bool>,
    /// Whether extendedKeyUsage allows TLS server authentication; `None` when the extension is absent.
    pub server_auth: Option<bool>,
    /// DNS names of subjectAltName.
    pub dns_names: Vec<String>,
}

/// A public key's kind and strength in bits.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum KeyAlgorithm {
    /// Elliptic curve, with the size of its field.
    Ec {
        /// Bits of the field.
        bits: u32,
    },
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// RSA, with the size of its modulus.
    Rsa {
        /// Bits of the modulus.
        bits: u32,
    },
    /// Anything else, by its object identifier.
    Other {
        /// Dotted object identifier.
        oid: String,
    },
}

/// The hash function behind a signature.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum SignatureHash {
    /// MD5 or older: broken.
    Md5,
    /// SHA-1: broken for certificates.
    Sha1,
    /// The SHA-2 family, or a scheme that has no separate weak hash (Ed25519, RSA-PSS).
    Strong,
    /// Not known to inkan, by its object identifier.
    Other {
        /// Dotted object identifier.
        oid: String,
    },
}

impl CertificateFacts {
    /// Reads one certificate's DER; trailing bytes are refused.
    ///
    /// # Errors
    /// Says why the bytes are not a certificate that can be read.
    pub fn read(der: &[u8]) -> Result<Self, UnreadableCertificate> {
        if der.len() > limits::CERTIFICATE_BYTES {
            let why = format!("{} bytes, more than {}", der.len(), limits::CERTIFICATE_BYTES);
            return Err(UnreadableCertificate { why });
        }
        let (rest, certificate) = X509Certificate::from_der(der)
            .map_err(|error| UnreadableCertificate { why: tame_text(&error.to_string(), limits::SHORT_TEXT) })?;
        if !rest.is_empty() {
            return Err(UnreadableCertificate { why: format!("{} bytes follow the certificate", rest.len()) });
        }
        Ok(Self::of(&certificate))
    }

    fn of(certificate: &X509Certificate<'_>) -> Self {
        let extensions = Extensions::of(certificate);
        let self_issued = certificate.subject().as_raw() == certificate.issuer().as_raw();
        let version_one = certificate.version() == x509_parser::x509::X509Version::V1;
        Self {
            subject: name_text(certificate.subject()),
            issuer: name_text(certificate.issuer()),
            subject_digest: NameDigest::of(certificate.subject()),
            issuer_digest: NameDigest::of(certificate.issuer()),
            common_name: common_name(certificate.subject()),
            issuer_common_name: common_name(certificate.issuer()),
            serial: serial_text(certificate.raw_serial()),
            not_before: Timestamp::from_unix_seconds(certificate.validity().not_before.timestamp()),
            not_after: Timestamp::from_unix_seconds(certificate.validity().not_after.timestamp()),
            key: key_algorithm(certificate),
            signature: signature_hash(&certificate.signature_algorithm.algorithm.to_id_string()),
            spki_sha256: *Fingerprint::of(certificate.public_key().raw).as_bytes(),
            subject_key_id: extensions.subject_key_id,
            authority_key_id: extensions.authority_key_id,
            is_ca: extensions.is_ca.unwrap_or(version_one && self_issued),
            client_auth: extensions.client_auth,
            server_auth: extensions.server_auth,
            dns_names: extensions.dns_names,
        }
    }

    /// Whether the certificate names itself as its issuer.
    pub fn is_self_issued(&self) -> bool {
        self.subject_digest == self.issuer_digest
    }

    /// Whether `issuer` could have issued this certificate: its name, and its key identifier where both say one.
    /// A signature is not checked here.
    pub fn may_be_issued_by(&self, issuer: &Self) -> bool {
        let keys_agree = match (&self.authority_key_id, &issuer.subject_key_id) {
            (Some(wanted), Some(found)) => wanted == found,
            (None, _) | (_, None) => true,
        };
        self.issuer_digest == issuer.subject_digest && keys_agree
    }

    /// Whether this is somebody's or something's own certificate, as against a certification authority's.
    pub fn is_end_entity(&self) -> bool {
        !self.is_ca
    }
}

#[derive(Default)]
struct Extensions {
    subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
    is_ca: Option<bool>,
    client_auth: Option<bool>,
    server_auth: Option<bool>,
    dns_names: Vec<String>,
}

impl Extensions {
    fn of(certificate: &X509Certificate<'_>) -> Self {
        let mut found = Self::default();
        for extension in certificate.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(id) => found.subject_key_id = Some(id.0.to_vec()),
                ParsedExtension::AuthorityKeyIdentifier(aki) => {
                    found.authority_key_id = aki.key_identifier.as_ref().map(|id| id.0.to_vec());
                }
                ParsedExtension::BasicConstraints(constraints) => found.is_ca = Some(constraints.ca),
                ParsedExtension::ExtendedKeyUsage(usage) => {
                    found.client_auth = Some(usage.client_auth || usage.any);
                    found.server_auth = Some(usage.server_auth || usage.any);
                }
                ParsedExtension::SubjectAlternativeName(names) => found.dns_names = dns_names(names),
                _ => {}
            }
        }
        found
    }
}

fn dns_names(names: &x509_parser::extensions::SubjectAlternativeName<'_>) -> Vec<String> {
    let dns = |name: &x509_parser::extensions::GeneralName<'_>| match name {
        x509_parser::extensions::GeneralName::DNSName(dns) => Some(tame_text(dns, limits::SHORT_TEXT)),
        _ => None,
    };
    names.general_names.iter().filter_map(dns).take(100).collect()
}

fn name_text(name: &X509Name<'_>) -> String {
    tame_text(&name.to_string(), limits::LONG_TEXT)
}

fn common_name(name: &X509Name<'_>) -> String {
    let last = name.iter_common_name().last().and_then(|attribute| attribute.as_str().ok());
    match last {
        Some(text) if !text.trim().is_empty() => tame_text(text, limits::SHORT_TEXT),
        _ => tame_text(&name.to_string(), limits::SHORT_TEXT),
    }
}

fn serial_text(raw: &[u8]) -> String {
    let magnitude = match raw {
        [0, rest @ ..] if !rest.is_empty() => rest,
        whole => whole,
    };
    data_encoding::HEXLOWER.encode(magnitude)
}

fn key_algorithm(certificate: &X509Certificate<'_>) -> KeyAlgorithm {
    let spki = certificate.public_key();
    let bits = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
    match spki.parsed() {
        Ok(PublicKey::RSA(rsa)) => KeyAlgorithm::Rsa { bits: bits(rsa.key_size()) },
        Ok(PublicKey::EC(point)) => KeyAlgorithm::Ec { bits: bits(point.key_size()) },
        _ if spki.algorithm.algorithm.to_id_string() == "1.3.101.112" => KeyAlgorithm::Ed25519,
        _ => KeyAlgorithm::Other { oid: spki.algorithm.algorithm.to_id_string() },
    }
}

/// Object identifiers of RFC 3279, RFC 4055, RFC 5758 and RFC 8410.
fn signature_hash(oid: &str) -> SignatureHash {
    match oid {
        "1.2.840.113549.1.1.2" | "1.2.840.113549.1.1.4" => SignatureHash::Md5,
        "1.2.840.113549.1.1.5" | "1.2.840.10040.4.3" | "1.2.840.10045.4.1" | "1.3.14.3.2.29" => SignatureHash::Sha1,
        "1.2.840.113549.1.1.10"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.113549.1.1.12"
        | "1.2.840.113549.1.1.13"
        | "1.2.840.113549.1.1.14"
        | "1.2.840.10045.4.3.1"
        | "1.2.840.10045.4.3.2"
        | "1.2.840.10045.4.3.3"
        | "1.2.840.10045.4.3.4"
        | "1.3.101.112"
        | "1.3.101.113" => SignatureHash::Strong,
        other => SignatureHash::Other { oid: other.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn self_signed(common_name: &str) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(vec!["clinic.test".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_says_its_name_its_key_and_its_purpose() {
        let facts = CertificateFacts::read(&self_signed("0110119153")).unwrap();
        assert_eq!(facts.common_name, "0110119153");
        assert_eq!(facts.key, KeyAlgorithm::Ec { bits: 256 });
        assert_eq!(facts.signature, SignatureHash::Strong);
        assert_eq!(facts.client_auth, Some(true));
        assert_eq!(facts.server_auth, Some(false));
        assert_eq!(facts.dns_names, ["clinic.test"]);
        assert!(facts.is_self_issued() && facts.is_end_entity());
    }

    #[test]
    fn trailing_bytes_make_a_certificate_unreadable_but_keep_its_fingerprint() {
        let mut der = self_signed("x");
        der.push(0);
        let certificate = Certificate::read(der.clone());
        assert_eq!(certificate.fingerprint, Fingerprint::of(&der));
        assert!(certificate.facts.unwrap_err().why.contains("1 bytes follow"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(der in proptest::collection::vec(any::<u8>(), 0..512)) {
            let certificate = Certificate::read(der.clone());
            prop_assert_eq!(certificate.fingerprint, Fingerprint::of(&der));
        }

        #[test]
        fn a_certificate_with_a_flipped_byte_is_read_without_a_panic(at in 0_usize..400, to in any::<u8>()) {
            let mut der = self_signed("flip");
            let at = at % der.len();
            der[at] = to;
            let _ = Certificate::read(der);
        }
    }
}
