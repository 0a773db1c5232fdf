//! Whether a programme's sites open from this PC: a TLS handshake that trusts what the PC trusts.
//!
//! A site that asks for a client certificate is shown the programme's, with the key that signed in the check before.

mod verifier;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use inkan_model::Fingerprint;
use inkan_model::checkup::{Check, CheckResult, CheckStatus};
use inkan_model::limits::{self, tame_text};
use inkan_model::locale::Bilingual;
use inkan_model::programme::Site;
use inkan_trust_store::PrivateKey;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, ClientConfig, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use self::verifier::PcVerifier;
use super::anchors::TrustedRoot;
use crate::causes::with_causes;
use crate::renewer::client_key;
use crate::session::Proxy;
use crate::tls;

/// How long one site may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// A site, and what came of asking it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SiteProbe {
    /// The site.
    pub site: Site,
    /// What came of it.
    pub answer: SiteAnswer,
}

/// What came of asking a site.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SiteAnswer {
    /// The handshake was completed.
    Opened {
        /// TLS version and server's certificate.
        detail: String,
        /// Whether the site asked for a client certificate, and there was one to show.
        client: ClientShown,
    },
    /// The site does not take the client certificate.
    Refused(String),
    /// Nothing is known of what this PC trusts, so that it was not asked.
    NotJudged(String),
    /// No certificate on this PC vouches for the site.
    Untrusted(String),
    /// The site's certificate is not for it, or not for now.
    Wrong(String),
    /// No TLS that both sides speak.
    NoTls(String),
    /// No connection.
    Unreachable(String),
}

/// Whether a site asked for a client certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientShown {
    /// It did not ask.
    NotAsked,
    /// It asked, and there was none to show.
    Nothing,
    /// It took the one that was shown.
    Taken,
}

/// A client certificate to show, leaf first.
#[derive(Clone)]
pub(super) struct ClientIdentity {
    /// The chain as DER.
    pub(super) chain: Vec<Vec<u8>>,
    /// The key of the first one.
    pub(super) key: Arc<dyn PrivateKey>,
}

/// Asks every site at once.
pub(super) async fn probe(
    sites: &[Site],
    roots: &[TrustedRoot],
    identity: Option<ClientIdentity>,
    proxy: Option<Proxy>,
) -> Vec<SiteProbe> {
    let verifier = match PcVerifier::new(roots, tls::provider()) {
        Ok(verifier) => Arc::new(verifier),
        Err(error) => {
            let answer = SiteAnswer::NotJudged(tamed(&error.to_string()));
            return sites.iter().map(|site| SiteProbe { site: site.clone(), answer: answer.clone() }).collect();
        }
    };
    let mut asking = JoinSet::new();
    for (number, site) in sites.iter().enumerate() {
        let (site, verifier, identity, proxy) = (site.clone(), Arc::clone(&verifier), identity.clone(), proxy.clone());
        asking.spawn(async move {
            let answer = tokio::time::timeout(DEADLINE, ask(&site, verifier, identity, proxy)).await;
            let late = |_| SiteAnswer::Unreachable(format!("no answer within {} seconds", DEADLINE.as_secs()));
            (number, SiteProbe { site, answer: answer.unwrap_or_else(late) })
        });
    }
    let mut probes = asking.join_all().await;
    probes.sort_unstable_by_key(|(number, _)| *number);
    probes.into_iter().map(|(_, probe)| probe).collect()
}

async fn ask(
    site: &Site,
    verifier: Arc<PcVerifier>,
    identity: Option<ClientIdentity>,
    proxy: Option<Proxy>,
) -> SiteAnswer {
    let Ok(name) = ServerName::try_from(site.host().to_owned()) else {
        return SiteAnswer::Unreachable("not a name or address that TLS knows".to_owned());
    };
    let resolver = Arc::new(Shown::new(identity));
    let config = ClientConfig::builder_with_provider(tls::provider()).with_protocol_versions(&[&TLS13, &TLS12]);
    let config = match config {
        Ok(config) => config
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::clone(&resolver) as Arc<_>),
        Err(error) => return SiteAnswer::NoTls(tamed(&error.to_string())),
    };
    let connected = match &proxy {
        Some(proxy) => proxy.connect(site.host(), site.port()).await.map_err(|error| with_causes(&error)),
        None => TcpStream::connect((site.host(), site.port())).await.map_err(|error| error.to_string()),
    };
    let stream = match connected {
        Ok(stream) => stream,
        Err(why) => return SiteAnswer::Unreachable(tamed(&why)),
    };
    let mut stream = match TlsConnector::from(Arc::new(config)).connect(name, stream).await {
        Ok(stream) => stream,
        Err(error) => return failed_handshake(&error, resolver.asked()),
    };
    match first_words(&mut stream, site.host()).await {
        Ok(()) => SiteAnswer::Opened { detail: describe(&stream), client: resolver.outcome() },
        Err(error) if resolver.asked() => SiteAnswer::Refused(tamed(&error.to_string())),
        Err(error) => SiteAnswer::NoTls(tamed(&error.to_string())),
    }
}

/// In TLS 1.3 a refusal of the client's certificate comes after the handshake, so something has to be asked.
async fn first_words(stream: &mut TlsStream<TcpStream>, host: &str) -> io::Result<()> {
    let request = format!("HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    match stream.read(&mut [0; 256]).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        Err(error) => Err(error),
    }
}

