//! What the service and a companion say to each other. The service asks, the companion answers, one at a time.
//!
//! The list of requests is the whole of what a companion can be asked: operations on stores of its own user, and notices.
//! None of them carries a path to open or a command to run: a [`Location`] counts only where the companion finds it by
//! itself. Answers come from a process that its user can do anything with, so they are bounded and are checked against
//! what was asked before they count.

use std::fmt;
use std::io;

use data_encoding::BASE64;
use inkan_model::limits::{self, tame_text};
use inkan_model::locale::Bilingual;
use inkan_model::store::Location;
use inkan_model::{EntryProperties, Fingerprint, RenewalId};
use inkan_trust_store::{
    Anchor, ChangeError, Changed, Imported, KeyedCertificate, Removed, RenewalSlot, SignatureScheme,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

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

/// Bytes, as base64. Only their number is shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Bytes(pub Vec<u8>);

/// Bytes that are wiped when they are dropped, as base64. Nothing of them is shown.
#[derive(Clone)]
pub struct Secret(pub Zeroizing<Vec<u8>>);

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

impl From<&RenewalSlot> for Slot {
    fn from(slot: &RenewalSlot) -> Self {
        let RenewalSlot { renewal, location, old } = slot.clone();
        Self { renewal, location, old }
    }
}

impl From<SignatureScheme> for Scheme {
    fn from(scheme: SignatureScheme) -> Self {
        match scheme {
            SignatureScheme::EcdsaP256Sha256 => Self::EcdsaP256Sha256,
            SignatureScheme::RsaPkcs1Sha256 => Self::RsaPkcs1Sha256,
            SignatureScheme::RsaPssSha256 => Self::RsaPssSha256,
        }
    }
}

impl From<Scheme> for SignatureScheme {
    fn from(scheme: Scheme) -> Self {
        match scheme {
            Scheme::EcdsaP256Sha256 => Self::EcdsaP256Sha256,
            Scheme::RsaPkcs1Sha256 => Self::RsaPkcs1Sha256,
            Scheme::RsaPssSha256 => Self::RsaPssSha256,
        }
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

    /// The request to import this certificate.
    pub fn import(location: &Location, certificate: &KeyedCertificate) -> Self {
        Self::Import {
            location: location.clone(),
            key: Secret(certificate.pkcs8.clone()),
            chain: to_bytes(&certificate.chain),
            name: certificate.name.clone(),
        }
    }

    /// The request to add this anchor.
    pub fn add_anchor(location: &Location, anchor: &Anchor) -> Self {
        let Anchor { der, name, properties } = anchor.clone();
        Self::AddAnchor { location: location.clone(), der: Bytes(der), name, properties }
    }
}

impl From<Imported> for Answer {
    fn from(imported: Imported) -> Self {
        let Imported { certificate: _, already, properties } = imported;
        Self::Imported { already, properties }
    }
}

impl From<Removed> for Answer {
    fn from(removed: Removed) -> Self {
        Self::Removed(match removed {
            Removed::AlreadyGone => RemovedEntry::AlreadyGone,
            Removed::WithKey => RemovedEntry::WithKey,
            Removed::WithoutKey => RemovedEntry::WithoutKey,
            Removed::KeyStays { used_by } => RemovedEntry::KeyStays { used_by },
        })
    }
}

impl From<RemovedEntry> for Removed {
    /// Words from the companion are only shown, so they are tamed.
    fn from(removed: RemovedEntry) -> Self {
        match removed {
            RemovedEntry::AlreadyGone => Self::AlreadyGone,
            RemovedEntry::WithKey => Self::WithKey,
            RemovedEntry::WithoutKey => Self::WithoutKey,
            RemovedEntry::KeyStays { used_by } => {
                let tamed = used_by.iter().take(limits::LOCATIONS).map(|who| tame_text(who, limits::LONG_TEXT));
                Self::KeyStays { used_by: tamed.collect() }
            }
        }
    }
}

impl From<Changed> for Answer {
    fn from(changed: Changed) -> Self {
        Self::Changed(match changed {
            Changed::AlreadySo => ChangedAnchor::AlreadySo,
            Changed::Done => ChangedAnchor::Done,
            Changed::AfterRestart { application } => ChangedAnchor::AfterRestart { application },
        })
    }
}

impl From<ChangedAnchor> for Changed {
    fn from(changed: ChangedAnchor) -> Self {
        match changed {
            ChangedAnchor::AlreadySo => Self::AlreadySo,
            ChangedAnchor::Done => Self::Done,
            ChangedAnchor::AfterRestart { application } => {
                Self::AfterRestart { application: tame_text(&application, limits::SHORT_TEXT) }
            }
        }
    }
}

impl From<ChangeError> for Answer {
    fn from(error: ChangeError) -> Self {
        Self::Refused(match error {
            ChangeError::Missing { .. } => Refusal::Missing,
            ChangeError::ReadOnly { why, .. } => Refusal::ReadOnly(why),
            ChangeError::NotConfirmed { why, .. } => Refusal::NotConfirmed(why),
            ChangeError::NeedsUser { why, .. } => Refusal::NeedsUser(why),
            ChangeError::CannotLimit { limit, .. } => Refusal::CannotLimit(limit),
            ChangeError::Crypto { what } => Refusal::Crypto(what),
            ChangeError::Io { step, cause } => Refusal::Io { step, why: cause.to_string() },
        })
    }
}

impl Refusal {
    /// The error as it would have come from a store of the service's own.
    pub fn into_error(self, location: &Location, certificate: Option<Fingerprint>) -> ChangeError {
        let (location, tame) = (location.clone(), |text: &str| tame_text(text, limits::LONG_TEXT));
        match self {
            Self::Missing => match certificate {
                Some(certificate) => ChangeError::Missing { certificate, location },
                None => ChangeError::Crypto { what: "the certificate is not there".to_owned() },
            },
            Self::ReadOnly(why) => ChangeError::ReadOnly { location, why: tame(&why) },
            Self::NotConfirmed(why) => ChangeError::NotConfirmed { location, why: tame(&why) },
            Self::NeedsUser(why) => ChangeError::NeedsUser { location, why: tame(&why) },
            Self::CannotLimit(limit) => ChangeError::CannotLimit { location, limit: tame(&limit) },
            Self::Crypto(what) => ChangeError::Crypto { what: tame(&what) },
            Self::Io { step, why } => ChangeError::Io { step: tame(&step), cause: io::Error::other(tame(&why)) },
            Self::Unsignable => {
                ChangeError::Crypto { what: "the companion does not sign such a message".to_owned() }
            }
        }
    }
}

/// Each of them as a message carries it.
pub fn to_bytes(chain: &[Vec<u8>]) -> Vec<Bytes> {
    chain.iter().cloned().map(Bytes).collect()
}

/// The opposite of [`to_bytes`].
pub fn from_bytes(chain: Vec<Bytes>) -> Vec<Vec<u8>> {
    chain.into_iter().map(|bytes| bytes.0).collect()
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text).map(Self)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(BASE64.encode(&self.0)))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text).map(Zeroizing::new).map(Self)
    }
}

