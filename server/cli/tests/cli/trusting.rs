//! Which servers are trusted: those of the PC's authorities, or those of one file.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::program::Home;

const ME: &str = "{\"mail\":\"h@v.test\",\"name\":\"H\",\"role\":\"owner\",\"vendor\":\"V\"}";

/// A server with a certificate of a private CA: its address, and the CA as PEM.
async fn start() -> (String, String) {
    let ca_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Private CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let leaf = params.signed_by(&key, &Issuer::from_ca_cert_der(ca.der(), ca_key).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = config.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key.into()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A caller who does not trust us hangs up, which is what one of the tests wants.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length";
            let _ = stream.write_all(format!("{head}: {}\r\n\r\n{ME}", ME.len()).as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (address, ca.pem())
}

#[tokio::test]
async fn a_private_ca_is_trusted_when_its_file_is_given_and_not_before() {
    let (address, ca) = start().await;
    let home = Home::empty().with("INKAN_URL", &address).with("INKAN_TOKEN", "t0ken");
    let ran = home.run(&["me"]).await;
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("--ca-file"), "{}", ran.stderr);
    std::fs::write(home.path().join("ca.pem"), ca).unwrap();
    let ran = home.run(&["me", "--ca-file", "ca.pem"]).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    std::fs::write(home.path().join("empty.pem"), "").unwrap();
    assert_eq!(home.run(&["me", "--ca-file", "empty.pem"]).await.code, 1);
}
