//! Anchors in memory: whatever is held without a key.

use inkan_model::store::{KeyPresence, Location};
use inkan_model::{Certificate, Fingerprint};

use super::{FakeStore, Held};
use crate::p256::crypto;
use crate::{Anchor, AnchorStore, ChangeError, Changed};

impl Held {
    const fn is_anchor(&self) -> bool {
        matches!(self.key, KeyPresence::NotExpected)
    }

    fn to_anchor(&self) -> Anchor {
        Anchor { der: self.der.clone(), name: self.name.clone(), properties: self.properties.clone() }
    }
}

impl AnchorStore for FakeStore {
    fn can_change(&self, location: &Location) -> Result<(), ChangeError> {
        let state = self.lock();
        state.held(location)?;
        state.refuse(location)
    }

    fn find_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Option<Anchor>, ChangeError> {
        let state = self.lock();
        let mut held = state.held(location)?.iter();
        Ok(held.find(|held| held.is_anchor() && held.fingerprint() == certificate).map(Held::to_anchor))
    }

    fn add_anchor(&self, location: &Location, anchor: &Anchor) -> Result<Changed, ChangeError> {
        let mut state = self.lock();
        state.refuse(location)?;
        Certificate::read(anchor.der.clone()).facts.map_err(|error| crypto(error.to_string()))?;
        let limit = anchor.properties.purposes.as_ref().map(|_| "purposes");
        let limit = limit.or(anchor.properties.name_constraints.as_ref().map(|_| "names"));
        if let Some(limit) = limit.filter(|_| state.limits_nothing) {
            return Err(ChangeError::CannotLimit { location: location.clone(), limit: limit.to_owned() });
        }
        let Anchor { der, name, properties } = anchor.clone();
        let wanted = Held { der, key: KeyPresence::NotExpected, name, properties, renewal: None };
        let mut held = state.held(location)?.clone();
        if held.contains(&wanted) {
            return Ok(Changed::AlreadySo);
        }
        held.retain(|held| !(held.is_anchor() && held.der == wanted.der));
        held.push(wanted);
        state.replace(location, held)?;
        Ok(changed(state.application.clone()))
    }

    fn remove_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Changed, ChangeError> {
        let mut state = self.lock();
        state.refuse(location)?;
        let held = state.held(location)?;
        let is_it = |held: &Held| held.is_anchor() && held.fingerprint() == certificate;
        if !held.iter().any(is_it) {
            return Ok(Changed::AlreadySo);
        }
        let left = held.iter().filter(|held| !is_it(held)).cloned().collect();
        state.replace(location, left)?;
        Ok(changed(state.application.clone()))
    }
}

fn changed(application: Option<String>) -> Changed {
    application.map_or(Changed::Done, |application| Changed::AfterRestart { application })
}
