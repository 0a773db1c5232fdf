//! One change to what this PC trusts or holds: what, where, what stood there before, who asked, and how far it has come.

use data_encoding::BASE64;
use inkan_model::id::ChangeId;
use inkan_model::store::{KeyPresence, Location};
use inkan_model::{EntryProperties, Fingerprint, Timestamp};
use inkan_trust_store::Anchor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One change. There is no key material in it, ever: a certificate that is taken away with its key cannot come back.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ChangeRecord {
    /// Which change.
    pub id: ChangeId,
    /// Where.
    pub location: Location,
    /// Which certificate.
    pub certificate: Fingerprint,
    /// What is done with it.
    pub deed: Deed,
    /// Who asked for it.
    pub asked_by: Asker,
    /// When it was asked for, by the PC's clock.
    pub asked_at: Timestamp,
    /// How far it has come.
    pub state: ChangeState,
    /// Since when, by the PC's clock.
    pub state_at: Timestamp,
    /// The application that sees the change only after it was started again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
}

/// What is done with a certificate, and what stood in its place before.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "deed")]
pub enum Deed {
    /// The certificate becomes an anchor, or gets other limits.
    AddAnchor {
        /// The anchor as it should stand.
        wanted: KeptAnchor,
        /// The anchor as it stood.
        before: Option<KeptAnchor>,
    },
    /// The certificate stops being an anchor.
    RemoveAnchor {
        /// The anchor as it stood.
        before: KeptAnchor,
    },
    /// The certificate comes with its key.
    Import {
        /// The name that it is given.
        name: Option<String>,
        /// The certificate as it stood, without a usable key.
        before: Option<KeptCertificate>,
    },
    /// The certificate goes, and its key with it where nothing else uses that.
    RemoveCertificate {
        /// The certificate as it stood.
        before: KeptCertificate,
    },
}

impl Deed {
    /// Whether it is about an anchor, as against a certificate with its key.
    pub const fn is_about_anchor(&self) -> bool {
        match self {
            Self::AddAnchor { .. } | Self::RemoveAnchor { .. } => true,
            Self::Import { .. } | Self::RemoveCertificate { .. } => false,
        }
    }

    /// The certificate as DER, where the record has it.
    pub fn der(&self) -> Option<&[u8]> {
        match self {
            Self::AddAnchor { wanted, .. } => Some(&wanted.der.0),
            Self::RemoveAnchor { before } => Some(&before.der.0),
            Self::Import { before, .. } => before.as_ref().map(|before| before.der.0.as_slice()),
            Self::RemoveCertificate { before } => Some(&before.der.0),
        }
    }
}

/// Who asked for a change.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Asker {
    /// A person with a command on this PC. The name is what the person's session says; whoever may write the journal
    /// could also write another name into it.
    LocalOperator {
        /// Log-on name.
        log_on_name: String,
    },
}

/// How far a change has come.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ChangeState {
    /// It is journaled; whether the store was touched is not known.
    Planned,
    /// The store has said that it is made.
    Applied,
    /// It was read back.
    Confirmed,
    /// It is being taken back.
    Undoing {
        /// Why.
        because: Because,
        /// What kept it from being taken back so far.
        stuck: Option<String>,
    },
    /// It was made, and later taken back on request.
    Undone,
    /// It could not be made, and all is as before.
    Failed {
        /// Why it could not be made.
        why: String,
    },
}

/// Why a change is being taken back.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "because")]
pub enum Because {
    /// It went wrong.
    Failed {
        /// What went wrong.
        why: String,
    },
    /// Somebody asked for everything to be as before.
    Restore,
}

impl Because {
    /// The state once everything is as before.
    pub(super) fn ends_in(self) -> ChangeState {
        match self {
            Self::Failed { why } => ChangeState::Failed { why },
            Self::Restore => ChangeState::Undone,
        }
    }
}

impl ChangeState {
    /// Whether something has still to be done about it.
    pub const fn is_unfinished(&self) -> bool {
        match self {
            Self::Planned | Self::Applied | Self::Undoing { .. } => true,
            Self::Confirmed | Self::Undone | Self::Failed { .. } => false,
        }
    }

    /// Whether it has, or may have, left something in a store.
    pub const fn is_live(&self) -> bool {
        match self {
            Self::Planned | Self::Applied | Self::Confirmed | Self::Undoing { .. } => true,
            Self::Undone | Self::Failed { .. } => false,
        }
    }

    /// Whether a change may go from this state to that one.
    pub const fn may_become(&self, next: &Self) -> bool {
        match self {
            Self::Planned => matches!(next, Self::Applied | Self::Undoing { .. } | Self::Failed { .. }),
            Self::Applied => matches!(next, Self::Confirmed | Self::Undoing { .. }),
            Self::Confirmed => matches!(next, Self::Undoing { because: Because::Restore, .. }),
            Self::Undoing { .. } => matches!(next, Self::Undoing { .. } | Self::Undone | Self::Failed { .. }),
            Self::Undone | Self::Failed { .. } => false,
        }
    }
}

/// A certificate's bytes, as base64 in the journal.
#[derive(Clone, Eq, PartialEq)]
pub struct Der(pub Vec<u8>);

impl std::fmt::Debug for Der {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Der({})", Fingerprint::of(&self.0))
    }
}

impl Serialize for Der {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Der {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text.as_bytes()).map(Self).map_err(serde::de::Error::custom)
    }
}

/// An [`Anchor`] as the journal keeps it: all that is needed to put it back.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeptAnchor {
    /// The certificate.
    pub der: Der,
    /// Its name in the store.
    pub name: Option<String>,
    /// Limits and trust flags.
    #[serde(default, skip_serializing_if = "EntryProperties::is_empty")]
    pub properties: EntryProperties,
}

impl From<Anchor> for KeptAnchor {
    fn from(anchor: Anchor) -> Self {
        let Anchor { der, name, properties } = anchor;
        Self { der: Der(der), name, properties }
    }
}

impl KeptAnchor {
    /// The anchor as stores take it.
    pub fn to_anchor(&self) -> Anchor {
        let Self { der, name, properties } = self.clone();
        Anchor { der: der.0, name, properties }
    }
}

/// A certificate that stood in a store of certificates with keys. Its key is not in here.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeptCertificate {
    /// The certificate.
    pub der: Der,
    /// Whether it had a key.
    pub key: KeyPresence,
    /// Its name in the store.
    pub name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_stays_over() {
        let why = || "w".to_owned();
        let states = [
            ChangeState::Planned,
            ChangeState::Applied,
            ChangeState::Confirmed,
            ChangeState::Undoing { because: Because::Restore, stuck: None },
            ChangeState::Undone,
            ChangeState::Failed { why: why() },
        ];
        for over in states.iter().filter(|state| !state.is_live()) {
            assert!(!states.iter().any(|next| over.may_become(next)), "{over:?}");
        }
        assert!(states.iter().all(|state| !state.is_unfinished() || state.is_live()));
    }

    #[test]
    fn a_confirmed_change_is_only_taken_back_on_request() {
        let failed = ChangeState::Undoing { because: Because::Failed { why: "w".to_owned() }, stuck: None };
        assert!(!ChangeState::Confirmed.may_become(&failed));
        assert!(!ChangeState::Planned.may_become(&ChangeState::Confirmed));
    }
}
