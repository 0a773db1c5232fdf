//! A page on the loopback interface, with a certificate from a root of its own, and a book of who came.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use inkan_tests::certificates::now;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use time::{Duration as Days, OffsetDateTime};

/// How long one visitor may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A page, served until the test ends.
pub(crate) struct Site {
    address: SocketAddr,
    root: Vec<u8>,
    book: Arc<Mutex<Book>>,
}

/// How the visits for one page ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Visit {
    /// Nobody came.
    Nobody,
    /// Somebody came, saw the certificate and said no to it.
    TurnedAway,
    /// The request arrived.
    Loaded,
}

#[derive(Default)]
struct Book {
    requested: Vec<String>,
    turned_away: usize,
}

impl Site {
    /// Makes a root and a certificate, and begins to serve.
    pub(crate) fn start() -> Result<Self> {
        let (config, root) = identity()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("could not listen")?;
        let address = listener.local_addr().context("no address")?;
        let book = Arc::<Mutex<Book>>::default();
        let shared = Arc::clone(&book);
        thread::spawn(move || {
            for visitor in listener.incoming().flatten() {
                let (config, book) = (Arc::clone(&config), Arc::clone(&shared));
                thread::spawn(move || {
                    let request = serve(visitor, config);
                    let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
                    match request {
                        Ok(path) => book.requested.push(path),
                        Err(error) if is_refusal(&error) => book.turned_away += 1,
                        // Browsers open connections ahead of time and drop them.
                        Err(_) => {}
                    }
                });
            }
        });
        Ok(Self { address, root, book })
    }

    /// The certificate of the root.
    pub(crate) fn root(&self) -> &[u8] {
        &self.root
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// How the visits for this page went so far.
    pub(crate) fn visit(&self, path: &str) -> Visit {
        let book = self.lock();
        match (book.requested.iter().any(|requested| requested == path), book.turned_away) {
            (true, _) => Visit::Loaded,
            (false, 0) => Visit::Nobody,
            (false, _) => Visit::TurnedAway,
        }
    }

    /// Begins the book anew.
    pub(crate) fn forget(&self) {
        *self.lock() = Book::default();
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the visitor said that it does not like the certificate, by an alert of TLS.
fn is_refusal(error: &anyhow::Error) -> bool {
    let tls = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    matches!(tls.and_then(|tls| tls.downcast_ref()), Some(rustls::Error::AlertReceived(_)))
}

/// Shakes hands and answers; the path that was asked for.
fn serve(visitor: TcpStream, config: Arc<ServerConfig>) -> Result<String> {
    visitor.set_read_timeout(Some(PATIENCE))?;
    let connection = ServerConnection::new(config)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, visitor));
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let path = line.split(' ').nth(1).context("no request")?.to_owned();
    let page = "<!doctype html><title>loaded</title><p>loaded";
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close", page.len());
    let stream = stream.get_mut();
    write!(stream, "{head}\r\n\r\n{page}")?;
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(path)
}

fn identity() -> Result<(Arc<ServerConfig>, Vec<u8>)> {
    let (root_key, key) = (KeyPair::generate()?, KeyPair::generate()?);
    let mut root = params("Root of a test");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let root_certificate = root.self_signed(&root_key)?;
    let mut leaf = params("localhost");
    leaf.subject_alt_names = vec![rcgen::SanType::DnsName("localhost".try_into()?)];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let leaf = leaf.signed_by(&key, &Issuer::new(root, root_key))?;
    let chain = vec![CertificateDer::from(leaf.der().to_vec())];
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|why| anyhow::anyhow!(why))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_no_client_auth().with_single_cert(chain, key)?;
    Ok((Arc::new(config), root_certificate.der().to_vec()))
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = OffsetDateTime::from_unix_timestamp(now().as_unix_seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    (params.not_before, params.not_after) = (now - Days::days(1), now + Days::days(90));
    params
}
