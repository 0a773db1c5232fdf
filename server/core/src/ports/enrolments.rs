//! Join tokens, and the identities of hosts.

use async_trait::async_trait;
use inkan_model::host::{HostFacts, HostState};
use inkan_model::join_token::JoinToken;
use inkan_model::{ClinicId, HostId, JoinTokenId, Timestamp, VendorId};

use super::{DbResult, Page, PageRequest};

/// Join tokens, and the identities of hosts.
#[async_trait]
pub trait Enrolments: Send + Sync {
    /// Stores a token under the hash of its secret.
    async fn create_join_token(&self, token: &JoinToken, hash: [u8; 32]) -> DbResult<()>;

    /// Finds a token by the hash of its secret, whatever its state.
    async fn find_join_token(&self, hash: [u8; 32]) -> DbResult<Option<JoinToken>>;

    /// The vendor's tokens, newest first.
    async fn list_join_tokens(&self, vendor: VendorId, page: &PageRequest) -> DbResult<Page<JoinToken>>;

    /// Withdraws a token; `false` when there is none such.
    async fn revoke_join_token(&self, vendor: VendorId, token: JoinTokenId, at: Timestamp) -> DbResult<bool>;

    /// Uses the token, creates the host and stores its identity, all or nothing. A repetition with the same token and
    /// key within [`inkan_model::identity::ENROLMENT_RETRY`] answers with the first one's host and chain.
    async fn record_enrolment(&self, enrolment: &NewEnrolment) -> DbResult<EnrolmentRecord>;

    /// Everything that is checked when a host speaks.
    async fn find_session(&self, host: HostId) -> DbResult<Option<HostSession>>;

    /// Stores an identity that counts only once it is used. Replaces one that was pending before.
    async fn record_pending_identity(&self, host: HostId, identity: &NewIdentity) -> DbResult<()>;

    /// Makes the pending identity the current one because it was used, and says so in the timeline.
    async fn activate_identity(&self, host: HostId, serial: [u8; 16], at: Timestamp) -> DbResult<()>;

    /// Suspends a host whose identity was seen in two places, and says so in the timeline. Once is enough.
    async fn record_identity_conflict(&self, host: HostId, at: Timestamp) -> DbResult<()>;

    /// Stores a recovery's identity as pending; `Conflict` when `used_before` is not the count any more. The recovery
    /// counts once that identity is used, so answers that are lost cost nothing.
    async fn record_recovery(&self, host: HostId, used_before: u32, identity: &NewIdentity) -> DbResult<()>;
}

/// A host that is about to be created by a token.
#[derive(Clone, Debug)]
pub struct NewEnrolment {
    /// Hash of the token's secret.
    pub token_hash: [u8; 32],
    /// The host's identifier, unless this turns out to be a repetition.
    pub host: HostId,
    /// SHA-256 over the key's SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// What ties the identity to the PC.
    pub machine_binding: [u8; 32],
    /// Facts of the PC.
    pub facts: HostFacts,
    /// Its first identity.
    pub identity: NewIdentity,
    /// Where the request came from.
    pub source: std::net::IpAddr,
}

/// An identity certificate, freshly issued.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewIdentity {
    /// Serial number.
    pub serial: [u8; 16],
    /// The leaf, then its issuers, as DER.
    pub chain: Vec<Vec<u8>>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
}

/// What became of an enrolment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EnrolmentRecord {
    /// The host was created.
    Enrolled {
        /// The host.
        host: HostId,
        /// What it may do.
        state: HostState,
    },
    /// The same token and key came before; this is the first one's host and chain.
    Repeated {
        /// The host.
        host: HostId,
        /// What it may do.
        state: HostState,
        /// The identity's chain as it was first issued.
        chain: Vec<Vec<u8>>,
    },
    /// The token does not allow it.
    Refused(TokenRefusal),
}

/// Why a token enrols nobody.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokenRefusal {
    /// The key belongs to a host that was banned.
    #[error("this key was banned")]
    Banned,
    /// Its time is over.
    #[error("the join token has expired: ask for a new one")]
    Expired,
    /// It was withdrawn.
    #[error("the join token was withdrawn: ask for a new one")]
    Revoked,
    /// There is none such.
    #[error("the join token is not known")]
    Unknown,
    /// All its uses are taken, by other keys.
    #[error("the join token is used up: ask for a new one")]
    UsedUp,
}

/// Everything that is checked when a host speaks, in one read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostSession {
    /// The tenant.
    pub vendor: VendorId,
    /// The clinic.
    pub clinic: ClinicId,
    /// What the host may do.
    pub state: HostState,
    /// SHA-256 over its key's SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// Serial of the identity in use.
    pub current_serial: [u8; 16],
    /// Serial of the identity that was issued and not used yet.
    pub pending_serial: Option<[u8; 16]>,
    /// When the current identity was issued.
    pub identity_issued_at: Timestamp,
    /// Last moment of the current identity.
    pub identity_not_after: Timestamp,
    /// Recoveries made so far.
    pub recoveries: u32,
    /// Recoveries allowed.
    pub recovery_limit: u32,
    /// Last sign of life that is stored.
    pub last_seen: Timestamp,
    /// How far the PC's clock was ahead of the server's then, in milliseconds.
    pub clock_offset_ms: i64,
    /// Digest of the last report.
    pub state_digest: Option<inkan_model::StateDigest>,
    /// Up to where the spool is acknowledged.
    pub spool: inkan_model::sync::SpoolPosition,
    /// The newest generation of directives.
    pub generation: inkan_model::directive::Generation,
    /// The newest generation that the agent said it has journaled.
    pub applied_generation: inkan_model::directive::Generation,
}
