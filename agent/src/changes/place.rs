//! One Location as a change sees it: what stands there, one step, and reading back.
//!
//! A backend reads back what it wrote by itself. Here the same is asked once more, through the reading that the inventory
//! uses, so that "confirmed" means that the next report will show it.

use std::sync::Arc;

use inkan_model::Fingerprint;
use inkan_model::store::{KeyPresence, Location, ReadError, SetEntry};
use inkan_trust_store::{
    Anchor, AnchorStore, ChangeError, Changed, KeyedCertificate, KeyedStore, Reading, Removed, StoreBackend,
};

use super::plan::{Original, Standing, stands_as, stands_as_before};
use super::record::{Deed, Der, KeptAnchor, KeptCertificate};

/// A Location that a backend finds by itself now.
pub(super) struct Place<'s> {
    backend: &'s dyn StoreBackend,
    location: Location,
}

/// What a step came to.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) restart: Option<String>,
    pub(super) removed: Option<Removed>,
}

impl<'s> Place<'s> {
    /// A path from outside is never opened: the place must be one that a backend finds.
    pub(super) fn find(stores: &'s [Arc<dyn StoreBackend>], location: &Location) -> Option<Self> {
        let backend = stores.iter().find(|store| store.discover().contains(location))?;
        Some(Self { backend: &**backend, location: location.clone() })
    }

    pub(super) fn can_change(&self, about_anchor: bool) -> Result<(), ChangeError> {
        if about_anchor { self.anchors()?.can_change(&self.location) } else { self.keyed().map(drop) }
    }

    fn anchors(&self) -> Result<&'s dyn AnchorStore, ChangeError> {
        self.backend.anchors().ok_or_else(|| self.read_only("its anchors cannot be changed"))
    }

    fn keyed(&self) -> Result<&'s dyn KeyedStore, ChangeError> {
        self.backend.keyed().ok_or_else(|| self.read_only("certificates with keys cannot be changed here"))
    }

    fn read_only(&self, why: &str) -> ChangeError {
        ChangeError::ReadOnly { location: self.location.clone(), why: why.to_owned() }
    }

    fn not_confirmed(&self, why: impl Into<String>) -> ChangeError {
        ChangeError::NotConfirmed { location: self.location.clone(), why: why.into() }
    }

    /// What stands here now, as far as a change of this kind is concerned.
    pub(super) fn standing(&self, certificate: Fingerprint, about_anchor: bool) -> Result<Standing, ChangeError> {
        if about_anchor {
            let anchor = self.anchors()?.find_anchor(&self.location, certificate)?;
            return Ok(Standing { anchor: anchor.map(KeptAnchor::from), certificate: None });
        }
        let reading = self.backend.read(&self.location);
        match find_keyed(&reading, certificate) {
            Some(certificate) => Ok(Standing { anchor: None, certificate: Some(certificate) }),
            None => self.whole(&reading).map(|()| Standing::default()),
        }
    }

    /// Makes one step. A step that was made before finds it done.
    pub(super) fn apply(
        &self,
        deed: &Deed,
        certificate: Fingerprint,
        key: Option<&KeyedCertificate>,
    ) -> Result<Step, ChangeError> {
        match deed {
            Deed::AddAnchor { wanted, .. } => self.add(&wanted.to_anchor()),
            Deed::RemoveAnchor { .. } => self.remove(certificate),
            Deed::Import { .. } => {
                let key = key.ok_or_else(|| ChangeError::Crypto { what: "the key is not at hand".to_owned() })?;
                self.keyed()?.import(&self.location, key).map(|_| Step::default())
            }
            Deed::RemoveCertificate { .. } => {
                let removed = self.keyed()?.remove(&self.location, certificate)?;
                Ok(Step { removed: Some(removed), restart: None })
            }
        }
    }

    fn add(&self, anchor: &Anchor) -> Result<Step, ChangeError> {
        self.anchors()?.add_anchor(&self.location, anchor).map(Step::from)
    }

    fn remove(&self, certificate: Fingerprint) -> Result<Step, ChangeError> {
        self.anchors()?.remove_anchor(&self.location, certificate).map(Step::from)
    }

    /// Reads back that a step was made.
    pub(super) fn confirm(&self, deed: &Deed, certificate: Fingerprint) -> Result<(), ChangeError> {
        match deed {
            Deed::AddAnchor { wanted, .. } => self.confirm_anchor(certificate, Some(wanted)),
            Deed::RemoveAnchor { .. } => self.confirm_anchor(certificate, None),
            Deed::Import { .. } => self.confirm_certificate(certificate, true),
            Deed::RemoveCertificate { .. } => self.confirm_certificate(certificate, false),
        }
    }

    fn confirm_anchor(&self, certificate: Fingerprint, wanted: Option<&KeptAnchor>) -> Result<(), ChangeError> {
        let found = self.anchors()?.find_anchor(&self.location, certificate)?.map(KeptAnchor::from);
        let reading = self.backend.read(&self.location);
        match (wanted, found) {
            (Some(wanted), Some(found)) if !stands_as(&found, wanted) => {
                Err(self.not_confirmed("the anchor stands there with other limits or trust"))
            }
            (Some(_), Some(_)) if lists(&reading, certificate, |_| true) => Ok(()),
            (Some(_), _) => Err(self.not_confirmed("the anchor is not seen there")),
            // One that is there with its key is another matter than an anchor.
            (None, None) if !lists(&reading, certificate, |key| key != KeyPresence::Present) => self.whole(&reading),
            (None, _) => Err(self.not_confirmed("the anchor is still seen there")),
        }
    }

    fn confirm_certificate(&self, certificate: Fingerprint, wanted: bool) -> Result<(), ChangeError> {
        let reading = self.backend.read(&self.location);
        match (wanted, find_keyed(&reading, certificate).map(|found| found.key)) {
            (true, Some(KeyPresence::Present | KeyPresence::Unknown)) => Ok(()),
            (true, Some(_)) => Err(self.not_confirmed("the certificate is seen there without its key")),
            (true, None) => Err(self.not_confirmed("the certificate is not seen there")),
            (false, Some(_)) => Err(self.not_confirmed("the certificate is still seen there")),
            (false, None) => self.whole(&reading),
        }
    }

    /// That something is not there counts only where the store as a whole could be read.
    fn whole(&self, reading: &Reading) -> Result<(), ChangeError> {
        match reading.errors.iter().find(|error| error.item.is_empty()) {
            Some(ReadError { detail, .. }) => Err(self.not_confirmed(format!("it cannot be read: {detail}"))),
            None => Ok(()),
        }
    }

    /// Brings back what stood here, or finds it so, and reads it back.
    pub(super) fn bring_back(&self, original: &Original, certificate: Fingerprint) -> Result<Step, ChangeError> {
        match original {
            Original::Anchor(before) => {
                let found = self.standing(certificate, true)?.anchor;
                let step = match before {
                    _ if stands_as_before(found.as_ref(), before.as_ref()) => Step::default(),
                    Some(before) => self.add(&before.to_anchor())?,
                    None => self.remove(certificate)?,
                };
                self.confirm_anchor(certificate, before.as_ref()).map(|()| step)
            }
            Original::NoCertificate => {
                let step = match self.standing(certificate, false)?.certificate {
                    Some(_) => {
                        let removed = self.keyed()?.remove(&self.location, certificate)?;
                        Step { removed: Some(removed), restart: None }
                    }
                    None => Step::default(),
                };
                self.confirm_certificate(certificate, false).map(|()| step)
            }
        }
    }
}

