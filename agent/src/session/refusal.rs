//! What can go wrong on the way to the server, sorted by what to do about it.

use std::error::Error;
use std::fmt;

use inkan_wire::InvalidMessage;
use rustls::AlertDescription;
use tonic::{Code, Status};

use super::ConnectError;
use crate::tls::TlsError;

/// A call that the server did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    /// The address of the server is not one.
    #[error("could not use the server's address")]
    Address(#[source] ConnectError),
    /// The server's answer is not one that this agent understands.
    #[error("the server's answer is not understood")]
    Answer(#[source] InvalidMessage),
    /// The server could not do it now.
    #[error("the server could not answer")]
    Busy(#[source] Reason),
    /// No connection comes up.
    #[error("could not connect to the server")]
    Connect(#[source] ConnectError),
    /// The certificate of this agent has expired, says the server.
    #[error("the server says that this agent's identity has expired")]
    Expired(#[source] Reason),
    /// The server does not want to hear this agent, or not this.
    #[error("the server refused")]
    Refused(#[source] Reason),
    /// The device key would not sign.
    #[error("could not sign with the device key")]
    Sign(#[source] Box<dyn Error + Send + Sync>),
    /// The connection cannot be set up.
    #[error("could not set up the connection")]
    Tls(#[source] TlsError),
    /// Somebody answers who is not the server that the pin is of.
    #[error("whoever answers there is not the server that the pin is of")]
    Untrusted(#[source] Reason),
    /// The server cannot be reached, or the connection broke.
    #[error("could not reach the server")]
    Unreachable(#[source] Reason),
}

/// What the transport said, without the words that it wraps around it.
#[derive(Debug)]
pub struct Reason(Status);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.message() {
            "" => self.0.code().description(),
            message => message,
        })
    }
}

impl Error for Reason {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The transport's own wrapper says nothing that its cause does not say better.
        self.0.source().and_then(Error::source)
    }
}

impl From<Status> for UplinkError {
    fn from(status: Status) -> Self {
        let expired = status.source().is_some_and(says_expired);
        let untrusted = status.source().is_some_and(is_untrusted);
        let transport = status.source().is_some();
        let code = status.code();
        let reason = Reason(status);
        match code {
            _ if expired => Self::Expired(reason),
            _ if untrusted => Self::Untrusted(reason),
            _ if transport => Self::Unreachable(reason),
            Code::Unauthenticated
            | Code::PermissionDenied
            | Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::AlreadyExists
            | Code::NotFound
            | Code::OutOfRange
            | Code::Unimplemented => Self::Refused(reason),
            Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded => Self::Unreachable(reason),
            Code::Ok | Code::Unknown | Code::ResourceExhausted | Code::Aborted | Code::Internal | Code::DataLoss => {
                Self::Busy(reason)
            }
        }
    }
}

/// Looks for the alert by which a TLS server refuses a client certificate whose time is over. HTTP/2 keeps only the words
/// of what broke its connection, so it is looked for by the words that rustls has for it.
fn says_expired(error: &(dyn Error + 'static)) -> bool {
    let words = rustls::Error::AlertReceived(AlertDescription::CertificateExpired).to_string();
    causes(error).any(|cause| cause.to_string() == words)
}

/// Whether the server could not show that it is the right one.
fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| matches!(cause.downcast_ref(), Some(ConnectError::NotPinned(_))))
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}
