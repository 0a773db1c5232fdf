//! A P-256 key that lives somewhere else, as rustls wants a client's key.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{OtherError, SignatureAlgorithm, SignatureScheme};

/// Signs a message with ECDSA P-256 and SHA-256; the signature is DER.
pub(crate) trait SignMessage: Send + Sync {
    /// Signs, wherever the key lives.
    fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>>;
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
        offered.contains(&SignatureScheme::ECDSA_NISTP256_SHA256).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for ClientKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.0.sign_message(message).map_err(|cause| rustls::Error::Other(OtherError(Arc::from(cause))))
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}
