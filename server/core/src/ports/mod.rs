//! What the use cases need from the world, each as a narrow trait.
//!
//! The database's methods are transactions: `record_` and `create_` commit before they return, `find_` answers with an
//! `Option`, `list_` with a page. Every method that an operator can reach takes the tenant and finds nothing outside of
//! it: tenancy is checked where the data is.

mod checkups;
mod enrolments;
mod fleet;
mod inventory;
mod operators;
mod renewals;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use inkan_issuance::private_ca::CertificationAuthority;
use inkan_model::{Timestamp, VendorId};

pub use self::checkups::*;
pub use self::enrolments::*;
pub use self::fleet::*;
pub use self::inventory::*;
pub use self::operators::*;
pub use self::renewals::*;

/// The database: everything that is remembered.
pub trait Database: Checkups + Enrolments + Fleet + Inventory + Operators + Renewals + Upkeep {}

impl<T: Checkups + Enrolments + Fleet + Inventory + Operators + Renewals + Upkeep> Database for T {}

/// Keeping the database itself in order.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Whether the database answers and its schema is the one that this build expects.
    async fn check(&self) -> DbResult<()>;

    /// Writes a consistent copy to a new file, and checks that the copy opens.
    async fn backup_to(&self, file: &Path) -> DbResult<()>;

    /// Deletes at most `limit` rows that nobody needs any more: ended sessions, answered idempotency keys older than a
    /// day, join tokens expired for 30 days. Says how many went.
    async fn prune(&self, now: Timestamp, limit: u32) -> DbResult<u64>;

    /// Counts that the metrics endpoint shows.
    async fn gauges(&self, now: Timestamp) -> DbResult<Gauges>;
}

/// Figures about everything that is stored, over all vendors.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Gauges {
    /// PCs that are not retired.
    pub hosts: u64,
    /// Distinct certificates.
    pub certificates: u64,
    /// Distinct store contents.
    pub sets: u64,
    /// Installations.
    pub installations: u64,
    /// Open findings.
    pub findings: u64,
    /// Renewals that are not over.
    pub live_renewals: u64,
}

/// A database method's result.
pub type DbResult<T> = Result<T, DbError>;

/// What can go wrong in the database.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database refused or did not answer.
    #[error("could not {step}")]
    Query {
        /// What was being done, as in "record an enrolment".
        step: &'static str,
        /// The driver's error.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A row holds what no version of inkan writes.
    #[error("table {table}, row {id}: column {column} is inconsistent")]
    Inconsistent {
        /// Which table.
        table: &'static str,
        /// Which column.
        column: &'static str,
        /// Which row.
        id: String,
    },
    /// Somebody else changed the same thing first; read again and decide anew.
    #[error("{what} was changed by somebody else meanwhile")]
    Conflict {
        /// What was to be changed.
        what: &'static str,
    },
    /// A cursor that this database did not hand out.
    #[error("not a cursor of this list")]
    InvalidCursor,
    /// The server is stopping.
    #[error("the database is closed")]
    Closed,
}

/// Where a list goes on. Opaque to everybody but the database.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cursor(pub String);

/// Which part of a list is wanted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PageRequest {
    /// Go on after this.
    pub after: Option<Cursor>,
    /// At most so many, 1 to 500.
    pub limit: u16,
}

impl PageRequest {
    /// The first part.
    pub const fn first(limit: u16) -> Self {
        Self { after: None, limit }
    }
}

/// One part of a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where the list goes on; `None` at its end.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// The same page with each item turned into something else.
    pub fn map<U>(self, turn: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(turn).collect(), next: self.next }
    }
}

/// Where chance comes from. Passed in, so that a test can own it.
pub trait Entropy: Send + Sync {
    /// Fills the bytes with unpredictable ones.
    fn fill(&self, bytes: &mut [u8]);
}

impl dyn Entropy + '_ {
    /// An array of unpredictable bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

/// The vendors' certification authorities.
pub trait Authorities: Send + Sync {
    /// The vendor's private CA, made on first use.
    ///
    /// # Errors
    /// When its key cannot be read or made.
    fn private_ca(&self, vendor: VendorId) -> Result<Arc<dyn CertificationAuthority>, AuthorityError>;
}

/// The deployment's own CA, which signs agents' identities.
pub trait IdentityAuthority: Send + Sync {
    /// Signs an identity for the key in `spki`; the leaf, then its issuers, as DER.
    ///
    /// # Errors
    /// When the key cannot be certified.
    fn issue_identity(&self, order: &IdentityOrder) -> Result<Vec<Vec<u8>>, AuthorityError>;

    /// Checks that `leaf` was issued by this deployment, whether or not it is still valid.
    ///
    /// # Errors
    /// When it was not.
    fn verify_identity(&self, leaf: &[u8]) -> Result<VerifiedIdentity, AuthorityError>;
}

/// What an identity certificate is to say.
#[derive(Clone, Debug)]
pub struct IdentityOrder {
    /// The tenant.
    pub vendor: VendorId,
    /// The PC.
    pub host: inkan_model::HostId,
    /// SubjectPublicKeyInfo as DER.
    pub spki: Vec<u8>,
    /// Serial number.
    pub serial: [u8; 16],
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
}

/// An identity certificate that this deployment issued.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifiedIdentity {
    /// The tenant.
    pub vendor: VendorId,
    /// The PC.
    pub host: inkan_model::HostId,
    /// Serial number.
    pub serial: [u8; 16],
    /// SubjectPublicKeyInfo as DER.
    pub spki: Vec<u8>,
    /// Last moment of validity.
    pub not_after: Timestamp,
}

/// A certification authority that could not do its work.
#[derive(Debug, thiserror::Error)]
#[error("could not {step}")]
pub struct AuthorityError {
    /// What was being done.
    pub step: &'static str,
    /// Why it failed.
    #[source]
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

/// Seals small secrets (TOTP seeds) before they are stored, with a key that is not in the database.
pub trait Sealer: Send + Sync {
    /// Encrypts and authenticates; `label` says what it is and must be given again to open it.
    fn seal(&self, label: &str, secret: &[u8], nonce: [u8; 12]) -> Vec<u8>;

    /// Opens what was sealed under the same label; `None` when it was not, or was changed.
    fn open(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>>;
}
