//! Coming into the fleet, staying in it, and coming back to it.

use std::fmt;

use inkan_model::host::HostFacts;
use inkan_model::join_token::JoinTokenSecret;
use inkan_model::limits;
use inkan_model::time::Timestamp;

use crate::field::{self, InvalidMessage};
use crate::pb;

/// Never shows the join token.
impl fmt::Debug for pb::EnrollRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrollRequest").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// A PC that asks to be enrolled.
#[derive(Clone, Debug)]
pub struct Enroll {
    /// The permission.
    pub token: JoinTokenSecret,
    /// The request (PKCS#10) as DER. Only its key is used.
    pub csr: Vec<u8>,
    /// Facts of the PC.
    pub facts: HostFacts,
    /// SHA-256 over what ties the identity to this PC.
    pub machine_binding: [u8; 32],
}

impl TryFrom<pb::EnrollRequest> for Enroll {
    type Error = InvalidMessage;

    fn try_from(message: pb::EnrollRequest) -> Result<Self, InvalidMessage> {
        let pb::EnrollRequest { token, csr, facts, machine_binding } = message;
        let token = field::name("token", token, limits::SHORT_TEXT)?;
        Ok(Self {
            token: token.parse().map_err(|why| InvalidMessage::new("token", why))?,
            csr: field::bytes("csr", csr, limits::REQUEST_BYTES)?,
            facts: field::message("facts", facts)?,
            machine_binding: field::bytes_32("machine_binding", &machine_binding)?,
        })
    }
}

impl From<Enroll> for pb::EnrollRequest {
    fn from(enroll: Enroll) -> Self {
        let Enroll { token, csr, facts, machine_binding } = enroll;
        Self { token: token.reveal(), csr, facts: Some(facts.into()), machine_binding: machine_binding.to_vec() }
    }
}

/// The answer to an enrolment or a recovery.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Enrolled {
    /// The identity certificate, then its issuers, as DER.
    pub chain: Vec<Vec<u8>>,
    /// Address of the agents' listener; begins with `https://`.
    pub server_url: String,
    /// Whether an operator still has to approve this host.
    pub report_only: bool,
    /// The server's clock.
    pub server_time: Timestamp,
}

impl TryFrom<pb::EnrollResponse> for Enrolled {
    type Error = InvalidMessage;

    fn try_from(message: pb::EnrollResponse) -> Result<Self, InvalidMessage> {
        let pb::EnrollResponse { chain, server_url, report_only, server_time_ms } = message;
        let server_url = field::name("server_url", server_url, limits::LONG_TEXT)?;
        if !server_url.starts_with("https://") {
            return Err(InvalidMessage::new("server_url", "does not begin with https://"));
        }
        let server_time = Timestamp::from_unix_millis(server_time_ms);
        Ok(Self { chain: field::chain("chain", chain)?, server_url, report_only, server_time })
    }
}

impl From<Enrolled> for pb::EnrollResponse {
    fn from(enrolled: Enrolled) -> Self {
        let Enrolled { chain, server_url, report_only, server_time } = enrolled;
        Self { chain, server_url, report_only, server_time_ms: server_time.as_unix_millis() }
    }
}

/// An agent whose identity has expired, and which asks for a nonce to sign.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BeginRecovery {
    /// The expired identity certificate as DER.
    pub certificate: Vec<u8>,
}

impl TryFrom<pb::BeginRecoveryRequest> for BeginRecovery {
    type Error = InvalidMessage;

    fn try_from(message: pb::BeginRecoveryRequest) -> Result<Self, InvalidMessage> {
        Ok(Self { certificate: field::bytes("certificate", message.certificate, limits::CERTIFICATE_BYTES)? })
    }
}

impl From<BeginRecovery> for pb::BeginRecoveryRequest {
    fn from(begin: BeginRecovery) -> Self {
        Self { certificate: begin.certificate }
    }
}

/// What the key of an expired identity is to sign.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecoveryNonce(pub Vec<u8>);

impl TryFrom<pb::BeginRecoveryResponse> for RecoveryNonce {
    type Error = InvalidMessage;

    fn try_from(message: pb::BeginRecoveryResponse) -> Result<Self, InvalidMessage> {
        field::bytes("nonce", message.nonce, limits::SMALL_BYTES).map(Self)
    }
}

impl From<RecoveryNonce> for pb::BeginRecoveryResponse {
    fn from(nonce: RecoveryNonce) -> Self {
        Self { nonce: nonce.0 }
    }
}

/// The signed nonce, for a new identity with the same key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recover {
    /// The expired identity certificate as DER.
    pub certificate: Vec<u8>,
    /// The nonce as it was given.
    pub nonce: Vec<u8>,
    /// By the identity's key, over [`inkan_model::identity::RECOVERY_LABEL`] and the nonce.
    pub signature: Vec<u8>,
}

impl TryFrom<pb::RecoverRequest> for Recover {
    type Error = InvalidMessage;

    fn try_from(message: pb::RecoverRequest) -> Result<Self, InvalidMessage> {
        let pb::RecoverRequest { certificate, nonce, signature } = message;
        Ok(Self {
            certificate: field::bytes("certificate", certificate, limits::CERTIFICATE_BYTES)?,
            nonce: field::bytes("nonce", nonce, limits::SMALL_BYTES)?,
            signature: field::bytes("signature", signature, limits::SMALL_BYTES)?,
        })
    }
}

impl From<Recover> for pb::RecoverRequest {
    fn from(recover: Recover) -> Self {
        let Recover { certificate, nonce, signature } = recover;
        Self { certificate, nonce, signature }
    }
}

/// An agent that asks for a new certificate before the old one expires.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RenewIdentity {
    /// The request (PKCS#10) as DER. Only its key is used.
    pub csr: Vec<u8>,
}

impl TryFrom<pb::RenewIdentityRequest> for RenewIdentity {
    type Error = InvalidMessage;

    fn try_from(message: pb::RenewIdentityRequest) -> Result<Self, InvalidMessage> {
        Ok(Self { csr: field::bytes("csr", message.csr, limits::REQUEST_BYTES)? })
    }
}

impl From<RenewIdentity> for pb::RenewIdentityRequest {
    fn from(renew: RenewIdentity) -> Self {
        Self { csr: renew.csr }
    }
}

/// A renewed identity certificate, then its issuers, as DER.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdentityChain(pub Vec<Vec<u8>>);

impl TryFrom<pb::RenewIdentityResponse> for IdentityChain {
    type Error = InvalidMessage;

    fn try_from(message: pb::RenewIdentityResponse) -> Result<Self, InvalidMessage> {
        field::chain("chain", message.chain).map(Self)
    }
}

impl From<IdentityChain> for pb::RenewIdentityResponse {
    fn from(chain: IdentityChain) -> Self {
        Self { chain: chain.0 }
    }
}
