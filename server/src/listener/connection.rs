//! The life of one connection: handshake, preface, frames, and an end that calls under way survive.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use inkan_core::ports::Entropy;
use rustls::ServerConfig;
use tokio::io::AsyncRead;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::admission::{Full, Seat};
use super::preface::{Opened, read_opening};
use super::{Limits, Stop};

/// What ended a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Closed {
    /// It was its time, and calls under way did not end within the grace.
    Aged,
    /// By the peer, or after a graceful end.
    Done,
    /// HTTP failed: an attack, a bug, or a broken line.
    Failed,
    /// A door was full.
    Full(Full),
    /// TLS failed.
    Handshake,
    /// TLS took too long.
    HandshakeTimeout,
    /// The peer's certificate is not one of ours, or it has too many connections.
    Peer,
    /// Nothing, or something other than HTTP/2 where only that is spoken.
    Preface,
    /// The first bytes did not come in time.
    PrefaceTimeout,
    /// The server stops.
    Stopped,
}

impl Closed {
    /// The reason in logs and metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Aged => "aged",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Full(Full::Connections) => "full",
            Self::Full(Full::Handshakes) => "full_handshakes",
            Self::Full(Full::Network) => "full_address",
            Self::Handshake => "handshake",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::Peer => "peer",
            Self::Preface => "preface",
            Self::PrefaceTimeout => "preface_timeout",
            Self::Stopped => "stopped",
        }
    }
}

/// Carries out the TLS handshake.
pub(crate) async fn accept_tls(
    stream: TcpStream,
    tls: Arc<ServerConfig>,
    limits: &Limits,
    seat: &mut Seat,
) -> Result<TlsStream<TcpStream>, Closed> {
    let accepted = timeout(limits.handshake_timeout, TlsAcceptor::from(tls).accept(stream)).await;
    seat.leave_handshake();
    match accepted {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(cause)) => {
            debug!(error = &cause as &dyn std::error::Error, "TLS handshake failed");
            Err(Closed::Handshake)
        }
        Err(_) => Err(Closed::HandshakeTimeout),
    }
}

/// Waits for the first bytes.
pub(crate) async fn accept_opening<S: AsyncRead + Unpin>(stream: S, limits: &Limits) -> Result<Opened<S>, Closed> {
    match timeout(limits.first_byte_timeout, read_opening(stream)).await {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(_)) => Err(Closed::Preface),
        Err(_) => Err(Closed::PrefaceTimeout),
    }
}

/// Waits for the HTTP/2 preface.
pub(crate) async fn accept_preface<S: AsyncRead + Unpin>(stream: S, limits: &Limits) -> Result<Opened<S>, Closed> {
    accept_opening(stream, limits)
        .await
        .and_then(|opened| if opened.is_http2() { Ok(opened) } else { Err(Closed::Preface) })
}

/// HTTP/2 with every limit set.
pub(crate) fn http2_builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let window = u32::try_from(limits.decode_bytes).unwrap_or(u32::MAX).clamp(64 * 1024, 1024 * 1024);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.keepalive_interval)
        .keep_alive_timeout(limits.keepalive_timeout)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_list_bytes)
        .max_pending_accept_reset_streams(limits.pending_accept_resets)
        .max_local_error_reset_streams(limits.local_error_resets)
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(window)
        .max_send_buf_size(64 * 1024);
    builder
}

/// Drives a connection until it ends. When its time is over or the server stops, `closing` is cancelled for the streams
/// that would never end by themselves, the peer is told to open no new ones, and the rest gets its grace.
pub(crate) async fn drive<C, E>(
    connection: C,
    shut_down: impl Fn(Pin<&mut C>),
    age: Duration,
    limits: &Limits,
    stop: &Stop,
    closing: &CancellationToken,
) -> Closed
where
    C: Future<Output = Result<(), E>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connection = std::pin::pin!(connection);
    let mut deadline = std::pin::pin!(tokio::time::sleep(age));
    loop {
        let asked_to_go = closing.is_cancelled();
        tokio::select! {
            ended = connection.as_mut() => return match ended {
                Ok(()) => Closed::Done,
                Err(cause) => {
                    debug!(error = cause.into().as_ref() as &dyn std::error::Error, "connection failed");
                    Closed::Failed
                }
            },
            () = deadline.as_mut() => if asked_to_go { return Closed::Aged },
            () = stop.soft.cancelled(), if !asked_to_go => {}
            () = stop.hard.cancelled() => return Closed::Stopped,
        }
        closing.cancel();
        shut_down(connection.as_mut());
        deadline.as_mut().reset(Instant::now() + limits.age_grace);
    }
}

/// The age at which this connection is asked to go.
pub(crate) fn age_of(limits: &Limits, entropy: &dyn Entropy) -> Duration {
    let chance = u32::from(u16::from_be_bytes(entropy.bytes()));
    let jitter = limits.max_connection_age * limits.age_jitter_percent / 100;
    let least = limits.max_connection_age.saturating_sub(jitter);
    least + jitter * 2 * chance / u32::from(u16::MAX)
}
