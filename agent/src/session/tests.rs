//! The agent's side of the wire against a server in this process: real TLS, real gRPC, port 0.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use inkan_issuance::identity_ca::AgentCa;
use inkan_issuance::key::SoftwareKey;
use inkan_issuance::proof;
use inkan_issuance::request::Request as Csr;
use inkan_model::digest::StateDigest;
use inkan_model::host::HostFacts;
use inkan_model::identity::AgentIdentity;
use inkan_model::join_token::JoinTokenSecret;
use inkan_model::{Clock as _, HostId, Timestamp, VendorId};
use inkan_wire::pb;
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

use super::*;
use crate::clock::SystemClock;
use crate::data_dir::DataDir;
use crate::disk::Disk;
use crate::enroll::{EnrollError, EnrollOrder, Enrolment as Enrolled_, enroll};
use crate::identity::{IdentityError, IdentityFolder, MachineBinding, identity_request};
use crate::tls;

struct Deployment {
    ca: AgentCa,
    agent: AgentIdentity,
    serial: AtomicUsize,
    /// Whether identities are issued that are over already.
    stale: AtomicBool,
    enrolments: Mutex<Vec<Vec<u8>>>,
    server_url: Mutex<String>,
}

impl Deployment {
    fn new() -> Arc<Self> {
        let domain: inkan_model::identity::TrustDomain = "fleet.example".parse().unwrap();
        let now = SystemClock.now();
        let agent = AgentIdentity {
            deployment: domain.clone(),
            vendor: VendorId::new(now, [1; 10]),
            host: HostId::new(now, [2; 10]),
        };
        let ca = AgentCa::create(&domain, [1; 16], now.minus(Duration::days(60)), Duration::days(3_650)).unwrap();
        Arc::new(Self {
            ca,
            agent,
            serial: AtomicUsize::new(2),
            stale: AtomicBool::new(false),
            enrolments: Mutex::default(),
            server_url: Mutex::default(),
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
struct Service(Arc<Deployment>);

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
        let asked = inkan_model::sync::SyncReport::try_from(request.into_inner())?;
        Ok(Response::new(pb::SyncResponse {
            server_time_ms: asked.clock.as_unix_millis(),
            next_sync_seconds: 600,
            ..pb::SyncResponse::default()
        }))
    }

    async fn upload(
        &self,
        request: Request<Streaming<pb::UploadRequest>>,
    ) -> Result<Response<pb::UploadResponse>, Status> {
        let mut messages = request.into_inner();
        let mut certificates = Vec::new();
        while let Some(message) = messages.message().await? {
            let upload = Upload::try_from(message)?;
            certificates.extend(upload.certificates.iter().map(|der| inkan_model::Fingerprint::of(der)));
        }
        // Says back what came, for the test to see.
        Ok(Response::new(Lacks { certificates, ..Lacks::default() }.into()))
    }

    type WatchStream = ReceiverStream<Result<pb::Nudge, Status>>;

    async fn watch(&self, _request: Request<pb::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        sender.send(Ok(Generation(3).into())).await.unwrap();
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
async fn serve(deployment: &Arc<Deployment>, client_auth: bool) -> SocketAddr {
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

fn token() -> JoinTokenSecret {
    JoinTokenSecret::new([0x5a; 32])
}

/// Both listeners of a deployment, and what an operator would be told.
async fn deployment() -> (Arc<Deployment>, EnrollOrder) {
    let deployment = Deployment::new();
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

async fn enrol(place: &Path, order: EnrollOrder) -> Result<Enrolled_, EnrollError> {
    let facts = HostFacts { host_name: "pc".to_owned(), ..HostFacts::default() };
    enroll(order, &DataDir::new(place), &Disk::default(), facts, MachineBinding::of("machine")).await
}

fn again(order: &EnrollOrder) -> EnrollOrder {
    let EnrollOrder { server, pin, replace, .. } = order;
    EnrollOrder { server: server.clone(), token: token(), pin: *pin, replace: *replace, proxy: None }
}

async fn enrolled(place: &Path, order: EnrollOrder) -> Arc<Identity> {
    match enrol(place, order).await.unwrap() {
        Enrolled_::Done { identity, report_only: true } => Arc::new(*identity),
        other => panic!("{other:?}"),
    }
}

fn report() -> SyncReport {
    SyncReport {
        epoch: 1,
        entries: Vec::new(),
        state: StateDigest::from_bytes([1; 32]),
        report: None,
        generation: Generation(0),
        clock: Timestamp::from_unix_seconds(1_795_132_800),
    }
}

#[tokio::test]
async fn a_pc_enrols_and_speaks_with_its_identity() {
    let (place, (deployment, order)) = (tempfile::tempdir().unwrap(), deployment().await);
    let identity = enrolled(place.path(), order).await;
    assert_eq!(identity.agent, deployment.agent);
    let uplink = GrpcUplink::new(identity, None).unwrap();
    let Answered { answer, bytes } = uplink.sync(report()).await.unwrap();
    assert_eq!(answer.next_sync, Duration::minutes(10));
    assert!((40..100).contains(&bytes), "{bytes} bytes");
    let upload = Upload { certificates: vec![b"a".to_vec(), b"b".to_vec()], ..Upload::default() };
    assert_eq!(uplink.upload(vec![upload]).await.unwrap().certificates.len(), 2);
    let mut nudges = uplink.watch().await.unwrap();
    assert_eq!(tokio_stream::StreamExt::next(&mut nudges).await.unwrap().unwrap(), Generation(3));
}

#[tokio::test]
async fn an_identity_is_renewed_with_the_same_key_and_swapped() {
    let (place, (_deployment, order)) = (tempfile::tempdir().unwrap(), deployment().await);
    let identity = enrolled(place.path(), order).await;
    let uplink = GrpcUplink::new(Arc::clone(&identity), None).unwrap();
    let chain = uplink.renew_identity(identity_request(&*identity.key).unwrap()).await.unwrap();
    let renewed = IdentityFolder::new(Disk::default(), place.path()).renew(&identity, chain, None).unwrap();
    assert_eq!(renewed.generation, 2);
    uplink.adopt(Arc::new(renewed)).await.unwrap();
    uplink.sync(report()).await.unwrap();
}

#[tokio::test]
async fn an_expired_identity_is_refused_and_recovered_by_its_key() {
    let (place, (deployment, order)) = (tempfile::tempdir().unwrap(), deployment().await);
    deployment.stale.store(true, Ordering::Relaxed);
    let identity = enrolled(place.path(), order).await;
    let uplink = GrpcUplink::new(Arc::clone(&identity), None).unwrap();
    let refused = uplink.sync(report()).await.unwrap_err();
    assert!(matches!(refused, UplinkError::Expired(_)), "{refused:?}");
    let recovered = uplink.recover_identity(&identity).await.unwrap();
    let folder = IdentityFolder::new(Disk::default(), place.path());
    let renewed = folder.renew(&identity, recovered.chain, Some(recovered.server_url)).unwrap();
    uplink.adopt(Arc::new(renewed)).await.unwrap();
    uplink.sync(report()).await.unwrap();
}

#[tokio::test]
async fn a_wrong_pin_ends_the_enrolment_before_the_token_is_sent() {
    let (place, (deployment, order)) = (tempfile::tempdir().unwrap(), deployment().await);
    let other = Deployment::new().ca.pin();
    let refused = enrol(place.path(), EnrollOrder { pin: other, ..order }).await.unwrap_err();
    let words = crate::causes::with_causes(&refused);
    assert!(words.contains("no authority with the key of pin"), "{words}");
    assert!(deployment.enrolments.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_wrong_token_is_refused_in_the_servers_words_and_a_retry_uses_the_same_key() {
    let (place, (deployment, order)) = (tempfile::tempdir().unwrap(), deployment().await);
    let wrong = EnrollOrder { token: JoinTokenSecret::new([1; 32]), ..again(&order) };
    let refused = enrol(place.path(), wrong).await.unwrap_err();
    assert!(matches!(&refused, EnrollError::Uplink { cause: UplinkError::Refused(_), .. }));
    assert!(crate::causes::with_causes(&refused).contains("the join token is not known"));
    let key = IdentityFolder::new(Disk::default(), place.path()).begin().unwrap().public_key();
    let identity = enrolled(place.path(), order).await;
    assert_eq!(identity.key.public_key(), key);
    assert_eq!(*deployment.enrolments.lock().unwrap(), [key]);
}

#[tokio::test]
async fn enrolling_twice_does_nothing_and_replacing_makes_a_new_host() {
    let (place, (deployment, order)) = (tempfile::tempdir().unwrap(), deployment().await);
    let first = enrolled(place.path(), again(&order)).await;
    assert!(
        matches!(enrol(place.path(), again(&order)).await.unwrap(), Enrolled_::Already { host } if host == first.agent.host)
    );
    let elsewhere = EnrollOrder { pin: Deployment::new().ca.pin(), ..again(&order) };
    let refused = enrol(place.path(), elsewhere).await.unwrap_err();
    assert!(matches!(refused, EnrollError::Identity(IdentityError::Enrolled { .. })));
    std::fs::write(place.path().join("ledger.json"), b"of the first host").unwrap();
    let second = enrolled(place.path(), EnrollOrder { replace: true, ..order }).await;
    assert_ne!(second.key.public_key(), first.key.public_key());
    assert!(!place.path().join("ledger.json").exists());
    assert_eq!(deployment.enrolments.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_from_one_that_refuses() {
    let (place, (_deployment, order)) = (tempfile::tempdir().unwrap(), deployment().await);
    let mut away = again(&order);
    away.server = "https://127.0.0.1:1".to_owned();
    let refused = enrol(place.path(), away).await.unwrap_err();
    assert!(matches!(&refused, EnrollError::Uplink { cause: UplinkError::Unreachable(_), .. }));
    let words = crate::causes::with_causes(&refused);
    assert!(words.contains("127.0.0.1 port 1") && words.contains("refused"), "{words}");
}