fn failed_handshake(error: &io::Error, asked: bool) -> SiteAnswer {
    let why = tamed(&error.to_string());
    let rustls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match rustls {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            SiteAnswer::Untrusted(why)
        }
        Some(rustls::Error::InvalidCertificate(_)) => SiteAnswer::Wrong(why),
        Some(rustls::Error::AlertReceived(_)) if asked => SiteAnswer::Refused(why),
        _ => SiteAnswer::NoTls(why),
    }
}

fn describe(stream: &TlsStream<TcpStream>) -> String {
    let (_, connection) = stream.get_ref();
    let version = connection.protocol_version().and_then(|version| version.as_str()).unwrap_or("TLS");
    let server = connection.peer_certificates().and_then(|chain| chain.first());
    let server = server.map(|der| Fingerprint::of(der).short()).unwrap_or_default();
    format!("{version}, {server}")
}

fn tamed(text: &str) -> String {
    tame_text(text, limits::SHORT_TEXT)
}

/// Shows the certificate where there is one, and takes note that the site asked.
struct Shown {
    key: Option<Arc<CertifiedKey>>,
    asked: AtomicBool,
}

impl Shown {
    fn new(identity: Option<ClientIdentity>) -> Self {
        let key = identity.map(|identity| Arc::new(client_key(identity.key).with_chain(&identity.chain)));
        Self { key, asked: AtomicBool::new(false) }
    }

    fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    fn outcome(&self) -> ClientShown {
        match (self.asked(), &self.key) {
            (false, _) => ClientShown::NotAsked,
            (true, None) => ClientShown::Nothing,
            (true, Some(_)) => ClientShown::Taken,
        }
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown").field("asked", &self.asked()).finish_non_exhaustive()
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.key.clone()
    }

    /// Also without one, so that it is known whether the site asked.
    fn has_certs(&self) -> bool {
        true
    }
}

/// What came of it, site by site.
pub(super) fn checks(probes: &[SiteProbe]) -> Vec<CheckResult> {
    probes.iter().map(result).collect()
}

fn result(probe: &SiteProbe) -> CheckResult {
    let SiteProbe { site, answer } = probe;
    let name = Check::Sites;
    let unwell = |status, ja: String, en: String, remedy: (&str, &str)| {
        CheckResult::unwell(name, status, Bilingual::new(ja, en), Bilingual::new(remedy.0, remedy.1))
    };
    match answer {
        SiteAnswer::Opened { detail, client } => {
            let (ja, en) = match client {
                ClientShown::NotAsked => ("", ""),
                ClientShown::Nothing => ("。クライアント証明書を求められました", ", and asks for a client certificate"),
                ClientShown::Taken => {
                    ("。クライアント証明書も受け付けられました", ", and takes the client certificate")
                }
            };
            CheckResult::well(
                name,
                format!("{site} は警告なしで開きます ({detail}){ja}。"),
                format!("{site} opens without a warning ({detail}){en}."),
            )
        }
        SiteAnswer::NotJudged(why) => CheckResult::unknown(
            name,
            format!("この端末が信頼するルートを読み取れないので、{site} を試していません ({why})。"),
            format!("What this PC trusts cannot be read, so {site} was not tried ({why})."),
        ),
        SiteAnswer::Untrusted(why) => unwell(
            CheckStatus::Now,
            format!("{site} を開くと警告が出ます。この端末はサイトの証明書を信頼していません ({why})。"),
            format!("{site} shows a warning: this PC does not trust its certificate ({why})."),
            (
                "システムのルート証明書を「信頼されたルート証明機関」に入れてください。",
                "Install the system’s root among the trusted roots.",
            ),
        ),
        SiteAnswer::Wrong(why) => unwell(
            CheckStatus::Now,
            format!("{site} の証明書が正しくありません ({why})。"),
            format!("The certificate of {site} is not right ({why})."),
            (
                "端末の時計とプロキシを確かめ、続くようならサイトの窓口に知らせてください。",
                "Check the PC’s clock and the proxy; if it stays so, tell whoever runs the site.",
            ),
        ),
        SiteAnswer::Refused(why) => unwell(
            CheckStatus::Now,
            format!("{site} はクライアント証明書を受け付けません ({why})。"),
            format!("{site} does not take the client certificate ({why})."),
            (
                "証明書の期限と失効を確かめ、発行元に問い合わせてください。",
                "Check whether the certificate has expired or was revoked, and ask its issuer.",
            ),
        ),
        SiteAnswer::NoTls(why) => unwell(
            CheckStatus::Now,
            format!("{site} と TLS で通信できません ({why})。"),
            format!("There is no TLS with {site} ({why})."),
            (
                "TLS の設定と、間にあるプロキシやセキュリティ製品を確かめてください。",
                "Check the TLS settings, and what stands between: a proxy, a security product.",
            ),
        ),
        SiteAnswer::Unreachable(why) => unwell(
            CheckStatus::Soon,
            format!("{site} につながりません ({why})。"),
            format!("{site} cannot be reached ({why})."),
            (
                "ネットワークとプロキシの設定、専用回線につながっているかを確かめてください。",
                "Check the network, the proxy, and whether the closed network that the site is on can be reached.",
            ),
        ),
    }
}

#[cfg(test)]
mod tests;
