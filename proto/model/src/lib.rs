//! What things mean: the words of inkan as types.
//!
//! Every other crate speaks in these types, so this one knows nothing of how things travel or rest. It does no I/O,
//! reads no clock and rolls no dice, and must never import an async runtime, prost, tonic, axum or sqlx: the same
//! code judges a certificate on a clinic's PC, in the server and in an offline tool.
//!
//! The glossary is the table of words in `ARCHITECTURE.md`; a type here carries the word it stands for.

pub mod certificate;
pub mod chain;
pub mod checkup;
pub mod clinic;
pub mod digest;
pub mod directive;
pub mod event;
pub mod finding;
pub mod host;
pub mod id;
pub mod identity;
pub mod join_token;
pub mod limits;
pub mod locale;
pub mod operator;
pub mod programme;
pub mod properties;
pub mod renewal;
pub mod store;
pub mod sync;
pub mod time;

pub use self::certificate::{Certificate, CertificateFacts, UnreadableCertificate};
pub use self::digest::{Fingerprint, SetDigest, StateDigest};
pub use self::id::{CheckupId, ClinicId, EventId, FindingId, HostId, Id, JoinTokenId, OperatorId, RenewalId, VendorId};
pub use self::properties::EntryProperties;
pub use self::time::{Clock, Timestamp};
