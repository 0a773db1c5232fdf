//! Serving one connection of a browser or program, with TLS where it is wanted.

use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use inkan_core::ports::Entropy;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::listener::{Arrival, Closed, Limits, Protocol, Stop, accept_opening, accept_tls, age_of, drive};

/// HTTP on one port.
pub(crate) struct Web {
    pub(crate) router: Router,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) limits: Limits,
}

impl Web {
    fn builder(&self) -> auto::Builder<TokioExecutor> {
        let limits = &self.limits;
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.first_byte_timeout).max_headers(64);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(limits.keepalive_interval)
            .keep_alive_timeout(limits.keepalive_timeout)
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(limits.header_list_bytes)
            .max_pending_accept_reset_streams(limits.pending_accept_resets)
            .max_local_error_reset_streams(limits.local_error_resets);
        builder
    }

    async fn serve_http<S>(&self, stream: S, remote: std::net::SocketAddr, stop: &Stop) -> Closed
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let stream = match accept_opening(stream, &self.limits).await {
            Ok(stream) => stream,
            Err(closed) => return closed,
        };
        let service = self.router.clone().map_request(move |request: http::Request<Incoming>| {
            let mut request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(ConnectInfo(remote));
            request
        });
        let builder = self.builder();
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let (age, closing) = (age_of(&self.limits, self.entropy.as_ref()), CancellationToken::new());
        drive(connection, |connection| connection.graceful_shutdown(), age, &self.limits, stop, &closing).await
    }
}

impl Protocol for Web {
    async fn serve(&self, arrival: Arrival) -> Closed {
        let Arrival { stream, remote, mut seat, stop } = arrival;
        match &self.tls {
            None => {
                seat.leave_handshake();
                self.serve_http(stream, remote, &stop).await
            }
            Some(tls) => match accept_tls(stream, Arc::clone(tls), &self.limits, &mut seat).await {
                Ok(stream) => self.serve_http(stream, remote, &stop).await,
                Err(closed) => closed,
            },
        }
    }
}
