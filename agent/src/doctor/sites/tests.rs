//! Sites of this process, asked over loopback.

use inkan_model::programme::Site;
use inkan_model::{Clock as _, EntryProperties};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::clock::SystemClock;
use crate::doctor::Check;

struct Shop {
    site: Site,
    /// What a PC has to trust to open it.
    root: Vec<u8>,
    _serving: tokio::task::JoinHandle<()>,
}

/// A certificate for `localhost`, and what vouches for it.
struct ServerCertificate {
    leaf: CertificateDer<'static>,
    key: KeyPair,
    root: Vec<u8>,
}

fn authority(name: &str) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params, KeyPair::generate().unwrap())
}

fn issued() -> ServerCertificate {
    let (root, root_key) = authority("Root");
    let root_der = root.self_signed(&root_key).unwrap().der().to_vec();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::new(root, root_key)).unwrap();
    ServerCertificate { leaf: leaf.der().clone(), key, root: root_der }
}

/// A server's certificate that vouches for itself, as an authority or not, for a name and some days.
fn self_signed(is_ca: bool, name: &str, days: std::ops::Range<i64>) -> ServerCertificate {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let now = SystemClock.now().to_utc();
    (params.not_before, params.not_after) =
        (now + time::Duration::days(days.start), now + time::Duration::days(days.end));
    let leaf = params.self_signed(&key).unwrap().der().clone();
    ServerCertificate { root: leaf.to_vec(), leaf, key }
}

/// Serves connections with this certificate, and wants a client certificate of `clients` where it is given.
async fn open(certificate: ServerCertificate, clients: Option<&[u8]>) -> Shop {
    let ServerCertificate { leaf, key, root } = certificate;
    let builder =
        ServerConfig::builder_with_provider(tls::provider()).with_protocol_versions(&[&TLS13, &TLS12]).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = match clients {
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from(authority.to_vec())).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls::provider()).build();
            builder.with_client_cert_verifier(verifier.unwrap()).with_single_cert(vec![leaf], key).unwrap()
        }
        None => builder.with_no_client_auth().with_single_cert(vec![leaf], key).unwrap(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = format!("https://localhost:{}", listener.local_addr().unwrap().port()).parse().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut request = [0; 512];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    Shop { site, root, _serving: serving }
}

fn trusted(roots: &[Vec<u8>]) -> Vec<TrustedRoot> {
    roots.iter().map(|der| TrustedRoot { der: der.clone(), limits: EntryProperties::default() }).collect()
}

async fn ask_with(shop: &Shop, roots: &[Vec<u8>], identity: Option<ClientIdentity>) -> SiteAnswer {
    probe(std::slice::from_ref(&shop.site), &trusted(roots), identity, None).await.remove(0).answer
}

fn status(answer: SiteAnswer) -> CheckStatus {
    let site: Site = "https://a.test".parse().unwrap();
    let results = checks(&[SiteProbe { site, answer }]);
    assert_eq!((results.len(), results[0].name), (1, Check::Sites));
    results[0].status
}

#[tokio::test]
async fn a_site_under_a_root_of_this_pc_opens_and_one_under_another_does_not() {
    let shop = open(issued(), None).await;
    let answer = ask_with(&shop, std::slice::from_ref(&shop.root), None).await;
    assert!(matches!(answer, SiteAnswer::Opened { client: ClientShown::NotAsked, .. }), "{answer:?}");
    assert_eq!(status(answer), CheckStatus::Well);
    let answer = ask_with(&shop, &[issued().root], None).await;
    assert!(matches!(answer, SiteAnswer::Untrusted(_)), "{answer:?}");
    assert_eq!(status(answer), CheckStatus::Now);
    let answer = ask_with(&shop, &[], None).await;
    assert!(matches!(answer, SiteAnswer::NotJudged(_)), "{answer:?}");
    assert_eq!(status(answer), CheckStatus::Unknown);
}

