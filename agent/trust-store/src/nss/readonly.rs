//! Where a profile is never changed: the browsers there take the machine's own roots.

use inkan_model::Fingerprint;
use inkan_model::store::Location;

use super::NssDatabases;
use super::reading::Content;
use crate::{Anchor, AnchorStore, ChangeError, Changed};

const WHY: &str = "Firefox takes the machine's own roots on this system (an old one by its policies.json); its profiles are \
                   left alone";

fn refused(location: &Location) -> ChangeError {
    ChangeError::ReadOnly { location: location.clone(), why: WHY.to_owned() }
}

impl AnchorStore for NssDatabases {
    fn can_change(&self, location: &Location) -> Result<(), ChangeError> {
        Err(refused(location))
    }

    fn find_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Option<Anchor>, ChangeError> {
        let profile = self.profile(location).ok_or_else(|| refused(location))?;
        let folder = profile.open().map_err(|cause| ChangeError::Io { step: format!("open {location}"), cause })?;
        Ok(Content::of(&folder).find(certificate).map(super::reading::Found::as_anchor))
    }

    fn add_anchor(&self, location: &Location, _anchor: &Anchor) -> Result<Changed, ChangeError> {
        Err(refused(location))
    }

    fn remove_anchor(&self, location: &Location, _certificate: Fingerprint) -> Result<Changed, ChangeError> {
        Err(refused(location))
    }
}
