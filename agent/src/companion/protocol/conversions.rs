//! Between messages and what stores take and give. Words from the other end are tamed on their way.

use std::io;

use inkan_model::Fingerprint;
use inkan_model::limits::{self, tame_text};
use inkan_model::store::Location;
use inkan_trust_store::{
    Anchor, ChangeError, Changed, Imported, KeyedCertificate, Removed, RenewalSlot, SignatureScheme,
};

use super::{Answer, Bytes, ChangedAnchor, Refusal, RemovedEntry, Request, Scheme, Secret, Slot, to_bytes};

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
            Self::Unsignable => ChangeError::Crypto { what: "the companion does not sign such a message".to_owned() },
        }
    }
}
