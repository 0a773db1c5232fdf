//! What a store says about an entry beyond the certificate itself: who keeps its key, and what it is limited to or
//! trusted for at this place. None of it is in the certificate's DER, and the same certificate may differ from place to
//! place.

use serde::{Deserialize, Serialize};

use crate::digest::FieldHasher;

/// What a store says about an entry beyond the certificate itself. Empty where a kind of store says nothing.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(default)]
pub struct EntryProperties {
    /// The provider that keeps the key, as the platform names it (`Microsoft Software Key Storage Provider`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_provider: Option<String>,
    /// Whether the platform would give the key out; `None` where there is no key or it cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_exportable: Option<bool>,
    /// The purposes to which the store limits the certificate, as dotted object identifiers of extended key usages (RFC
    /// 5280 §4.2.1.12), sorted; `None` is no limit, and an empty list is for nothing at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purposes: Option<Vec<String>>,
    /// The names to which the store limits what the certificate may vouch for: `NameConstraints` (RFC 5280 §4.2.1.10) as
    /// DER.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_constraints: Option<Vec<u8>>,
    /// What the store trusts the certificate for, where it says so by purpose (NSS).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustFlags>,
}

/// Trust by purpose, as an NSS database keeps it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct TrustFlags {
    /// For servers' certificates.
    pub server: TrustLevel,
    /// For clients' certificates.
    pub client: TrustLevel,
    /// For e-mail.
    pub email: TrustLevel,
    /// For signed code.
    pub code: TrustLevel,
}

/// How far a store trusts a certificate for one purpose.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustLevel {
    /// The store says nothing.
    #[default]
    Unset,
    /// Chains may end here.
    Anchor,
    /// Trusted as itself, and not as an issuer.
    Peer,
    /// Never trusted, whatever its chain.
    Distrusted,
    /// Only as good as its chain.
    MustVerify,
    /// A level that this build does not know, by its number on the wire.
    Unrecognized(i32),
}

impl TrustLevel {
    /// The opposite of [`Self::number`].
    pub const fn from_number(number: i32) -> Self {
        match number {
            1 => Self::Unset,
            2 => Self::Anchor,
            3 => Self::Peer,
            4 => Self::Distrusted,
            5 => Self::MustVerify,
            other => Self::Unrecognized(other),
        }
    }

    /// Its number on the wire, which also stands for it in digests.
    pub const fn number(self) -> i32 {
        match self {
            Self::Unset => 1,
            Self::Anchor => 2,
            Self::Peer => 3,
            Self::Distrusted => 4,
            Self::MustVerify => 5,
            Self::Unrecognized(number) => number,
        }
    }
}

impl EntryProperties {
    /// Whether the store says nothing.
    pub fn is_empty(&self) -> bool {
        let Self { key_provider, key_exportable, purposes, name_constraints, trust } = self;
        key_provider.is_none()
            && key_exportable.is_none()
            && purposes.is_none()
            && name_constraints.is_none()
            && trust.is_none()
    }

    /// Feeds a set's digest.
    pub(crate) fn feed(&self, hasher: &mut FieldHasher) {
        let Self { key_provider, key_exportable, purposes, name_constraints, trust } = self;
        hasher.optional(key_provider.as_deref());
        hasher.number(key_exportable.map_or(0, |exportable| 1 + u64::from(exportable)));
        hasher.number(purposes.as_ref().map_or(0, |purposes| 1 + purposes.len() as u64));
        for purpose in purposes.iter().flatten() {
            hasher.field(purpose.as_bytes());
        }
        hasher.number(u64::from(name_constraints.is_some()));
        hasher.field(name_constraints.as_deref().unwrap_or_default());
        hasher.number(u64::from(trust.is_some()));
        if let Some(TrustFlags { server, client, email, code }) = trust {
            for level in [server, client, email, code] {
                hasher.code(level.number());
            }
        }
    }
}
