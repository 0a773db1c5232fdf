//! The certificate and trust stores of a PC, behind one trait.
//!
//! Differences between operating systems are files, not ifs: each backend is a module, chosen once. Reading can
//! half-succeed, so every reading carries its errors beside its entries. Changing is small idempotent steps, each of
//! which is read back, because the agent may be killed between any two.
//!
//! This crate is the only one that may hold `unsafe` code (the operating systems' interfaces). It must never import an
//! async runtime, prost, tonic or anything of the server, and it never sends anything anywhere.

pub mod anchor;
mod content;
pub mod fake;
pub mod files;
mod folder;
pub mod import;
pub mod java;
#[cfg(target_os = "linux")]
pub mod linux;
pub mod macos;
pub mod nss;
mod p256;
pub mod pkcs12;
mod program;
mod turn;
pub mod windows;

use std::sync::Arc;

use inkan_model::store::{Location, ReadError, SetEntry};
use inkan_model::{Certificate, Fingerprint, RenewalId};

pub use self::anchor::{Anchor, AnchorStore, Changed};
pub use self::import::{Imported, KeyedCertificate, KeyedStore, Removed};

/// One kind of store on this PC.
///
/// Calls block; the caller gives each Location its own thread and deadline.
pub trait StoreBackend: Send + Sync {
    /// Finds the Locations of this kind that exist on this PC now.
    fn discover(&self) -> Vec<Location>;

    /// Reads one Location of this kind. Never fails as a whole: what could not be read is in the errors.
    fn read(&self, location: &Location) -> Reading;

    /// The way to change certificates that have keys, where this kind of store has one.
    fn keyring(&self) -> Option<&dyn Keyring>;

    /// The way to add and remove anchors, where this kind of store has one.
    fn anchors(&self) -> Option<&dyn AnchorStore> {
        None
    }

    /// The way to import a certificate with its key and to take it away, where this kind of store has one.
    fn keyed(&self) -> Option<&dyn KeyedStore> {
        None
    }

    /// The key of a certificate that stands at this Location, to see whether it can be used; `None` where this kind of
    /// store has no way to it. Never asks a person for anything.
    fn existing_key(
        &self,
        _location: &Location,
        _certificate: Fingerprint,
    ) -> Option<Result<Box<dyn PrivateKey>, ChangeError>> {
        None
    }

    /// Names of private keys at this Location that every user of the PC may read.
    fn exposed_keys(&self, _location: &Location) -> Vec<String> {
        Vec::new()
    }
}

/// The stores that this operating system keeps itself, on the real paths of this PC.
#[cfg(target_os = "linux")]
pub fn system_backends() -> Vec<Arc<dyn StoreBackend>> {
    linux::backends()
}

/// The stores that macOS keeps itself.
#[cfg(target_os = "macos")]
pub fn system_backends() -> Vec<Arc<dyn StoreBackend>> {
    vec![Arc::new(macos::Keychains::default())]
}

/// The stores that Windows keeps itself.
#[cfg(windows)]
pub fn system_backends() -> Vec<Arc<dyn StoreBackend>> {
    vec![Arc::new(windows::WindowsStores::default()), Arc::new(nss::NssDatabases::of_system())]
}

/// The stores that this operating system keeps itself: none that this build can read.
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
pub fn system_backends() -> Vec<Arc<dyn StoreBackend>> {
    Vec::new()
}

/// What one reading of a Location saw: both halves.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Each entry found, in any order.
    pub entries: Vec<SetEntry>,
    /// The certificates behind the entries, each one once.
    pub certificates: Vec<Certificate>,
    /// What could not be read.
    pub errors: Vec<ReadError>,
}

/// Changes certificates that have keys. Each call is idempotent: made again after a crash, it finishes what was begun
/// or finds it done. Nothing the PC had before is lost until [`Keyring::archive_old`], and that keeps it in an archive.
pub trait Keyring: Send + Sync {
    /// Makes a private key for this renewal, or returns the one made before. The key stays on the PC and where the
    /// platform can, it cannot be taken out.
    fn ensure_key(&self, slot: &RenewalSlot) -> Result<Box<dyn PrivateKey>, ChangeError>;

    /// Puts the new certificate (leaf first, then issuers; DER) and its key beside the old one, and reads it back.
    fn install_beside(&self, slot: &RenewalSlot, chain: &[Vec<u8>]) -> Result<(), ChangeError>;

    /// Moves the old certificate and its key to the archive and the new one to its place, and reads it back. Refuses
    /// unless `new` is installed.
    fn archive_old(&self, slot: &RenewalSlot, new: Fingerprint) -> Result<(), ChangeError>;

    /// Takes back what was made for a renewal that is given up before its old certificate was archived.
    fn discard(&self, slot: &RenewalSlot) -> Result<(), ChangeError>;
}

/// Which renewal a change is for, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RenewalSlot {
    /// The renewal.
    pub renewal: RenewalId,
    /// Where the old certificate stands.
    pub location: Location,
    /// The old certificate.
    pub old: Fingerprint,
}

/// A private key that can be used and not be read.
pub trait PrivateKey: Send + Sync {
    /// The public half as SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), DER.
    fn public_key(&self) -> Vec<u8>;

    /// The ways in which this key can sign, the one for requests and proofs first. Never empty.
    fn schemes(&self) -> &[SignatureScheme];

    /// Signs a message in one of [`Self::schemes`]; an ECDSA signature is DER (RFC 3279 §2.2.3).
    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, ChangeError>;
}

/// How a key signs. Always with SHA-256.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignatureScheme {
    /// ECDSA on P-256.
    EcdsaP256Sha256,
    /// RSA with PKCS#1 v1.5 padding (RFC 8017 §8.2).
    RsaPkcs1Sha256,
    /// RSA-PSS with a salt as long as the hash (RFC 8017 §8.1), which TLS 1.3 asks for. Older key stores cannot.
    RsaPssSha256,
}

/// A change that could not be made. The store is as it was before the step.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The old certificate is not there any more.
    #[error("certificate {certificate} is not at {location}")]
    Missing {
        /// Which certificate.
        certificate: Fingerprint,
        /// Where it was looked for.
        location: Location,
    },
    /// This kind of store, or this form of it, cannot be changed by the agent.
    #[error("{location} cannot be changed: {why}")]
    ReadOnly {
        /// Where.
        location: Location,
        /// Why.
        why: String,
    },
    /// What was written does not read back as it was meant.
    #[error("{location} does not hold what was written: {why}")]
    NotConfirmed {
        /// Where.
        location: Location,
        /// What differs.
        why: String,
    },
    /// Only the person at the PC can allow it.
    #[error("{location} can only be changed by its user: {why}")]
    NeedsUser {
        /// Where.
        location: Location,
        /// What the person would have to do, or why nobody else can.
        why: String,
    },
    /// This kind of store cannot enforce a limit that the anchor must have.
    #[error("{location} cannot enforce {limit}")]
    CannotLimit {
        /// Where.
        location: Location,
        /// Which limit.
        limit: String,
    },
    /// Key or certificate is not usable.
    #[error("{what}")]
    Crypto {
        /// Which operation failed, and how.
        what: String,
    },
    /// The operating system refused.
    #[error("could not {step}")]
    Io {
        /// What was being done, as in "write the new certificate to /etc/…".
        step: String,
        /// The operating system's error.
        #[source]
        cause: std::io::Error,
    },
}
