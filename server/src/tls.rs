//! TLS of the three listeners. TLS 1.3 only for agents, ring only, no session tickets: a resumed session would skip the
//! look at the certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inkan_model::Clock;
use rustls::crypto::ring::default_provider;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert, VerifierBuilderError, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{ConfigBuilder, RootCertStore, ServerConfig, SupportedProtocolVersion, WantsVerifier};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

/// TLS that could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The protocol versions do not fit the provider, or key and certificate do not belong together.
    #[error("could not set up TLS")]
    Setup(#[source] rustls::Error),
    /// The agents' authority is not one that TLS can use.
    #[error("could not use the agents' authority to verify clients")]
    Authority(#[source] rustls::Error),
    /// The verifier of clients could not be made.
    #[error("could not set up the verification of clients")]
    Verifier(#[source] VerifierBuilderError),
    /// A PEM file of the configuration cannot be read.
    #[error("{key}: could not read {}", path.display())]
    File {
        /// The configuration's key.
        key: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: rustls_pki_types::pem::Error,
    },
}

/// Lets certificates expire by the server's clock, so that a test can own it.
struct Time(Arc<dyn Clock>);

impl std::fmt::Debug for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Time")
    }
}

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_unix_seconds()).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}

fn builder(
    clock: Arc<dyn Clock>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, TlsError> {
    ServerConfig::builder_with_details(Arc::new(default_provider()), Arc::new(Time(clock)))
        .with_protocol_versions(versions)
        .map_err(TlsError::Setup)
}

fn without_resumption(mut config: ServerConfig, alpn: &[&[u8]]) -> Arc<ServerConfig> {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

/// For agents: a client certificate of `agent_ca` is required.
pub(crate) fn for_agents(
    agent_ca: &[u8],
    certificate: Arc<dyn ResolvesServerCert>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add(agent_ca.to_vec().into()).map_err(TlsError::Authority)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()))
        .build()
        .map_err(TlsError::Verifier)?;
    let config = builder(clock, &[&TLS13])?.with_client_cert_verifier(verifier).with_cert_resolver(certificate);
    Ok(without_resumption(config, &[b"h2"]))
}

/// For those who have no identity (any more).
pub(crate) fn for_enrolment(
    certificate: Arc<dyn ResolvesServerCert>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let config = builder(clock, &[&TLS13])?.with_no_client_auth().with_cert_resolver(certificate);
    Ok(without_resumption(config, &[b"h2"]))
}

/// For browsers, with the listeners' certificate.
pub(crate) fn for_web(
    certificate: Arc<dyn ResolvesServerCert>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let config = builder(clock, &[&TLS13, &TLS12])?.with_no_client_auth().with_cert_resolver(certificate);
    Ok(without_resumption(config, &[b"h2", b"http/1.1"]))
}

/// For browsers, with a certificate from somewhere else.
pub(crate) fn for_web_from_files(
    cert: &Path,
    key: &Path,
    clock: Arc<dyn Clock>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let at = |key, path: &Path| {
        let path = path.to_owned();
        move |cause| TlsError::File { key, path, cause }
    };
    let chain = CertificateDer::pem_file_iter(cert).map_err(at("web.tls.cert", cert))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(at("web.tls.cert", cert))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(at("web.tls.key", key))?;
    let config = builder(clock, &[&TLS13, &TLS12])?.with_no_client_auth();
    let config = config.with_single_cert(chain, key).map_err(TlsError::Setup)?;
    Ok(without_resumption(config, &[b"h2", b"http/1.1"]))
}
