//! A sample certification authority and client certificates of every sort, made when they are needed: none is checked in,
//! so none can expire in the tree.

use anyhow::{Context as _, Result};
use inkan_issuance::key::SoftwareKey;
use inkan_issuance::private_ca::{CertificationAuthority as _, Order, PrivateCa};
use inkan_model::Timestamp;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, SerialNumber};
use time::Duration;
use x509_cert::der::Encode as _;
use x509_cert::name::RdnSequence;

/// The moment, by this machine's clock.
#[expect(clippy::disallowed_methods, reason = "the kit stands outside of the programs, whose clocks are passed in")]
pub fn now() -> Timestamp {
    time::OffsetDateTime::now_utc().into()
}

/// Random bytes.
pub fn chance<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes);
    bytes
}

/// A serial number: positive, and of full length.
fn serial() -> [u8; 16] {
    let mut serial: [u8; 16] = chance();
    serial[0] = (serial[0] & 0x7f) | 0x40;
    serial
}

/// The subject of a clinic's client certificate: with two organisational units, as the ones that matter have.
///
/// # Errors
/// When a part has characters that no name can hold.
pub fn subject(units: [&str; 2], common_name: &str) -> Result<Vec<u8>> {
    // RFC 4514 writes the last RDN first.
    let [first, second] = units;
    let text = format!("CN={common_name},OU={second},OU={first},O=Sample Receipt Online,C=JP");
    let name: RdnSequence = text.parse().with_context(|| format!("{text} is not a name"))?;
    name.to_der().context("could not write the name")
}

/// An invented certification authority.
#[derive(Debug)]
pub struct SampleCa {
    ca: PrivateCa,
}

/// A client certificate with its key.
#[derive(Debug)]
pub struct SampleCertificate {
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// Its key.
    pub key: SoftwareKey,
}

impl SampleCa {
    /// Makes one that has been there for ten years and lives for twenty more.
    ///
    /// # Errors
    /// When the operating system has no chance to give.
    pub fn create(name: &str) -> Result<Self> {
        let since = now().minus(Duration::days(3_650));
        let ca = PrivateCa::create(name, serial(), since, Duration::days(30 * 365));
        Ok(Self { ca: ca.context("could not make the sample CA")? })
    }

    /// Its certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        self.ca.certificate()
    }

    /// Issues a client certificate that was made `age` ago and ends `left` from now; a negative `left` has expired.
    ///
    /// # Errors
    /// When the subject is not a name or the times do not fit.
    pub fn issue(&self, subject_der: &[u8], age: Duration, left: Duration) -> Result<SampleCertificate> {
        let key = SoftwareKey::generate().context("could not make a key")?;
        let order = Order {
            subject_der: subject_der.to_vec(),
            spki_der: key.spki(),
            serial: serial(),
            not_before: now().minus(age),
            not_after: now().plus(left),
        };
        let chain = self.ca.issue(&order).context("could not issue")?;
        Ok(SampleCertificate { der: chain.into_iter().next().context("an empty chain")?, key })
    }

    /// Issues a client certificate for an RSA key of 1024 bits, as some that are still around have. Nobody has the key.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn issue_weak(&self, common_name: &str, left: Duration) -> Result<Vec<u8>> {
        let pem = self.ca.key_pem().context("could not read the CA's key")?;
        let key = KeyPair::from_pem(&pem).context("could not read the CA's key")?;
        let issuer = Issuer::from_ca_cert_der(&self.ca.certificate().into(), key).context("could not read the CA")?;
        let mut name = DistinguishedName::new();
        name.push(DnType::CountryName, "JP");
        name.push(DnType::OrganizationName, "Sample Receipt Online");
        name.push(DnType::CommonName, common_name);
        let mut params = CertificateParams::default();
        params.distinguished_name = name;
        params.serial_number = Some(SerialNumber::from_slice(&serial()));
        params.not_before = now().minus(Duration::days(900)).to_utc();
        params.not_after = now().plus(left).to_utc();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let weak = params.signed_by(&ShortRsaKey::invent(), &issuer).context("could not issue")?;
        Ok(weak.der().to_vec())
    }
}

/// An RSA public key of 1024 bits that nobody has the private half of.
struct ShortRsaKey(Vec<u8>);

impl ShortRsaKey {
    /// RSAPublicKey (RFC 8017 appendix A.1.1): a modulus of 128 bytes with its highest and lowest bit set, and 65537.
    fn invent() -> Self {
        let mut modulus: [u8; 128] = chance();
        modulus[0] |= 0x80;
        modulus[127] |= 1;
        let mut der = vec![0x30, 0x81, 0x89, 0x02, 0x81, 0x81, 0x00];
        der.extend_from_slice(&modulus);
        der.extend_from_slice(&[0x02, 0x03, 0x01, 0x00, 0x01]);
        Self(der)
    }
}

impl rcgen::PublicKeyData for ShortRsaKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

/// PEM of one certificate.
pub fn certificate_pem(der: &[u8]) -> String {
    pem_of("CERTIFICATE", der)
}

/// PEM of anything.
pub fn pem_of(label: &str, der: &[u8]) -> String {
    let body = data_encoding::BASE64.encode(der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The certificates in a PEM text, DER.
pub fn certificates_in(text: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for block in text.split("-----BEGIN CERTIFICATE-----").skip(1) {
        let body: String = block.split("-----END").next().unwrap_or_default().split_whitespace().collect();
        found.extend(data_encoding::BASE64.decode(body.as_bytes()));
    }
    found
}

/// Where Debian and its kin keep the bundle of trusted roots.
pub const SYSTEM_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The real anchors of this machine, DER, for a report of a real size; empty where there is no bundle.
pub fn system_anchors() -> Vec<Vec<u8>> {
    certificates_in(&std::fs::read_to_string(SYSTEM_BUNDLE).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use inkan_model::CertificateFacts;
    use inkan_model::certificate::KeyAlgorithm;

    use super::*;

    #[test]
    fn both_organisational_units_stand_in_the_certificate() {
        let ca = SampleCa::create("Sample CA").unwrap();
        let subject = subject(["medical", "ishikawa"], "1710119153").unwrap();
        let certificate = ca.issue(&subject, Duration::days(10), Duration::days(30)).unwrap();
        let facts = CertificateFacts::read(&certificate.der).unwrap();
        assert_eq!(facts.subject, "C=JP, O=Sample Receipt Online, OU=medical, OU=ishikawa, CN=1710119153");
    }

    #[test]
    fn a_weak_certificate_has_a_key_of_1024_bits_and_its_issuers_name() {
        let ca = SampleCa::create("Sample CA").unwrap();
        let facts = CertificateFacts::read(&ca.issue_weak("1710119153", Duration::days(200)).unwrap()).unwrap();
        assert_eq!(facts.key, KeyAlgorithm::Rsa { bits: 1_024 });
        assert!(facts.may_be_issued_by(&CertificateFacts::read(ca.certificate()).unwrap()));
    }
}
