//! The device key, behind a trait: a file today, a TPM or the operating system's key store where there is one.

use std::error::Error;
use std::sync::Arc;

use inkan_issuance::key::{KeyError, SoftwareKey};
use rustls::SignatureScheme;
use zeroize::Zeroizing;

use crate::tls::SignMessage;

/// The key of this PC's identity (ECDSA P-256), which can be used and not be read.
pub trait DeviceKey: Send + Sync {
    /// SubjectPublicKeyInfo as DER.
    fn public_key(&self) -> Vec<u8>;

    /// Signs with ECDSA and SHA-256; the signature is DER.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>>;
}

/// A device key in a file that only the agent may read.
#[derive(Debug)]
pub struct FileKey(SoftwareKey);

impl FileKey {
    /// Makes a new key, and gives its file's content beside it.
    pub(super) fn generate() -> Result<(Self, Zeroizing<String>), KeyError> {
        let key = SoftwareKey::generate()?;
        let pem = key.to_pem()?;
        Ok((Self(key), pem))
    }

    /// Reads a file's content.
    pub(super) fn from_pem(text: &str) -> Result<Self, KeyError> {
        SoftwareKey::from_pem(text).map(Self)
    }
}

impl From<SoftwareKey> for FileKey {
    fn from(key: SoftwareKey) -> Self {
        Self(key)
    }
}

impl DeviceKey for FileKey {
    fn public_key(&self) -> Vec<u8> {
        self.0.spki()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        Ok(self.0.sign_message(message)?)
    }
}

/// The device key as TLS wants it.
pub(super) fn for_tls(key: Arc<dyn DeviceKey>) -> Arc<dyn SignMessage> {
    Arc::new(TlsDeviceKey(key))
}

struct TlsDeviceKey(Arc<dyn DeviceKey>);

impl SignMessage for TlsDeviceKey {
    fn sign_message(&self, _only: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        self.0.sign(message)
    }
}
