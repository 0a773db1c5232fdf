//! Who is at the other end of a connection. Put into each request's extensions by the listener, never by a header.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use inkan_core::ports::VerifiedIdentity;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Extensions, Status};

/// The other end of a connection.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) remote: SocketAddr,
    /// Who it is, where the listener asks for a certificate.
    pub(crate) identity: Option<Arc<VerifiedIdentity>>,
    /// Calls that this connection may have under way.
    pub(crate) calls: Arc<Semaphore>,
    /// Cancelled when the connection is asked to go, for streams that would never end by themselves.
    pub(crate) closing: CancellationToken,
}

impl Peer {
    pub(crate) fn new(remote: SocketAddr, identity: Option<Arc<VerifiedIdentity>>, calls: usize) -> Self {
        Self { remote, identity, calls: Arc::new(Semaphore::new(calls)), closing: CancellationToken::new() }
    }

    /// The peer of a request.
    pub(crate) fn of(extensions: &Extensions) -> Result<&Self, Status> {
        extensions.get().ok_or_else(|| Status::internal("the connection is not known"))
    }

    /// Where it comes from.
    pub(crate) fn address(&self) -> IpAddr {
        self.remote.ip().to_canonical()
    }

    /// Who it is.
    pub(crate) fn identity(&self) -> Result<&Arc<VerifiedIdentity>, Status> {
        self.identity.as_ref().ok_or_else(|| Status::unauthenticated("a client certificate is needed"))
    }
}