impl From<Changed> for Step {
    fn from(changed: Changed) -> Self {
        match changed {
            Changed::AlreadySo | Changed::Done => Self::default(),
            Changed::AfterRestart { application } => Self { restart: Some(application), removed: None },
        }
    }
}

fn lists(reading: &Reading, certificate: Fingerprint, counts: impl Fn(KeyPresence) -> bool) -> bool {
    let is_it = |entry: &SetEntry| match entry {
        SetEntry::Certificate { certificate: found, key, .. } => *found == certificate && counts(*key),
        SetEntry::Unreadable { .. } => false,
    };
    reading.entries.iter().any(is_it)
}

/// The certificate among those that have, or should have, keys; one with a key where there are several.
fn find_keyed(reading: &Reading, certificate: Fingerprint) -> Option<KeptCertificate> {
    let of_entry = |entry: &SetEntry| match entry {
        SetEntry::Certificate { certificate: found, key, name, .. }
            if *found == certificate && *key != KeyPresence::NotExpected =>
        {
            Some((*key, name.clone()))
        }
        SetEntry::Certificate { .. } | SetEntry::Unreadable { .. } => None,
    };
    let with_key_first = |(key, _): &(KeyPresence, Option<String>)| u8::from(*key != KeyPresence::Present);
    let (key, name) = reading.entries.iter().filter_map(of_entry).min_by_key(with_key_first)?;
    let der = reading.certificates.iter().find(|found| found.fingerprint == certificate)?.der.clone();
    Some(KeptCertificate { der: Der(der), key, name })
}
