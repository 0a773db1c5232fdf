//! People: operators, their sessions, and the one-time setup.

use async_trait::async_trait;
use inkan_model::operator::{Operator, Vendor};
use inkan_model::{OperatorId, Timestamp, VendorId};

use super::DbResult;

/// People: operators, their sessions, and the one-time setup.
#[async_trait]
pub trait Operators: Send + Sync {
    /// Whether any operator exists. Once one does, there is no setup any more.
    async fn is_set_up(&self) -> DbResult<bool>;

    /// Stores the hash of the setup link's secret, replacing an older one; `false` when setup is over.
    async fn record_setup_link(&self, hash: [u8; 32], expires_at: Timestamp) -> DbResult<bool>;

    /// Whether a setup link with this hash is waiting to be used.
    async fn is_setup_link(&self, hash: [u8; 32], now: Timestamp) -> DbResult<bool>;

    /// Uses the link and creates vendor and owner, all or nothing; `false` when there is no such link (any more).
    async fn complete_setup(
        &self,
        link: [u8; 32],
        vendor: &Vendor,
        owner: &NewOperator,
        now: Timestamp,
    ) -> DbResult<bool>;

    /// Creates a vendor.
    async fn create_vendor(&self, vendor: &Vendor, now: Timestamp) -> DbResult<()>;

    /// All vendors, by name.
    async fn list_vendors(&self) -> DbResult<Vec<Vendor>>;

    /// Finds a vendor.
    async fn find_vendor(&self, vendor: VendorId) -> DbResult<Option<Vendor>>;

    /// Creates an operator; `Conflict` when the mail address is taken.
    async fn create_operator(&self, operator: &NewOperator, now: Timestamp) -> DbResult<()>;

    /// Finds an operator with what is needed to log in.
    async fn find_login(&self, mail: &str) -> DbResult<Option<Login>>;

    /// The vendor's operators, by mail address.
    async fn list_operators(&self, vendor: VendorId) -> DbResult<Vec<Operator>>;

    /// Remembers that a TOTP step was used; `false` when this or a later one was used before.
    async fn use_totp_step(&self, operator: OperatorId, step: u64) -> DbResult<bool>;

    /// Changes an operator's language.
    async fn set_locale(&self, operator: OperatorId, locale: inkan_model::locale::Locale) -> DbResult<()>;

    /// Stores a session under the hash of its secret.
    async fn create_session(&self, session: &Session) -> DbResult<()>;

    /// Finds a session that has not expired, and whose it is.
    async fn find_operator_session(&self, hash: [u8; 32], now: Timestamp) -> DbResult<Option<(Session, Operator)>>;

    /// Ends a session. Ending one that is not there is fine.
    async fn delete_session(&self, hash: [u8; 32]) -> DbResult<()>;

    /// Takes an idempotency key: tells whether the request is new, under way, or was answered before.
    async fn begin_idempotent(&self, request: &IdempotentRequest) -> DbResult<IdempotentState>;

    /// Stores the answer to a request that was begun.
    async fn finish_idempotent(&self, operator: OperatorId, key: &str, status: u16, body: &str) -> DbResult<()>;
}

/// An operator with what is stored to let them in.
#[derive(Clone, Debug)]
pub struct NewOperator {
    /// The operator.
    pub operator: Operator,
    /// Argon2id in PHC form.
    pub password_hash: String,
    /// The TOTP seed, sealed.
    pub totp_sealed: Vec<u8>,
}

/// What is needed to let an operator in.
#[derive(Clone, Debug)]
pub struct Login {
    /// The operator.
    pub operator: Operator,
    /// Argon2id in PHC form.
    pub password_hash: String,
    /// The TOTP seed, sealed.
    pub totp_sealed: Vec<u8>,
}

/// A signed-in operator: a browser, or a program with a token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Session {
    /// SHA-256 over its secret.
    pub hash: [u8; 32],
    /// Whose it is.
    pub operator: OperatorId,
    /// Browser or program.
    pub kind: SessionKind,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// How a session's secret travels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SessionKind {
    /// In a cookie.
    Browser,
    /// As a bearer token.
    Token,
}

impl SessionKind {
    /// The kind as stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Token => "token",
        }
    }
}

/// A request that must not take effect twice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdempotentRequest {
    /// Who asks.
    pub operator: OperatorId,
    /// Their key, 1 to 128 characters.
    pub key: String,
    /// SHA-256 over method, path and body, so that a key is not used for two different things.
    pub request_sha256: [u8; 32],
    /// When.
    pub now: Timestamp,
}

/// What is known of a request that must not take effect twice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum IdempotentState {
    /// It was answered before, like this.
    Answered {
        /// HTTP status.
        status: u16,
        /// Body.
        body: String,
    },
    /// The key was used for something else.
    Mismatch,
    /// It has not been seen; it is begun now.
    New,
    /// It is under way, since less than a minute.
    UnderWay,
}
