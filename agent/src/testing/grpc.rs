//! A deployment in this process: an authority, both listeners with real TLS and gRPC on port 0, and the fake server behind.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use inkan_issuance::identity_ca::AgentCa;
use inkan_issuance::key::SoftwareKey;
use inkan_issuance::proof;
use inkan_issuance::request::Request as Csr;
use inkan_model::directive::Generation;
use inkan_model::identity::AgentIdentity;
use inkan_model::join_token::JoinTokenSecret;
use inkan_model::sync::SyncReport;
use inkan_model::{Clock as _, HostId, VendorId};
use inkan_wire::{Upload, pb};
use pb::agent_server::{Agent, AgentServer};
use pb::enrolment_server::{Enrolment, EnrolmentServer};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::FakeServer;
use crate::clock::SystemClock;
use crate::enroll::EnrollOrder;
use crate::tls;

/// What runs, and what was asked of it.
pub(crate) struct Running {
    pub(crate) server: Mutex<FakeServer>,
    pub(crate) ca: AgentCa,
    pub(crate) agent: AgentIdentity,
    pub(crate) serial: AtomicUsize,
    /// Whether identities are issued that are over already.
    pub(crate) stale: AtomicBool,
    pub(crate) enrolments: Mutex<Vec<Vec<u8>>>,
    pub(crate) server_url: Mutex<String>,
    watchers: Mutex<Vec<tokio::sync::mpsc::Sender<Result<pb::Nudge, Status>>>>,
}

impl Running {
    pub(crate) fn new() -> Arc<Self> {
        let domain: inkan_model::identity::TrustDomain = "fleet.example".parse().unwrap();
        let now = SystemClock.now();
        let agent = AgentIdentity {
            deployment: domain.clone(),
            vendor: VendorId::new(now, [1; 10]),
            host: HostId::new(now, [2; 10]),
        };
        let ca = AgentCa::create(&domain, [1; 16], now.minus(Duration::days(60)), Duration::days(3_650)).unwrap();
        Arc::new(Self {
            server: Mutex::new(FakeServer::new()),
            ca,
            agent,
            serial: AtomicUsize::new(2),
            stale: AtomicBool::new(false),
            enrolments: Mutex::default(),
            server_url: Mutex::default(),
            watchers: Mutex::default(),
        })
    }

    fn issue(&self, spki: &[u8]) -> Vec<Vec<u8>> {
        let serial = [u8::try_from(self.serial.fetch_add(1, Ordering::Relaxed)).unwrap(); 16];
        let days = if self.stale.load(Ordering::Relaxed) { 31 } else { 1 };
        let from = SystemClock.now().minus(Duration::days(days));
        let leaf = self.ca.issue_agent(&self.agent, spki, serial, from, from.plus(Duration::days(30))).unwrap();
        vec![leaf, self.ca.certificate().to_vec()]
    }

    fn listener_config(&self, client_auth: bool) -> ServerConfig {
        let key = SoftwareKey::generate().unwrap();
        let (from, names) = (SystemClock.now().minus(Duration::days(1)), ["localhost".to_owned()]);
        let addresses = ["127.0.0.1".parse().unwrap()];
        let to = from.plus(Duration::days(30));
        let leaf = self.ca.issue_server(&names, &addresses, &key.spki(), [9; 16], from, to).unwrap();
        let chain = vec![CertificateDer::from(leaf), CertificateDer::from(self.ca.certificate().to_vec())];
        let builder = ServerConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap();
        let key = PrivatePkcs8KeyDer::from(key.pkcs8().to_vec()).into();
        let mut roots = RootCertStore::empty();
        roots.add(chain[1].clone()).unwrap();
        let mut config = if client_auth {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls::provider()).build();
            builder.with_client_cert_verifier(verifier.unwrap()).with_single_cert(chain, key).unwrap()
        } else {
            builder.with_no_client_auth().with_single_cert(chain, key).unwrap()
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }

    /// Nudges every agent that listens.
    pub(crate) async fn nudge(&self) {
        let generation: Generation = self.server.lock().unwrap().directives.generation;
        let watchers = self.watchers.lock().unwrap().clone();
        for watcher in watchers {
            let _ = watcher.send(Ok(generation.into())).await;
        }
    }

    fn answer(&self, spki: &[u8]) -> pb::EnrollResponse {
        pb::EnrollResponse {
            chain: self.issue(spki),
            server_url: self.server_url.lock().unwrap().clone(),
            report_only: true,
            server_time_ms: SystemClock.now().as_unix_millis(),
        }
    }
}

/// Both services on one type; each listener serves one of them.
struct Service(Arc<Running>);

