//! Serving one connection of a browser or program, with TLS where it is wanted.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use futures::StreamExt as _;
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
    /// Proxies that may say who really asks.
    pub(crate) trusted_proxies: Arc<[IpAddr]>,
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

    async fn serve_http<S>(&self, stream: S, remote: SocketAddr, stop: &Stop) -> Closed
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let opened = tokio::select! {
            opened = accept_opening(stream, &self.limits) => opened,
            () = stop.soft.cancelled() => Err(Closed::Stopped),
        };
        let stream = match opened {
            Ok(stream) => stream,
            Err(closed) => return closed,
        };
        let closing = CancellationToken::new();
        let (ending, proxies) = (closing.clone(), Arc::clone(&self.trusted_proxies));
        let service = self.router.clone().map_request(move |request: http::Request<Incoming>| {
            let mut request = request.map(axum::body::Body::new);
            let client = find_client(remote, request.headers(), &proxies);
            request.extensions_mut().insert(ConnectInfo(client));
            request
        });
        let service = service.map_response(move |response| end_events(response, ending.clone()));
        let builder = self.builder();
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let age = age_of(&self.limits, self.entropy.as_ref());
        drive(connection, auto::Connection::graceful_shutdown, age, &self.limits, stop, &closing).await
    }
}

/// Ends a stream of events when its connection is asked to go: it would never end by itself. The browser comes back.
fn end_events(response: Response, closing: CancellationToken) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| !kind.as_bytes().starts_with(b"text/event-stream")) {
        return response;
    }
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(closing.cancelled_owned())))
}

/// Who really asks: the peer, or, where that is a proxy that is trusted, whom the proxy names. The rightmost name that is
/// no proxy counts, because whatever stands before it came from the client.
fn find_client(peer: SocketAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> SocketAddr {
    let is_proxy = |address: IpAddr| proxies.contains(&address.to_canonical());
    if !is_proxy(peer.ip()) {
        return peer;
    }
    let values = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let mut named: Vec<_> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    while let Some(name) = named.pop() {
        match name.parse() {
            Ok(address) if is_proxy(address) => {}
            Ok(address) => return SocketAddr::new(address, 0),
            // A proxy that names nobody is asked no further.
            Err(_) => return peer,
        }
    }
    peer
}

impl Protocol for Web {
    async fn serve(&self, arrival: Arrival) -> Closed {
        let Arrival { stream, remote, mut seat, stop } = arrival;
        let Some(tls) = &self.tls else {
            seat.leave_handshake();
            return self.serve_http(stream, remote, &stop).await;
        };
        let accepted = tokio::select! {
            accepted = accept_tls(stream, Arc::clone(tls), &self.limits, &mut seat) => accepted,
            () = stop.soft.cancelled() => Err(Closed::Stopped),
        };
        match accepted {
            Ok(stream) => self.serve_http(stream, remote, &stop).await,
            Err(closed) => closed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let proxies = ["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()];
        find_client(SocketAddr::new(peer.parse().unwrap(), 9), &headers, &proxies).ip().to_string()
    }

    #[tokio::test]
    async fn a_stream_of_events_ends_with_its_connection_and_other_answers_do_not() {
        let closing = CancellationToken::new();
        closing.cancel();
        for (kind, length) in [("text/event-stream", 0), ("text/csv", 4)] {
            let body = Body::from_stream(futures::stream::iter([Ok::<_, std::io::Error>("data")]));
            let response = Response::builder().header(header::CONTENT_TYPE, kind).body(body).unwrap();
            let ended = end_events(response, closing.clone());
            assert_eq!(axum::body::to_bytes(ended.into_body(), 100).await.unwrap().len(), length, "{kind}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_may_say_who_asks() {
        assert_eq!(client("198.51.100.7", &["203.0.113.9"]), "198.51.100.7");
        assert_eq!(client("192.0.2.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("192.0.2.1", &["10.0.0.1, 203.0.113.9", "192.0.2.2"]), "203.0.113.9");
        assert_eq!(client("192.0.2.1", &["203.0.113.9, unknown"]), "192.0.2.1");
        assert_eq!(client("192.0.2.1", &[]), "192.0.2.1");
    }
}
