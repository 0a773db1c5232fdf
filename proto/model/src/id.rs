//! The one registry of identifier kinds. An identifier carries its kind in its type, so arguments cannot swap places.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::time::Timestamp;

/// A kind of thing that has identifiers.
pub trait Kind {
    /// The word of the glossary, in lower case, used in error texts.
    const WORD: &'static str;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident, $alias:ident, $word:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $kind {}
        impl Kind for $kind { const WORD: &'static str = $word; }
        #[doc = concat!("Identifies one ", $word, ".")]
        pub type $alias = Id<$kind>;
    )*};
}

kinds! {
    /// A change to what a PC trusts or holds.
    Change, ChangeId, "change";
    /// An examination of one host by its doctor.
    Checkup, CheckupId, "checkup";
    /// A medical institution.
    Clinic, ClinicId, "clinic";
    /// Something that happened, in a host's timeline.
    Event, EventId, "event";
    /// Something wrong with one host.
    Finding, FindingId, "finding";
    /// One PC.
    Host, HostId, "host";
    /// A permission to enrol.
    JoinToken, JoinTokenId, "join token";
    /// A person who works at a vendor.
    Operator, OperatorId, "operator";
    /// One certificate's way to its successor.
    Renewal, RenewalId, "renewal";
    /// An IT vendor: the tenant.
    Vendor, VendorId, "vendor";
}

/// A UUID of version 7, so that newer identifiers sort after older ones and inserts append.
pub struct Id<K> {
    uuid: Uuid,
    kind: PhantomData<fn() -> K>,
}

impl<K> Id<K> {
    /// Makes the identifier of something born at `now`; `chance` is ten random bytes.
    pub fn new(now: Timestamp, chance: [u8; 10]) -> Self {
        let millis = u64::try_from(now.as_unix_millis()).unwrap_or(0);
        Self::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &chance).into_uuid())
    }

    /// Takes an identifier that was made before.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self { uuid, kind: PhantomData }
    }

    /// The identifier without its kind, for a row or a message.
    pub const fn as_uuid(&self) -> Uuid {
        self.uuid
    }

    /// The sixteen bytes of the identifier.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.uuid.as_bytes()
    }
}

/// A text that should have been an identifier and is not.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not the identifier of a {word}: a UUID such as 019a9f3c-7a10-7cc0-8000-5b1f0a3f2c11 is expected")]
pub struct InvalidId {
    /// The kind that was expected.
    pub word: &'static str,
}

impl<K: Kind> Id<K> {
    /// Reads sixteen bytes.
    ///
    /// # Errors
    /// When there are not exactly sixteen of them.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, InvalidId> {
        Uuid::from_slice(bytes).map(Self::from_uuid).map_err(|_| InvalidId { word: K::WORD })
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self::from_uuid).map_err(|_| InvalidId { word: K::WORD })
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Id<K> {}

impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}

impl<K> Eq for Id<K> {}

impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.uuid.cmp(&other.uuid)
    }
}

impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.hyphenated().fmt(f)
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.hyphenated().fmt(f)
    }
}

impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.uuid.serialize(serializer)
    }
}

impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::from_uuid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_identifier_sorts_after_an_earlier_one() {
        let early = HostId::new(Timestamp::from_unix_millis(1_000), [0xff; 10]);
        let late = HostId::new(Timestamp::from_unix_millis(2_000), [0; 10]);
        assert!(early < late);
    }

    #[test]
    fn a_wrong_text_is_refused_with_the_word_of_its_kind() {
        let error = "abc".parse::<ClinicId>().unwrap_err();
        assert!(error.to_string().contains("clinic"));
    }

    #[test]
    fn text_and_bytes_both_lead_back_to_the_same_identifier() {
        let id = HostId::new(Timestamp::from_unix_millis(1_700_000_000_000), [7; 10]);
        assert_eq!(id.to_string().parse::<HostId>(), Ok(id));
        assert_eq!(HostId::from_slice(id.as_bytes()), Ok(id));
    }
}
