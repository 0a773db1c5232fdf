//! Listening: bind, accept, admit, serve, and stop without breaking what is under way. The same for every port; what is
//! spoken on it is a [`Protocol`].
//!
//! The loop is our own because no framework's one closes a connection whose TLS handshake is over and which then stays
//! silent: 200 of those were still open after 45 seconds with every option of the usual ones set.

mod admission;
mod connection;
mod limits;
mod preface;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

pub(crate) use self::admission::{Admission, Counted, Counter, Network, Seat};
pub(crate) use self::connection::{Closed, accept_opening, accept_preface, accept_tls, age_of, drive, http2_builder};
pub use self::limits::Limits;
pub(crate) use self::preface::Opened;
use crate::telemetry;

/// Waits after the operating system refused to accept (out of file descriptors, most likely).
const AFTER_REFUSAL: Duration = Duration::from_millis(200);
/// Refusals in a row after which the listener is broken: 30 seconds.
const MOST_REFUSALS: u32 = 150;

/// A listener that could not begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Accepting failed again and again.
    #[error("the {name} listener accepts no connections any more")]
    Accept {
        /// Which listener.
        name: &'static str,
        /// What the operating system said last.
        #[source]
        cause: io::Error,
    },
    /// The address could not be bound.
    #[error("could not listen on {address} ({name}.listen)")]
    Bind {
        /// Which listener.
        name: &'static str,
        /// Which address.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        cause: io::Error,
    },
}

/// How everything is told to stop: first to finish what is under way, then to leave it.
#[derive(Clone, Default)]
pub(crate) struct Stop {
    /// Take nothing new, finish what is under way.
    pub(crate) soft: CancellationToken,
    /// Leave at once.
    pub(crate) hard: CancellationToken,
}

/// A connection that was let in.
pub(crate) struct Arrival {
    pub(crate) stream: TcpStream,
    pub(crate) remote: SocketAddr,
    pub(crate) seat: Seat,
    pub(crate) stop: Stop,
}

/// What is spoken on a port.
pub(crate) trait Protocol: Send + Sync + 'static {
    /// Serves one connection to its end, and says what ended it.
    fn serve(&self, arrival: Arrival) -> impl Future<Output = Closed> + Send;
}

/// A bound port.
pub(crate) struct Listener {
    name: &'static str,
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds the port. `name` is that of the configuration's section.
    pub(crate) async fn bind(name: &'static str, address: SocketAddr) -> Result<Self, ListenError> {
        let at = |cause| ListenError::Bind { name, address, cause };
        let socket = TcpListener::bind(address).await.map_err(at)?;
        let address = socket.local_addr().map_err(at)?;
        Ok(Self { name, socket, address })
    }

    /// The address, with the port that was really bound.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until told to stop, then waits for the connections to end.
    pub(crate) async fn run(
        self,
        protocol: impl Protocol,
        admission: Admission,
        stop: Stop,
    ) -> Result<(), ListenError> {
        let protocol = Arc::new(protocol);
        let connections = TaskTracker::new();
        let accepted = self.accept(&protocol, &admission, &connections, &stop).await;
        connections.close();
        // Whoever cancels `hard` bounds this wait; each connection watches it.
        connections.wait().await;
        info!(listener = self.name, "listener stopped");
        accepted
    }

    async fn accept<P: Protocol>(
        &self,
        protocol: &Arc<P>,
        admission: &Admission,
        connections: &TaskTracker,
        stop: &Stop,
    ) -> Result<(), ListenError> {
        let mut refusals = 0;
        loop {
            let accepted = tokio::select! {
                () = stop.soft.cancelled() => return Ok(()),
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, remote)) => {
                    refusals = 0;
                    self.begin(stream, remote, protocol, admission, connections, stop);
                }
                Err(cause) if is_of_one_connection(&cause) => debug!(%cause, "a connection was gone before it began"),
                Err(cause) if refusals >= MOST_REFUSALS => {
                    return Err(ListenError::Accept { name: self.name, cause });
                }
                Err(cause) => {
                    refusals += 1;
                    warn!(listener = self.name, error = &cause as &dyn std::error::Error, "could not accept");
                    tokio::select! {
                        () = stop.soft.cancelled() => return Ok(()),
                        () = tokio::time::sleep(AFTER_REFUSAL) => {}
                    }
                }
            }
        }
    }

    fn begin<P: Protocol>(
        &self,
        stream: TcpStream,
        remote: SocketAddr,
        protocol: &Arc<P>,
        admission: &Admission,
        connections: &TaskTracker,
        stop: &Stop,
    ) {
        let name = self.name;
        let seat = match admission.admit(remote.ip()) {
            Ok(seat) => seat,
            Err(full) => {
                telemetry::count_closed(name, Closed::Full(full));
                return;
            }
        };
        // Messages are small and answered at once; waiting for more to send only delays them.
        if let Err(cause) = stream.set_nodelay(true) {
            debug!(%cause, "could not set TCP_NODELAY");
        }
        let arrival = Arrival { stream, remote, seat, stop: stop.clone() };
        let protocol = Arc::clone(protocol);
        connections.spawn(async move {
            let hard = arrival.stop.hard.clone();
            let closed = tokio::select! {
                closed = protocol.serve(arrival) => closed,
                () = hard.cancelled() => Closed::Stopped,
            };
            debug!(listener = name, %remote, reason = closed.name(), "connection closed");
            telemetry::count_closed(name, closed);
        });
    }
}

/// Errors of accept(2) that belong to the connection and not to the listener.
fn is_of_one_connection(cause: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(cause.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