#[tokio::test]
async fn a_self_signed_server_opens_once_this_pc_has_it_as_a_root_whatever_it_says_of_itself() {
    for is_ca in [true, false] {
        let shop = open(self_signed(is_ca, "localhost", -1..30), None).await;
        let answer = ask_with(&shop, std::slice::from_ref(&shop.root), None).await;
        assert!(matches!(answer, SiteAnswer::Opened { .. }), "{answer:?}");
        let answer = ask_with(&shop, &[issued().root], None).await;
        assert!(matches!(answer, SiteAnswer::Untrusted(_)), "{answer:?}");
    }
}

#[tokio::test]
async fn a_root_that_its_store_does_not_let_vouch_for_servers_vouches_for_none() {
    let code_signing = Some(vec!["1.3.6.1.5.5.7.3.3".to_owned()]);
    let limits = EntryProperties { purposes: code_signing, ..EntryProperties::default() };
    for certificate in [issued(), self_signed(true, "localhost", -1..30)] {
        let shop = open(certificate, None).await;
        let limited = TrustedRoot { der: shop.root.clone(), limits: limits.clone() };
        let roots = [trusted(&[issued().root]), vec![limited]].concat();
        let answer = probe(std::slice::from_ref(&shop.site), &roots, None, None).await.remove(0).answer;
        assert!(matches!(answer, SiteAnswer::Untrusted(_)), "{answer:?}");
    }
}

#[tokio::test]
async fn a_trusted_certificate_for_another_name_or_other_days_is_wrong() {
    for (name, days) in [("other.test", -1..30), ("localhost", -30..-1), ("localhost", 1..30)] {
        let shop = open(self_signed(true, name, days), None).await;
        let answer = ask_with(&shop, std::slice::from_ref(&shop.root), None).await;
        assert!(matches!(answer, SiteAnswer::Wrong(_)), "{answer:?}");
    }
}

fn client() -> (Vec<u8>, ClientIdentity) {
    let folder = tempfile::tempdir().unwrap();
    let (root, root_key) = authority("Clinics");
    let root_der = root.self_signed(&root_key).unwrap().der().to_vec();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::default().signed_by(&key, &Issuer::new(root, root_key)).unwrap();
    std::fs::write(folder.path().join("c.pem"), format!("{}{}", leaf.pem(), key.serialize_pem())).unwrap();
    let directories = inkan_trust_store::files::Directories::new(vec![folder.path().to_path_buf()]);
    let backend: &dyn inkan_trust_store::StoreBackend = &directories;
    let location = backend.discover().remove(0);
    let key = backend.existing_key(&location, Fingerprint::of(leaf.der())).unwrap().unwrap();
    (root_der, ClientIdentity { chain: vec![leaf.der().to_vec()], key: Arc::from(key) })
}

#[tokio::test]
async fn a_site_that_asks_for_a_client_certificate_says_whether_it_takes_it() {
    let (clients, identity) = client();
    let shop = open(issued(), Some(&clients)).await;
    let roots = [shop.root.clone()];
    let answer = ask_with(&shop, &roots, Some(identity)).await;
    assert!(matches!(answer, SiteAnswer::Opened { client: ClientShown::Taken, .. }), "{answer:?}");
    let (_, stranger) = client();
    let answer = ask_with(&shop, &roots, Some(stranger)).await;
    assert!(matches!(answer, SiteAnswer::Refused(_)), "{answer:?}");
    assert_eq!(status(answer), CheckStatus::Now);
}

#[tokio::test]
async fn several_sites_are_told_in_their_order_and_one_that_is_not_there_too() {
    let shop = open(issued(), None).await;
    let sites = ["https://127.0.0.1:1".parse().unwrap(), shop.site.clone()];
    let probes = probe(&sites, &trusted(std::slice::from_ref(&shop.root)), None, None).await;
    assert_eq!(probes.iter().map(|probe| &probe.site).collect::<Vec<_>>(), [&sites[0], &sites[1]]);
    assert!(matches!(probes[0].answer, SiteAnswer::Unreachable(_)), "{:?}", probes[0]);
    assert_eq!(status(probes[0].answer.clone()), CheckStatus::Soon);
}
