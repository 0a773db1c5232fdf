//! The deployment's own certification authority. It signs the identities of agents and the certificates of the server's
//! TLS listeners, and nothing else: no clinic's system ever trusts it.
//!
//! Who a certificate belongs to stands in one URI of subjectAltName, `spiffe://…`; the subject is for people only. An
//! agent that enrols knows the authority by its [`CaPin`], so a listener's certificate needs no public authority.

mod pin;
mod verification;

use std::net::IpAddr;

use der::asn1::Ia5String;
use inkan_model::Timestamp;
use inkan_model::identity::{AgentIdentity, TrustDomain};
use rcgen::DnType;
use time::Duration;
use x509_cert::ext::pkix::name::GeneralName;
use zeroize::Zeroizing;

pub use self::pin::{CaPin, InvalidCaPin};
pub use self::verification::{IdentityError, IssuedIdentity, verify_identity};
use crate::authority::Authority;
pub use crate::authority::CaError;
pub use crate::leaf::IssueError;
use crate::leaf::{self, Leaf, Purpose};

/// The longest DNS name (RFC 1035 §2.3.4), in text.
const DNS_NAME: usize = 253;

/// The deployment's authority for agents and listeners.
#[derive(Debug)]
pub struct AgentCa(Authority);

impl AgentCa {
    /// Makes a new key and certificate that live until `lifetime` after `now`.
    ///
    /// # Errors
    /// Says which part could not be made.
    pub fn create(
        deployment: &TrustDomain,
        serial: [u8; 16],
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Self, CaError> {
        let organisation = deployment.to_string();
        let name = [(DnType::OrganizationName, organisation.as_str()), (DnType::CommonName, "inkan agent CA")];
        Authority::create(&name, serial, now, lifetime).map(Self)
    }

    /// Loads what [`Self::certificate_pem`] and [`Self::key_pem`] gave.
    ///
    /// # Errors
    /// When a file is unreadable, or the two do not belong together.
    pub fn load(certificate_pem: &str, key_pem: &str) -> Result<Self, CaError> {
        Authority::load(certificate_pem, key_pem).map(Self)
    }

    /// The authority's own certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        self.0.certificate()
    }

    /// The certificate as PEM.
    ///
    /// # Errors
    /// Never for a certificate of this size; the encoder's answer is passed on.
    pub fn certificate_pem(&self) -> Result<String, CaError> {
        self.0.certificate_pem()
    }

    /// The private key as PKCS#8 PEM, for a file that only the server may read.
    ///
    /// # Errors
    /// Never for a key of this size; the encoder's answer is passed on.
    pub fn key_pem(&self) -> Result<Zeroizing<String>, CaError> {
        self.0.key_pem()
    }

    /// The authority's own last moment.
    pub const fn not_after(&self) -> Timestamp {
        self.0.not_after()
    }

    /// By what an agent knows this authority before it trusts anything.
    pub fn pin(&self) -> CaPin {
        CaPin::of_spki(&self.0.spki())
    }

    /// Signs an agent's identity for TLS client authentication; DER. A leaf never outlives its authority: a later end
    /// is brought forward to the authority's.
    ///
    /// # Errors
    /// Says what cannot be certified.
    pub fn issue_agent(
        &self,
        identity: &AgentIdentity,
        spki_der: &[u8],
        serial: [u8; 16],
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Result<Vec<u8>, IssueError> {
        let uri = Ia5String::new(&identity.to_string()).map_err(IssueError::Encode)?;
        let subject = leaf::common_name(&identity.host.to_string()).map_err(IssueError::Encode)?;
        self.0.issue(&Leaf {
            subject: &subject,
            spki: spki_der,
            serial,
            not_before,
            not_after,
            purpose: Purpose::Client,
            alternative_names: vec![GeneralName::UniformResourceIdentifier(uri)],
        })
    }

    /// Signs a TLS listener's certificate for at least one DNS name or address; DER. A leaf never outlives its
    /// authority, as in [`Self::issue_agent`].
    ///
    /// # Errors
    /// Says what cannot be certified.
    pub fn issue_server(
        &self,
        dns_names: &[String],
        addresses: &[IpAddr],
        spki_der: &[u8],
        serial: [u8; 16],
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Result<Vec<u8>, IssueError> {
        let mut alternative_names = dns_names.iter().map(|name| dns_name(name)).collect::<Result<Vec<_>, _>>()?;
        alternative_names.extend(addresses.iter().copied().map(GeneralName::from));
        if alternative_names.is_empty() {
            return Err(IssueError::ServerName { name: String::new() });
        }
        let subject = leaf::common_name("inkan server").map_err(IssueError::Encode)?;
        self.0.issue(&Leaf {
            subject: &subject,
            spki: spki_der,
            serial,
            not_before,
            not_after,
            purpose: Purpose::Server,
            alternative_names,
        })
    }
}

/// Letters, digits, hyphens and dots (RFC 5280 §4.2.1.6); no wildcard, because a listener knows its names.
fn dns_name(name: &str) -> Result<GeneralName, IssueError> {
    let fits = |label: &str| {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(inside) && !label.starts_with('-') && !label.ends_with('-')
    };
    if name.len() > DNS_NAME || !name.split('.').all(fits) {
        return Err(IssueError::ServerName { name: name.chars().take(DNS_NAME).collect() });
    }
    Ia5String::new(name).map(GeneralName::DnsName).map_err(IssueError::Encode)
}
