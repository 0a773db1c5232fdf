//! How the agent's TLS connections are set up, each for its one purpose. ring is the only provider.
//!
//! | connection | trusts | shows |
//! | --- | --- | --- |
//! | enrolment | the authority with the pinned key ([`danger`]) | nothing |
//! | recovery | the deployment's authorities, known since the enrolment | nothing |
//! | session | the same | the identity |
//!
//! All three are TLS 1.3. The operating system's trust never counts for the agent's own connections, so that a rogue
//! anchor on the PC cannot come between agent and server.

mod client_key;
pub mod danger;
mod system_roots;

use std::sync::Arc;

use inkan_issuance::identity_ca::CaPin;
use rustls::client::ResolvesClientCert;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};

pub(crate) use self::client_key::{ClientKey, SignMessage};
pub(crate) use self::system_roots::{add_limited, system_roots};

/// HTTP/2, which gRPC speaks.
const ALPN: &[u8] = b"h2";

/// A connection that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate cannot be trusted.
    #[error("could not trust a certificate")]
    Anchor(#[source] rustls::Error),
    /// The provider does not do what is asked.
    #[error("could not set up TLS")]
    Setup(#[source] rustls::Error),
    /// There is nothing to trust.
    #[error("could not verify against the certificates to trust")]
    Verifier(#[source] rustls::client::VerifierBuilderError),
}

/// The one crypto provider.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// For the enrolment: trusts whoever shows a chain up to the authority with the pinned key.
pub(crate) fn enrolment(pin: CaPin) -> Result<ClientConfig, TlsError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Setup)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(danger::PinnedAuthority::new(pin)))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// For the recovery: trusts the deployment's authorities.
pub(crate) fn recovery(anchors: &[Vec<u8>]) -> Result<ClientConfig, TlsError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Setup)?
        .with_root_certificates(roots(anchors)?)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// For the session: trusts the deployment's authorities, and shows the identity.
pub(crate) fn session(anchors: &[Vec<u8>], identity: CertifiedKey) -> Result<ClientConfig, TlsError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Setup)?
        .with_root_certificates(roots(anchors)?)
        .with_client_cert_resolver(Arc::new(AlwaysShow(Arc::new(identity))));
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session would go on under the identity that it began with.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// Certificates to trust, as a store.
pub(crate) fn roots(anchors: &[Vec<u8>]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for anchor in anchors {
        roots.add(CertificateDer::from_slice(anchor).into_owned()).map_err(TlsError::Anchor)?;
    }
    Ok(roots)
}

/// Shows one certificate, whichever authorities the server hints at: the agent has no other.
#[derive(Debug)]
struct AlwaysShow(Arc<CertifiedKey>);

impl ResolvesClientCert for AlwaysShow {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
