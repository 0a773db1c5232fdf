//! Connections as an agent makes them: TLS 1.3 with ring, the deployment's CA known by its pin or from the identity's
//! chain, and every byte counted.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use anyhow::{Context as _, Result};
use hyper_util::rt::TokioIo;
use inkan_issuance::identity_ca::CaPin;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use super::Identity;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes sent and received.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Bytes {
    /// Sent, TLS included.
    pub sent: u64,
    /// Received, TLS included.
    pub received: u64,
}

/// Counts what goes over a PC's connections.
#[derive(Clone, Debug, Default)]
pub struct Traffic(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Traffic {
    /// What was counted since the last time.
    pub fn take(&self) -> Bytes {
        Bytes { sent: self.0.sent.swap(0, Ordering::Relaxed), received: self.0.received.swap(0, Ordering::Relaxed) }
    }
}

/// Connects to the enrolment listener, whose CA must have this pin.
pub(super) async fn to_enrolment(address: SocketAddr, pin: CaPin, source: IpAddr) -> Result<Channel> {
    let provider = provider();
    let verifier = PinnedCa { pin, provider: Arc::clone(&provider) };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .context("ring speaks TLS 1.3")?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    connect(address, source, config, Traffic::default()).await
}

/// Connects to the agents' listener with an identity.
pub(super) async fn to_agents(identity: &Identity, traffic: Traffic) -> Result<Channel> {
    let Identity { key, chain, server_url, source } = identity;
    let mut roots = RootCertStore::empty();
    let ca = chain.last().context("an empty chain")?;
    roots.add(CertificateDer::from(ca.as_slice())).context("the deployment's CA is not one")?;
    let own = chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.pkcs8().to_vec()));
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .context("ring speaks TLS 1.3")?
        .with_root_certificates(roots)
        .with_client_auth_cert(own, key)
        .context("identity and key do not fit")?;
    connect(resolve(server_url).await?, *source, config, traffic).await
}

/// The address in an `https://host:port` URL; loopback only, because simulated PCs have no business elsewhere.
async fn resolve(url: &str) -> Result<SocketAddr> {
    let authority = url.trim_start_matches("https://").trim_end_matches('/');
    let authority = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:443") };
    let found = tokio::net::lookup_host(&authority).await.with_context(|| format!("could not resolve {authority}"))?;
    let loopback = found.into_iter().find(|address| address.ip().is_loopback() && address.is_ipv4());
    loopback.with_context(|| format!("{authority} is not on the loopback interface"))
}

async fn connect(address: SocketAddr, source: IpAddr, mut config: ClientConfig, traffic: Traffic) -> Result<Channel> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tls = TlsConnector::from(Arc::new(config));
    let name = ServerName::IpAddress(address.ip().into());
    let connector = service_fn(move |_| {
        let (tls, name, traffic) = (tls.clone(), name.clone(), traffic.clone());
        async move {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new(source, 0))?;
            let stream = socket.connect(address).await?;
            stream.set_nodelay(true)?;
            io::Result::Ok(TokioIo::new(tls.connect(name, Counted { stream, traffic }).await?))
        }
    });
    let endpoint = Endpoint::from_shared(format!("http://{address}")).context("not an address")?;
    let endpoint = endpoint.connect_timeout(TIMEOUT).timeout(TIMEOUT);
    endpoint.connect_with_connector(connector).await.with_context(|| format!("could not connect to {address}"))
}

/// The loopback address that the `number`th PC comes from, so that limits by address do not meet all of them at once.
pub fn source(number: u32) -> IpAddr {
    let [_, _, high, low] = number.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, 1, high, low.max(1)))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

struct Counted {
    stream: TcpStream,
    traffic: Traffic,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Task<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(task, buffer))?;
        let read = buffer.filled().len().saturating_sub(before);
        self.traffic.0.received.fetch_add(read as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(task, bytes))?;
        self.traffic.0.sent.fetch_add(written as u64, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}

/// Trusts the one CA in the server's chain that has the pin, and nothing else.
#[derive(Debug)]
struct PinnedCa {
    pin: CaPin,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedCa {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let unknown = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let pinned = intermediates.iter().find(|der| CaPin::of_certificate(der).is_ok_and(|pin| pin == self.pin));
        let mut roots = RootCertStore::empty();
        roots.add(pinned.ok_or_else(unknown)?.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider)).build();
        verifier.map_err(|_| unknown())?.verify_server_cert(leaf, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 only".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, leaf, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