/// Reads base64 from the message's own bytes, without a copy of the text.
struct Text;

impl serde::de::Visitor<'_> for Text {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("base64")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        // The decoder's own words would show a character.
        BASE64.decode(text.as_bytes()).map_err(|_| E::custom("not base64"))
    }
}

#[cfg(test)]
mod tests {
    use inkan_model::store::{Scope, StoreKind};
    use proptest::prelude::*;

    use super::*;

    fn location() -> impl Strategy<Value = Location> {
        (any::<String>(), any::<String>()).prop_map(|(user, path)| Location {
            kind: StoreKind::WindowsStore,
            scope: Scope::User(user),
            path,
        })
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..100)
    }

    proptest! {
        #[test]
        fn a_request_reads_as_it_was_written(location in location(), key in bytes(), chain in prop::collection::vec(bytes(), 0..3), name in any::<Option<String>>()) {
            let certificate = KeyedCertificate { pkcs8: Zeroizing::new(key.clone()), chain: chain.clone(), name: name.clone() };
            let written = serde_json::to_vec(&Request::import(&location, &certificate)).unwrap();
            let Request::Import { location: read_location, key: read_key, chain: read_chain, name: read_name } =
                serde_json::from_slice(&written).unwrap() else { panic!("another request") };
            prop_assert_eq!((read_location, read_name), (location, name));
            prop_assert_eq!(&*read_key.0, &key);
            prop_assert_eq!(from_bytes(read_chain), chain);
        }

        #[test]
        fn a_refusal_reads_as_it_was_written(step in any::<String>(), why in any::<String>()) {
            let written = serde_json::to_vec(&Answer::Refused(Refusal::Io { step: step.clone(), why: why.clone() })).unwrap();
            let read: Answer = serde_json::from_slice(&written).unwrap();
            let expected = Refusal::Io { step, why };
            prop_assert!(matches!(read, Answer::Refused(refusal) if refusal == expected));
        }

        #[test]
        fn words_of_a_companion_are_bounded_and_have_no_control_characters(why in "\\PC{0,20}[\\x00-\\x1f]{0,5}", times in 1_usize..200) {
            let location = Location { kind: StoreKind::WindowsStore, scope: Scope::Machine, path: "MY".to_owned() };
            let error = Refusal::NeedsUser(why.repeat(times)).into_error(&location, None);
            let ChangeError::NeedsUser { why, .. } = error else { panic!("another error") };
            prop_assert!(why.chars().count() <= limits::LONG_TEXT && !why.chars().any(char::is_control));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "[{}\\[\\]\":,a-z_0-9=]{0,80}") {
            let _ = serde_json::from_str::<Request>(&text);
            let _ = serde_json::from_str::<Answer>(&text);
        }
    }

    #[test]
    fn a_field_that_nobody_knows_is_refused() {
        assert!(serde_json::from_str::<Request>(r#"{"hello":{"version":1,"command":"calc"}}"#).is_err());
        assert!(serde_json::from_str::<Request>(r#"{"run":{"command":"calc"}}"#).is_err());
        assert!(serde_json::from_str::<Request>(r#"{"hello":{"version":1}}"#).is_ok());
    }

    #[test]
    fn no_debug_text_shows_a_key() {
        let location = Location { kind: StoreKind::WindowsStore, scope: Scope::Machine, path: "MY".to_owned() };
        let certificate = KeyedCertificate { pkcs8: Zeroizing::new(b"secret".to_vec()), chain: Vec::new(), name: None };
        let shown = format!("{:?}", Request::import(&location, &certificate));
        assert!(!shown.contains("115") && !shown.contains("secret") && shown.contains("Secret(…)"), "{shown}");
    }
}
