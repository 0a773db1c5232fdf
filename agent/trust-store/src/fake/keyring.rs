//! Renewals in memory.

use inkan_model::store::KeyPresence;
use inkan_model::{Certificate, EntryProperties, Fingerprint};

use super::{FakeStore, Held, State};
use crate::p256::{SoftwareKey, crypto};
use crate::{ChangeError, Keyring, PrivateKey, RenewalSlot};

impl State {
    fn old_is_there(&self, slot: &RenewalSlot) -> Result<(), ChangeError> {
        let mut held = self.locations.get(&slot.location).into_iter().flatten();
        if held.any(|held| held.fingerprint() == slot.old) {
            Ok(())
        } else {
            Err(ChangeError::Missing { certificate: slot.old, location: slot.location.clone() })
        }
    }

    fn installed(&mut self, slot: &RenewalSlot) -> Option<&mut Held> {
        let held = self.locations.get_mut(&slot.location)?;
        held.iter_mut().find(|held| held.renewal == Some(slot.renewal))
    }
}

impl Keyring for FakeStore {
    fn ensure_key(&self, slot: &RenewalSlot) -> Result<Box<dyn PrivateKey>, ChangeError> {
        let mut state = self.lock();
        state.refuse(&slot.location)?;
        if !state.keys.contains_key(&slot.renewal) {
            state.old_is_there(slot)?;
            let (_, pem) = SoftwareKey::generate()?;
            state.keys.insert(slot.renewal, pem);
        }
        let pem = state.keys.get(&slot.renewal).ok_or_else(|| crypto("no key was made"))?;
        Ok(Box::new(SoftwareKey::from_pem(pem.as_bytes())?))
    }

    fn install_beside(&self, slot: &RenewalSlot, chain: &[Vec<u8>]) -> Result<(), ChangeError> {
        let mut state = self.lock();
        state.refuse(&slot.location)?;
        let leaf = Certificate::read(chain.first().cloned().unwrap_or_default());
        let facts = leaf.facts.map_err(|error| crypto(error.to_string()))?;
        if state.finished.get(&slot.renewal) == Some(&leaf.fingerprint) {
            return Ok(());
        }
        state.old_is_there(slot)?;
        let key = state.keys.get(&slot.renewal).ok_or_else(|| crypto("no key was made for this renewal"))?;
        if !SoftwareKey::from_pem(key.as_bytes())?.belongs_to(&facts.spki_sha256) {
            return Err(crypto("the new certificate is not for the key of this renewal"));
        }
        let renewed = Held {
            der: leaf.der,
            key: KeyPresence::Present,
            name: Some(format!("{}.pem", slot.renewal)),
            properties: EntryProperties::default(),
            renewal: Some(slot.renewal),
        };
        match state.installed(slot) {
            Some(held) => *held = renewed,
            None => state.locations.entry(slot.location.clone()).or_default().push(renewed),
        }
        Ok(())
    }

    fn archive_old(&self, slot: &RenewalSlot, new: Fingerprint) -> Result<(), ChangeError> {
        let mut state = self.lock();
        state.refuse(&slot.location)?;
        if state.finished.get(&slot.renewal) == Some(&new) {
            return Ok(());
        }
        state.old_is_there(slot)?;
        match state.installed(slot) {
            Some(held) if held.fingerprint() == new => held.renewal = None,
            Some(_) | None => {
                let why = "the new certificate is not installed beside the old one".to_owned();
                return Err(ChangeError::NotConfirmed { location: slot.location.clone(), why });
            }
        }
        if let Some(held) = state.locations.get_mut(&slot.location) {
            held.retain(|held| held.fingerprint() != slot.old);
        }
        state.archive.push(slot.old);
        state.finished.insert(slot.renewal, new);
        Ok(())
    }

    fn discard(&self, slot: &RenewalSlot) -> Result<(), ChangeError> {
        let mut state = self.lock();
        state.refuse(&slot.location)?;
        if !state.finished.contains_key(&slot.renewal) {
            state.keys.remove(&slot.renewal);
            if let Some(held) = state.locations.get_mut(&slot.location) {
                held.retain(|held| held.renewal != Some(slot.renewal));
            }
        }
        Ok(())
    }
}
