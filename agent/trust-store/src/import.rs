//! Bringing in a certificate together with its key, and taking both away again.

use inkan_model::store::Location;
use inkan_model::{EntryProperties, Fingerprint};
use zeroize::Zeroizing;

use crate::ChangeError;

/// A certificate with its key on their way into a store. The key is wiped when this is dropped, and is never shown.
pub struct KeyedCertificate {
    /// The private key as PKCS#8 (RFC 5958), DER.
    pub pkcs8: Zeroizing<Vec<u8>>,
    /// The certificate of that key, then its issuers, as DER.
    pub chain: Vec<Vec<u8>>,
    /// The name to give it.
    pub name: Option<String>,
}

/// What an import left in the store, as it reads back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Imported {
    /// The certificate.
    pub certificate: Fingerprint,
    /// Whether it was there with a usable key before.
    pub already: bool,
    /// What the store says about it.
    pub properties: EntryProperties,
}

/// What taking a certificate away left behind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Removed {
    /// It was not there.
    AlreadyGone,
    /// The certificate and its key are gone.
    WithKey,
    /// The certificate is gone; it had no key here.
    WithoutKey,
    /// The certificate is gone; its key stays, because these other entries of the PC use it.
    KeyStays {
        /// Whoever uses the key, in words.
        used_by: Vec<String>,
    },
}

/// Brings certificates with keys into a store and takes them away.
pub trait KeyedStore: Send + Sync {
    /// Imports a certificate and its key so that the platform does not give the key out again, reads both back, and lets
    /// the key sign once as a proof.
    fn import(&self, location: &Location, certificate: &KeyedCertificate) -> Result<Imported, ChangeError>;

    /// Takes a certificate away. Its key goes with it only where no other entry of any store of this PC uses that key;
    /// where that cannot be told, the key stays.
    fn remove(&self, location: &Location, certificate: Fingerprint) -> Result<Removed, ChangeError>;
}
