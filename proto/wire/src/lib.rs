//! The agents' protocol: the code generated from `proto/inkan/v1`, and the conversions between it and the model.
//!
//! The conversions are the door: a message from outside becomes a type of [`inkan_model`] with every limit of
//! [`inkan_model::limits`] applied, or is refused as [`InvalidMessage`], which names the field. Whoever stands behind
//! the door never meets generated types. Numbers of enums that this build does not know survive as `Unrecognized(i32)`
//! where the model has a place for them, so that a newer agent's report is kept whole.
//!
//! This crate imports [`inkan_model`] and no other crate of the workspace. It does no I/O and decides nothing:
//! whether a valid message is believed is the use cases' business.

mod checkup;
mod directive;
mod enrolment;
mod field;
mod inventory;
mod outcome;
mod properties;
mod sync;
mod upload;

#[cfg(test)]
mod tests;

pub use self::enrolment::{BeginRecovery, Enroll, Enrolled, IdentityChain, Recover, RecoveryNonce, RenewIdentity};
pub use self::field::InvalidMessage;
pub use self::upload::{Upload, UploadedDelta, UploadedSet};

/// Descriptors of the protocol's files with their comments, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The generated messages, clients and servers.
#[expect(
    missing_docs,
    clippy::all,
    clippy::allow_attributes,
    clippy::pedantic,
    reason = "generated; its documentation is the proto files"
)]
pub mod pb {
    tonic::include_proto!("inkan.v1");
}
