//! The probe against TLS servers in this process.

use inkan_issuance::key::SoftwareKey;
use inkan_issuance::private_ca::{CertificationAuthority as _, Order, PrivateCa};
use inkan_model::{Clock as _, Timestamp};
use inkan_trust_store::ChangeError;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::clock::SystemClock;

struct InMemory(SoftwareKey);

impl PrivateKey for InMemory {
    fn public_key(&self) -> Vec<u8> {
        self.0.spki()
    }

    fn schemes(&self) -> &[StoreScheme] {
        &[StoreScheme::EcdsaP256Sha256]
    }

    fn sign(&self, _scheme: StoreScheme, message: &[u8]) -> Result<Vec<u8>, ChangeError> {
        self.0.sign_message(message).map_err(|error| ChangeError::Crypto { what: error.to_string() })
    }
}

fn authority() -> PrivateCa {
    PrivateCa::create("Clinics", [1; 16], SystemClock.now(), time::Duration::days(30)).unwrap()
}

fn client(authority: &PrivateCa) -> (Vec<Vec<u8>>, Arc<dyn PrivateKey>) {
    let key = SoftwareKey::generate().unwrap();
    let now: Timestamp = SystemClock.now();
    let order = Order {
        subject_der: b"\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01x".to_vec(),
        spki_der: key.spki(),
        serial: [2; 16],
        not_before: now.minus(time::Duration::hours(1)),
        not_after: now.plus(time::Duration::days(1)),
    };
    (authority.issue(&order).unwrap(), Arc::new(InMemory(key)))
}

/// Serves one connection, which has to bring a certificate of `trusted` where there is one.
async fn site(
    trusted: Option<&PrivateCa>,
    version: &'static SupportedProtocolVersion,
) -> (ProbeTarget, tokio::task::JoinHandle<()>) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let builder = ServerConfig::builder_with_provider(tls::provider()).with_protocol_versions(&[version]).unwrap();
    let chain = vec![certificate.der().clone()];
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = match trusted {
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from(authority.certificate().to_vec())).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls::provider()).build();
            builder.with_client_cert_verifier(verifier.unwrap()).with_single_cert(chain, key).unwrap()
        }
        None => builder.with_no_client_auth().with_single_cert(chain, key).unwrap(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        if let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await {
            let mut request = [0; 512];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    });
    let anchor = Some(certificate.der().to_vec());
    (ProbeTarget { host: "localhost".to_owned(), port, anchor }, served)
}

async fn probe(target: &ProbeTarget, client: (Vec<Vec<u8>>, Arc<dyn PrivateKey>)) -> ProbeResult {
    let (prober, target, (chain, key)) = (TlsProber::new(Handle::current()), target.clone(), client);
    tokio::task::spawn_blocking(move || prober.probe(&target, &chain, key)).await.unwrap()
}

#[tokio::test]
async fn a_site_that_trusts_the_authority_accepts_in_either_version_of_tls() {
    let authority = authority();
    for (version, name) in [(&TLS13, "TLSv1_3"), (&TLS12, "TLSv1_2")] {
        let (target, _served) = site(Some(&authority), version).await;
        let result = probe(&target, client(&authority)).await;
        assert!(result.accepted, "{result:?}");
        assert!(result.detail.starts_with(name) && result.detail.contains("HTTP/1.1 204"), "{}", result.detail);
    }
}

#[tokio::test]
async fn a_refusal_is_seen_even_when_it_comes_after_the_handshake() {
    let (trusted, other) = (authority(), authority());
    for version in [&TLS13, &TLS12] {
        let (target, _served) = site(Some(&trusted), version).await;
        let result = probe(&target, client(&other)).await;
        assert!(!result.accepted, "{result:?}");
    }
}

#[tokio::test]
async fn a_site_that_asks_for_no_certificate_has_accepted_none() {
    let (target, _served) = site(None, &TLS13).await;
    let result = probe(&target, client(&authority())).await;
    assert_eq!((result.accepted, result.detail.as_str()), (false, "the site did not ask for a certificate"));
}

#[tokio::test]
async fn a_site_that_is_not_the_anchored_one_is_not_spoken_to() {
    let authority = authority();
    let (mut target, _served) = site(Some(&authority), &TLS13).await;
    target.anchor = Some(authority.certificate().to_vec());
    let result = probe(&target, client(&authority)).await;
    assert!(!result.accepted && result.detail.contains("handshake"), "{result:?}");
}

#[tokio::test]
async fn a_site_that_is_not_there_is_a_refusal_in_words() {
    let target =
        ProbeTarget { host: "127.0.0.1".to_owned(), port: 1, anchor: Some(authority().certificate().to_vec()) };
    let result = probe(&target, client(&authority())).await;
    assert!(!result.accepted && result.detail.contains("could not connect"), "{result:?}");
}
