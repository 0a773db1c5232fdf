//! A key that lives somewhere else, as rustls wants a client's key.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{OtherError, SignatureAlgorithm, SignatureScheme};

/// Signs messages, wherever the key lives.
pub(crate) trait SignMessage: Send + Sync {
    /// The ways in which it can, the best first.
    fn schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }

    /// Signs in one of [`Self::schemes`], in the form that TLS sends (RFC 8446 §4.2.3).
    fn sign_message(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>>;
}

/// The key behind a client certificate. It shows nothing of itself.
#[derive(Clone)]
pub(crate) struct ClientKey(Arc<dyn SignMessage>);

impl ClientKey {
    /// Takes whatever can sign.
    pub(crate) fn new(key: Arc<dyn SignMessage>) -> Self {
        Self(key)
    }

    /// The key together with its certificate chain, leaf first.
    pub(crate) fn with_chain(self, chain: &[Vec<u8>]) -> CertifiedKey {
        let chain = chain.iter().map(|der| CertificateDer::from_slice(der).into_owned()).collect();
        CertifiedKey::new(chain, Arc::new(self))
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientKey(…)")
    }
}

impl SigningKey for ClientKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let scheme = self.0.schemes().into_iter().find(|scheme| offered.contains(scheme))?;
        Some(Box::new(SignsOne { key: Arc::clone(&self.0), scheme }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        if self.0.schemes().contains(&SignatureScheme::ECDSA_NISTP256_SHA256) {
            SignatureAlgorithm::ECDSA
        } else {
            SignatureAlgorithm::RSA
        }
    }
}

/// The key, held to the scheme that was chosen for one handshake.
struct SignsOne {
    key: Arc<dyn SignMessage>,
    scheme: SignatureScheme,
}

impl fmt::Debug for SignsOne {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignsOne").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

impl Signer for SignsOne {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let signature = self.key.sign_message(self.scheme, message);
        signature.map_err(|cause| rustls::Error::Other(OtherError(Arc::from(cause))))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
