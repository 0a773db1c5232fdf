//! What the service and a companion say to each other. The service asks, the companion answers, one at a time.
//!
//! The list of requests is the whole of what a companion can be asked: operations on stores of its own user, and notices.
//! None of them carries a path to open or a command to run: a [`Location`] counts only where the companion finds it by
//! itself. Answers come from a process that its user can do anything with, so they are bounded and are checked against
//! what was asked before they count.

mod bytes;
mod conversions;

use inkan_model::locale::Bilingual;
use inkan_model::store::Location;
use inkan_model::{EntryProperties, Fingerprint, RenewalId};
use inkan_trust_store::RenewalSlot;
use serde::{Deserialize, Serialize};

pub use self::bytes::{Bytes, Secret, from_bytes, to_bytes};

/// The version of this protocol. Both ends are the same program, so nothing but the same version is accepted; another one
/// is a companion that an update left behind.
pub const VERSION: u32 = 1;

/// What the service asks.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The first request, and only the first.
    Hello {
        /// The service's version of the protocol.
        version: u32,
    },
    /// [`inkan_trust_store::Keyring::ensure_key`].
    EnsureKey(Slot),
    /// [`inkan_trust_store::StoreBackend::existing_key`].
    ExistingKey(Entry),
    /// [`inkan_trust_store::PrivateKey::sign`].
    Sign {
        /// With which key.
        key: KeyOf,
        /// How.
        scheme: Scheme,
        /// What; see [`super::signing`].
        message: Bytes,
    },
    /// [`inkan_trust_store::Keyring::install_beside`].
    InstallBeside {
        /// Which renewal.
        slot: Slot,
        /// The certificate, then its issuers.
        chain: Vec<Bytes>,
    },
    /// [`inkan_trust_store::Keyring::archive_old`].
    ArchiveOld {
        /// Which renewal.
        slot: Slot,
        /// The certificate in the old one's place.
        new: Fingerprint,
    },
    /// [`inkan_trust_store::Keyring::discard`].
    Discard(Slot),
    /// [`inkan_trust_store::KeyedStore::import`].
    Import {
        /// Where to.
        location: Location,
        /// The private key as PKCS#8.
        key: Secret,
        /// The certificate, then its issuers.
        chain: Vec<Bytes>,
        /// The name to give it.
        name: Option<String>,
    },
    /// [`inkan_trust_store::KeyedStore::remove`].
    Remove(Entry),
    /// [`inkan_trust_store::AnchorStore::can_change`].
    CanChange(Location),
    /// [`inkan_trust_store::AnchorStore::add_anchor`].
    AddAnchor {
        /// Where to.
        location: Location,
        /// Its DER.
        der: Bytes,
        /// The name to give it.
        name: Option<String>,
        /// Its limits and trust.
        properties: EntryProperties,
    },
    /// [`inkan_trust_store::AnchorStore::remove_anchor`].
    RemoveAnchor(Entry),
    /// Show a notice to this user.
    Notify {
        /// One line.
        title: Bilingual,
        /// One or two sentences.
        body: Bilingual,
    },
}

/// What the companion answers.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// To [`Request::Hello`].
    Hello {
        /// The companion's version of the protocol.
        version: u32,
    },
    /// It is done, and there is no more to say.
    Done,
    /// To [`Request::ExistingKey`], where this kind of store has no way to it.
    NoKey,
    /// To [`Request::EnsureKey`] and [`Request::ExistingKey`].
    Key {
        /// SubjectPublicKeyInfo, DER.
        public_key: Bytes,
        /// The ways in which it can sign, the first for requests and proofs.
        schemes: Vec<Scheme>,
    },
    /// To [`Request::Sign`].
    Signature(Bytes),
    /// To [`Request::Import`].
    Imported {
        /// Whether it was there before.
        already: bool,
        /// What the store says about it.
        properties: EntryProperties,
    },
    /// To [`Request::Remove`].
    Removed(RemovedEntry),
    /// To requests that change anchors.
    Changed(ChangedAnchor),
    /// It was not done.
    Refused(Refusal),
}

/// A renewal and where it is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    renewal: RenewalId,
    location: Location,
    old: Fingerprint,
}

/// Whose key it is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyOf {
    /// The key that was made for this renewal.
    Renewal(Slot),
    /// The key of a certificate that is there.
    Certificate(Entry),
}

/// One certificate at one place.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Where.
    pub location: Location,
    /// Which.
    pub certificate: Fingerprint,
}

/// [`SignatureScheme`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// ECDSA on P-256.
    EcdsaP256Sha256,
    /// RSA with PKCS#1 v1.5 padding.
    RsaPkcs1Sha256,
    /// RSA-PSS.
    RsaPssSha256,
}

/// [`Removed`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RemovedEntry {
    /// It was not there.
    AlreadyGone,
    /// Certificate and key are gone.
    WithKey,
    /// The certificate is gone; it had no key.
    WithoutKey,
    /// The certificate is gone, its key stays.
    KeyStays {
        /// Whoever uses the key.
        used_by: Vec<String>,
    },
}

/// [`Changed`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ChangedAnchor {
    /// Nothing had to be done.
    AlreadySo,
    /// Done and read back.
    Done,
    /// Done; an application has to be started again.
    AfterRestart {
        /// Which one.
        application: String,
    },
}

/// [`ChangeError`], without the place, which the service knows better.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Refusal {
    /// The certificate is not there.
    Missing,
    /// The place cannot be changed.
    ReadOnly(String),
    /// It does not read back.
    NotConfirmed(String),
    /// The person has to do something.
    NeedsUser(String),
    /// A limit cannot be enforced.
    CannotLimit(String),
    /// Key or certificate is not usable.
    Crypto(String),
    /// The operating system refused.
    Io {
        /// What was being done.
        step: String,
        /// Why it failed.
        why: String,
    },
    /// The message is none that a key of a renewal signs.
    Unsignable,
}

impl Slot {
    /// The renewal's slot as the stores take it.
    pub fn to_slot(&self) -> RenewalSlot {
        let Self { renewal, location, old } = self.clone();
        RenewalSlot { renewal, location, old }
    }

    /// Where the renewal is.
    pub const fn location(&self) -> &Location {
        &self.location
    }
}

impl Request {
    /// What it asks for, in a word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::EnsureKey(_) => "ensure_key",
            Self::ExistingKey(_) => "existing_key",
            Self::Sign { .. } => "sign",
            Self::InstallBeside { .. } => "install_beside",
            Self::ArchiveOld { .. } => "archive_old",
            Self::Discard(_) => "discard",
            Self::Import { .. } => "import",
            Self::Remove(_) => "remove",
            Self::CanChange(_) => "can_change",
            Self::AddAnchor { .. } => "add_anchor",
            Self::RemoveAnchor(_) => "remove_anchor",
            Self::Notify { .. } => "notify",
        }
    }
}

#[cfg(test)]
mod tests;
