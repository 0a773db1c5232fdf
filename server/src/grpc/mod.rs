//! The agents' protocol, on two listeners: one for agents with an identity, one for those who have none (any more).
//!
//! A service here turns a message into the model's types, calls one use case, and turns its answer back. It decides
//! nothing, and takes tenant and host from the verified certificate alone.

mod agent;
mod call;
mod enrolment;
mod peer;
mod rate;
mod refusal;
mod upload;
mod watch;

use std::sync::Arc;

use hyper::server::conn::http2;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use inkan_core::Core;
use inkan_core::ports::{Entropy, IdentityAuthority, VerifiedIdentity};
use inkan_model::HostId;
use inkan_wire::pb::agent_server::AgentServer;
use inkan_wire::pb::enrolment_server::EnrolmentServer;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::server::TlsStream;
use tonic::service::Routes;
use tower::ServiceExt as _;

use self::agent::AgentService;
use self::call::CallLimits;
use self::enrolment::EnrolmentService;
use self::peer::Peer;
pub(crate) use self::rate::{HostRate, NetworkRate};
use crate::listener::{
    Arrival, Closed, Counted, Counter, Limits, Opened, Protocol, Seat, accept_preface, accept_tls, age_of, drive,
    http2_builder,
};

/// What both listeners need.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) core: Core,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) tls: Arc<ServerConfig>,
    pub(crate) limits: Limits,
}

/// gRPC over TLS on one port.
pub(crate) struct Grpc {
    parts: Parts,
    routes: axum::Router,
    identities: Option<Identities>,
}

/// How an agent is known by its certificate.
struct Identities {
    authority: Arc<dyn IdentityAuthority>,
    hosts: Counter<HostId>,
}

impl Grpc {
    /// The service for agents with an identity.
    pub(crate) fn for_agents(parts: Parts, authority: Arc<dyn IdentityAuthority>, rate: Arc<HostRate>) -> Self {
        let Limits { decode_bytes, encode_bytes, .. } = parts.limits;
        let service = AgentService::new(parts.core.clone(), rate, parts.limits.clone());
        let server =
            AgentServer::new(service).max_decoding_message_size(decode_bytes).max_encoding_message_size(encode_bytes);
        let routes = with_limits(Routes::new(server), &parts.limits);
        Self { parts, routes, identities: Some(Identities { authority, hosts: Counter::default() }) }
    }

    /// The service for enrolment and recovery. `agents_url` is where those who are let in go next.
    pub(crate) fn for_enrolment(parts: Parts, agents_url: String, rate: Arc<NetworkRate>) -> Self {
        let Limits { decode_bytes, encode_bytes, .. } = parts.limits;
        let service = EnrolmentService::new(parts.core.clone(), agents_url, rate);
        let server = EnrolmentServer::new(service)
            .max_decoding_message_size(decode_bytes)
            .max_encoding_message_size(encode_bytes);
        let routes = with_limits(Routes::new(server), &parts.limits);
        Self { parts, routes, identities: None }
    }

    async fn serve_connection(&self, arrival: Arrival) -> Result<Closed, Closed> {
        let Parts { entropy, tls, limits, .. } = &self.parts;
        let Arrival { stream, remote, mut seat, stop } = arrival;
        let opening = self.open(stream, Arc::clone(tls), &mut seat);
        let (stream, known) = tokio::select! {
            opened = opening => opened?,
            () = stop.soft.cancelled() => return Err(Closed::Stopped),
        };
        let identity = known.as_ref().map(|known| Arc::clone(&known.identity));
        let peer = Peer::new(remote, identity, limits.calls_per_connection);
        let closing = peer.closing.clone();
        let service = self.routes.clone().map_request(move |request: http::Request<hyper::body::Incoming>| {
            let mut request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(peer.clone());
            request
        });
        let service = TowerToHyperService::new(service);
        let connection = http2_builder(limits).serve_connection(TokioIo::new(stream), service);
        let age = age_of(limits, entropy.as_ref());
        let closed = drive(connection, http2::Connection::graceful_shutdown, age, limits, &stop, &closing).await;
        drop((known, seat));
        Ok(closed)
    }

    /// TLS, the look at the certificate, and the preface.
    async fn open(
        &self,
        stream: TcpStream,
        tls: Arc<ServerConfig>,
        seat: &mut Seat,
    ) -> Result<(Opened<TlsStream<TcpStream>>, Option<Known>), Closed> {
        let limits = &self.parts.limits;
        let stream = accept_tls(stream, tls, limits, seat).await?;
        let known = match &self.identities {
            None => None,
            Some(identities) => {
                let leaf =
                    stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).ok_or(Closed::Peer)?;
                let known = identities.recognise(leaf, limits).ok_or(Closed::Peer)?;
                seat.leave_network();
                Some(known)
            }
        };
        Ok((accept_preface(stream, limits).await?, known))
    }
}

/// A peer that has shown who it is.
struct Known {
    identity: Arc<VerifiedIdentity>,
    /// Counts the connections of one host.
    _of_host: Counted<HostId>,
}

impl Identities {
    fn recognise(&self, leaf: &[u8], limits: &Limits) -> Option<Known> {
        let identity = self.authority.verify_identity(leaf).ok()?;
        let of_host = self.hosts.enter(identity.host, limits.connections_per_host)?;
        Some(Known { identity: Arc::new(identity), _of_host: of_host })
    }
}

impl Protocol for Grpc {
    async fn serve(&self, arrival: Arrival) -> Closed {
        self.serve_connection(arrival).await.unwrap_or_else(|closed| closed)
    }
}

fn with_limits(routes: Routes, limits: &Limits) -> axum::Router {
    let state = CallLimits {
        calls: Arc::new(Semaphore::new(limits.calls)),
        timeout: limits.call_timeout,
        upload_timeout: limits.upload_timeout,
    };
    routes.into_axum_router().layer(axum::middleware::from_fn_with_state(state, call::limit_call)).with_state(())
}
