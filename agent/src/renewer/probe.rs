//! The probe: whether a site accepts the new certificate in a real TLS handshake.
//!
//! In TLS 1.3 a client is done before the server has looked at its certificate, so a completed handshake proves nothing
//! yet. The probe therefore asks for something and waits for one byte, or for the end: a refusal comes as an alert in its
//! place. A site that never asks for a certificate has not accepted one.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use inkan_model::directive::ProbeTarget;
use inkan_model::limits::{self, tame_text};
use inkan_model::renewal::ProbeResult;
use inkan_trust_store::{PrivateKey, SignatureScheme as StoreScheme};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Prober;
use crate::causes::with_causes;
use crate::tls::{self, ClientKey, SignMessage, TlsError};

/// How long the whole probe may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why a probe did not end well.
#[derive(Debug, thiserror::Error)]
enum ProbeError {
    #[error("could not connect")]
    Connect(#[source] io::Error),
    #[error("no answer within {} seconds", DEADLINE.as_secs())]
    Deadline,
    #[error("the TLS handshake failed")]
    Handshake(#[source] io::Error),
    #[error("not a name or address that TLS knows")]
    Name,
    #[error("the site did not ask for a certificate")]
    NotAsked,
    #[error("the site refused the certificate after the handshake")]
    Refused(#[source] io::Error),
    #[error("could not read what this PC trusts")]
    Roots(#[source] io::Error),
    #[error("could not set up TLS")]
    Tls(#[source] TlsError),
}

/// Probes over the PC's network.
#[derive(Clone, Debug)]
pub struct TlsProber(Handle);

impl TlsProber {
    /// Connects on this runtime. [`Prober::probe`] blocks, so it must be called from one of its blocking threads.
    pub fn new(runtime: Handle) -> Self {
        Self(runtime)
    }
}

impl Prober for TlsProber {
    fn probe(&self, target: &ProbeTarget, chain: &[Vec<u8>], key: Arc<dyn PrivateKey>) -> ProbeResult {
        let key = client_key(key).with_chain(chain);
        let probe = async {
            match tokio::time::timeout(DEADLINE, connect(target, key)).await {
                Ok(answered) => answered,
                Err(_) => Err(ProbeError::Deadline),
            }
        };
        let (accepted, detail) = match self.0.block_on(probe) {
            Ok(detail) => (true, detail),
            Err(error) => (false, with_causes(&error)),
        };
        let name = format!("{}:{}", target.host, target.port);
        ProbeResult { target: name, accepted, detail: tame_text(&detail, limits::LONG_TEXT) }
    }
}

async fn connect(target: &ProbeTarget, key: CertifiedKey) -> Result<String, ProbeError> {
    let ProbeTarget { host, port, anchor } = target;
    let name = ServerName::try_from(host.clone()).map_err(|_| ProbeError::Name)?;
    let roots = match anchor {
        Some(anchor) => tls::roots(std::slice::from_ref(anchor)).map_err(ProbeError::Tls)?,
        None => tls::system_roots().map_err(ProbeError::Roots)?,
    };
    let shown = Arc::new(ShownOnce { key: Arc::new(key), asked: AtomicBool::new(false) });
    let config = ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| ProbeError::Tls(TlsError::Setup(error)))?
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesClientCert>);
    let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(ProbeError::Connect)?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(ProbeError::Handshake)?;
    let answer = ask(&mut stream, host).await.map_err(ProbeError::Refused)?;
    if !shown.asked.load(Ordering::Relaxed) {
        return Err(ProbeError::NotAsked);
    }
    Ok(describe(&stream, &answer))
}

/// Asks for the site's first page and reads the beginning of the answer.
async fn ask(stream: &mut TlsStream<TcpStream>, host: &str) -> io::Result<Vec<u8>> {
    let request = format!("HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = vec![0; 256];
    match stream.read(&mut answer).await {
        Ok(length) => {
            answer.truncate(length);
            Ok(answer)
        }
        // Many servers hang up without a word of farewell.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn describe(stream: &TlsStream<TcpStream>, answer: &[u8]) -> String {
    let (_, connection) = stream.get_ref();
    let version = connection.protocol_version().and_then(|version| version.as_str()).unwrap_or("TLS");
    let server = connection.peer_certificates().and_then(|chain| chain.first());
    let server = server.map(|der| inkan_model::Fingerprint::of(der).to_string()).unwrap_or_default();
    let line = answer.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let said = if line.starts_with("HTTP/") { format!(", answered {line}") } else { String::new() };
    format!("{version}, server certificate sha256:{server}{said}")
}

/// Shows the certificate and takes note that the site asked for one.
#[derive(Debug)]
struct ShownOnce {
    key: Arc<CertifiedKey>,
    asked: AtomicBool,
}

impl ResolvesClientCert for ShownOnce {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        Some(Arc::clone(&self.key))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A store's key, as TLS wants a client's key.
pub(crate) fn client_key(key: Arc<dyn PrivateKey>) -> ClientKey {
    ClientKey::new(Arc::new(StoredKey(key)))
}

struct StoredKey(Arc<dyn PrivateKey>);

const fn tls_scheme(scheme: StoreScheme) -> SignatureScheme {
    match scheme {
        StoreScheme::EcdsaP256Sha256 => SignatureScheme::ECDSA_NISTP256_SHA256,
        StoreScheme::RsaPkcs1Sha256 => SignatureScheme::RSA_PKCS1_SHA256,
        StoreScheme::RsaPssSha256 => SignatureScheme::RSA_PSS_SHA256,
    }
}

impl SignMessage for StoredKey {
    /// TLS 1.3 wants PSS of an RSA key (RFC 8446 §4.2.3); a key that cannot is shown to a TLS 1.2 site only.
    fn schemes(&self) -> Vec<SignatureScheme> {
        self.0.schemes().iter().map(|scheme| tls_scheme(*scheme)).collect()
    }

    fn sign_message(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        let chosen = self.0.schemes().iter().find(|own| tls_scheme(**own) == scheme);
        let chosen = chosen.ok_or("the key does not sign in the way that the site asked for")?;
        Ok(self.0.sign(*chosen, message)?)
    }
}

#[cfg(test)]
mod tests;
