//! The session: everything that goes over the network, behind one port.
//!
//! [`Uplink`] is what the agent's loop knows of a server; [`GrpcUplink`] is the one over gRPC and mutual TLS 1.3, and a
//! test has its own. An error says whether trying again can help, because that is all that the loop decides by.

mod connector;
mod enrolment;
mod grpc;
mod pace;
mod proxy;
mod refusal;

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use inkan_model::directive::Generation;
use inkan_model::sync::{Lacks, SyncAnswer, SyncReport};
use inkan_wire::{Enrolled, Upload};
use tokio_stream::Stream;

pub use self::connector::{ConnectError, ServerAddress, reach};
pub use self::enrolment::EnrolmentClient;
pub use self::grpc::GrpcUplink;
pub use self::proxy::{InvalidProxy, Proxy};
pub use self::refusal::UplinkError;
use crate::identity::Identity;

/// What a Watch says, one after the other.
pub type Nudges = Pin<Box<dyn Stream<Item = Result<Generation, UplinkError>> + Send>>;

/// The way to the server.
#[async_trait]
pub trait Uplink: Send + Sync {
    /// Carries all state.
    async fn sync(&self, report: SyncReport) -> Result<Answered, UplinkError>;

    /// Brings contents, and says what is still lacking of what was brought.
    async fn upload(&self, messages: Vec<Upload>) -> Result<Lacks, UplinkError>;

    /// Listens for nudges.
    async fn watch(&self) -> Result<Nudges, UplinkError>;

    /// A new certificate for the same key, leaf first.
    async fn renew_identity(&self, csr: Vec<u8>) -> Result<Vec<Vec<u8>>, UplinkError>;

    /// A new certificate for an identity that has expired, by its key alone.
    async fn recover_identity(&self, expired: &Identity) -> Result<Enrolled, UplinkError>;

    /// Speaks with this identity from now on, once what is going on with the one before has ended.
    async fn adopt(&self, identity: Arc<Identity>) -> Result<(), UplinkError>;
}

/// The answer to a Sync.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answered {
    /// What the server says.
    pub answer: SyncAnswer,
    /// Bytes of question and answer, as encoded messages.
    pub bytes: u64,
}

#[cfg(test)]
mod tests;
