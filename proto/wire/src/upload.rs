//! Contents that the server lacked. A set is believed only when its entries have the digest that it is called by.

use inkan_model::digest::SetDigest;
use inkan_model::limits;
use inkan_model::store::{SetDelta, SetEntry, StoreSet};

use crate::field::{self, InvalidMessage};
use crate::pb;

/// One message of an Upload stream. The size of the whole stream ([`limits::UPLOAD_BYTES`]) is for whoever reads it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Upload {
    /// Whole sets.
    pub sets: Vec<UploadedSet>,
    /// Sets told by what changed.
    pub deltas: Vec<UploadedDelta>,
    /// Bytes that are, or claim to be, one certificate each, as DER.
    pub certificates: Vec<Vec<u8>>,
}

/// A set with its digest, which is that of its entries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UploadedSet {
    digest: SetDigest,
    set: StoreSet,
}

impl UploadedSet {
    /// Takes a set, and the digest from its entries.
    pub fn new(set: StoreSet) -> Self {
        Self { digest: set.digest(), set }
    }

    /// The digest of the entries.
    pub const fn digest(&self) -> SetDigest {
        self.digest
    }

    /// The set.
    pub const fn set(&self) -> &StoreSet {
        &self.set
    }

    /// Gives the set away.
    pub fn into_set(self) -> StoreSet {
        self.set
    }
}

/// A set told by what changed from another one. Whoever applies it compares the outcome's digest with this one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UploadedDelta {
    /// The digest that the outcome must have.
    pub digest: SetDigest,
    /// The change.
    pub delta: SetDelta,
}

impl TryFrom<pb::UploadRequest> for Upload {
    type Error = InvalidMessage;

    fn try_from(message: pb::UploadRequest) -> Result<Self, InvalidMessage> {
        let pb::UploadRequest { sets, deltas, certificates } = message;
        let limit = limits::UPLOAD_ITEMS;
        field::count("sets, deltas and certificates", sets.len() + deltas.len() + certificates.len(), limit)?;
        let der = |der| field::item_bytes(der, limits::CERTIFICATE_BYTES);
        Ok(Self {
            sets: field::each("sets", sets, limit, UploadedSet::try_from)?,
            deltas: field::each("deltas", deltas, limit, UploadedDelta::try_from)?,
            certificates: field::each("certificates", certificates, limit, der)?,
        })
    }
}

impl From<Upload> for pb::UploadRequest {
    fn from(upload: Upload) -> Self {
        let Upload { sets, deltas, certificates } = upload;
        Self {
            sets: sets.into_iter().map(Into::into).collect(),
            deltas: deltas.into_iter().map(Into::into).collect(),
            certificates,
        }
    }
}

impl TryFrom<pb::StoreSet> for UploadedSet {
    type Error = InvalidMessage;

    fn try_from(message: pb::StoreSet) -> Result<Self, InvalidMessage> {
        let pb::StoreSet { digest, entries } = message;
        let digest = field::digest("digest", &digest, SetDigest::from_slice)?;
        let set = StoreSet::new(read_entries("entries", entries)?);
        if set.digest() != digest {
            return Err(InvalidMessage::new("digest", "is not that of the entries"));
        }
        Ok(Self { digest, set })
    }
}

impl From<UploadedSet> for pb::StoreSet {
    fn from(uploaded: UploadedSet) -> Self {
        let UploadedSet { digest, set } = uploaded;
        Self { digest: digest.as_bytes().to_vec(), entries: set.entries().iter().cloned().map(Into::into).collect() }
    }
}

impl TryFrom<pb::SetDelta> for UploadedDelta {
    type Error = InvalidMessage;

    fn try_from(message: pb::SetDelta) -> Result<Self, InvalidMessage> {
        let pb::SetDelta { digest, base, added, removed } = message;
        Ok(Self {
            digest: field::digest("digest", &digest, SetDigest::from_slice)?,
            delta: SetDelta {
                base: field::digest("base", &base, SetDigest::from_slice)?,
                added: read_entries("added", added)?,
                removed: read_entries("removed", removed)?,
            },
        })
    }
}

impl From<UploadedDelta> for pb::SetDelta {
    fn from(uploaded: UploadedDelta) -> Self {
        let UploadedDelta { digest, delta: SetDelta { base, added, removed } } = uploaded;
        Self {
            digest: digest.as_bytes().to_vec(),
            base: base.as_bytes().to_vec(),
            added: added.into_iter().map(Into::into).collect(),
            removed: removed.into_iter().map(Into::into).collect(),
        }
    }
}

fn read_entries(field: &str, entries: Vec<pb::SetEntry>) -> Result<Vec<SetEntry>, InvalidMessage> {
    field::each(field, entries, limits::SET_ENTRIES, SetEntry::try_from)
}