#[tonic::async_trait]
impl Enrolment for Service {
    async fn enroll(&self, request: Request<pb::EnrollRequest>) -> Result<Response<pb::EnrollResponse>, Status> {
        let enroll = inkan_wire::Enroll::try_from(request.into_inner())?;
        if enroll.token.hash() != token().hash() {
            return Err(Status::permission_denied("the join token is not known"));
        }
        let spki = Csr::parse(&enroll.csr).unwrap().spki_der().to_vec();
        self.0.enrolments.lock().unwrap().push(spki.clone());
        Ok(Response::new(self.0.answer(&spki)))
    }

    async fn begin_recovery(
        &self,
        _request: Request<pb::BeginRecoveryRequest>,
    ) -> Result<Response<pb::BeginRecoveryResponse>, Status> {
        Ok(Response::new(pb::BeginRecoveryResponse { nonce: vec![5; 32] }))
    }

    async fn recover(&self, request: Request<pb::RecoverRequest>) -> Result<Response<pb::EnrollResponse>, Status> {
        let pb::RecoverRequest { certificate, nonce, signature } = request.into_inner();
        let known = inkan_issuance::identity_ca::verify_identity(&certificate, self.0.ca.certificate()).unwrap();
        proof::verify_signature(&known.spki_der, &proof::recovery_message(&nonce), &signature)
            .map_err(|_| Status::permission_denied("the signature does not fit"))?;
        self.0.stale.store(false, Ordering::Relaxed);
        Ok(Response::new(self.0.answer(&known.spki_der)))
    }
}

#[tonic::async_trait]
impl Agent for Service {
    async fn sync(&self, request: Request<pb::SyncRequest>) -> Result<Response<pb::SyncResponse>, Status> {
        let asked = SyncReport::try_from(request.into_inner())?;
        let answer = self.0.server.lock().unwrap().sync(asked);
        Ok(Response::new(answer.into()))
    }

    async fn upload(
        &self,
        request: Request<Streaming<pb::UploadRequest>>,
    ) -> Result<Response<pb::UploadResponse>, Status> {
        let mut messages = request.into_inner();
        let mut taken = Vec::new();
        while let Some(message) = messages.message().await? {
            taken.push(Upload::try_from(message)?);
        }
        let lacks = self.0.server.lock().unwrap().upload(taken);
        Ok(Response::new(lacks.into()))
    }

    type WatchStream = ReceiverStream<Result<pb::Nudge, Status>>;

    async fn watch(&self, _request: Request<pb::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        let current = self.0.server.lock().unwrap().directives.generation;
        sender.send(Ok(current.into())).await.unwrap();
        // Held open, as long as the deployment runs.
        self.0.watchers.lock().unwrap().push(sender);
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn renew_identity(
        &self,
        request: Request<pb::RenewIdentityRequest>,
    ) -> Result<Response<pb::RenewIdentityResponse>, Status> {
        let csr = request.into_inner().csr;
        let chain = self.0.issue(Csr::parse(&csr).unwrap().spki_der());
        Ok(Response::new(pb::RenewIdentityResponse { chain }))
    }
}

/// Serves one listener and returns its address.
async fn serve(deployment: &Arc<Running>, client_auth: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(deployment.listener_config(client_auth)));
    let (sender, receiver) = tokio::sync::mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, sender) = (acceptor.clone(), sender.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let _ = sender.send(Ok::<_, std::io::Error>(Accepted(stream))).await;
                }
            });
        }
    });
    let service = Service(Arc::clone(deployment));
    let router = if client_auth {
        tonic::transport::Server::builder().add_service(AgentServer::new(service))
    } else {
        tonic::transport::Server::builder().add_service(EnrolmentServer::new(service))
    };
    tokio::spawn(router.serve_with_incoming(ReceiverStream::new(receiver)));
    address
}

/// A TLS stream that tonic serves.
struct Accepted(tokio_rustls::server::TlsStream<tokio::net::TcpStream>);

impl tonic::transport::server::Connected for Accepted {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl tokio::io::AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl tokio::io::AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// The one token that is good.
pub(crate) fn token() -> JoinTokenSecret {
    JoinTokenSecret::new([0x5a; 32])
}

/// Both listeners of a deployment, and what an operator would be told.
pub(crate) async fn deployment() -> (Arc<Running>, EnrollOrder) {
    let deployment = Running::new();
    let enrolment = serve(&deployment, false).await;
    let agents = serve(&deployment, true).await;
    *deployment.server_url.lock().unwrap() = format!("https://localhost:{}", agents.port());
    let order = EnrollOrder {
        server: format!("https://127.0.0.1:{}", enrolment.port()),
        token: token(),
        pin: deployment.ca.pin(),
        replace: false,
        proxy: None,
    };
    (deployment, order)
}
