//! Certificates with their keys in memory. The key itself is proven and then forgotten: nobody signs with it here.

use inkan_model::store::{KeyPresence, Location};
use inkan_model::{Certificate, CertificateFacts, EntryProperties, Fingerprint};

use super::{FakeStore, Held};
use crate::p256::{SoftwareKey, crypto};
use crate::{ChangeError, Imported, KeyedCertificate, KeyedStore, PrivateKey as _, Removed, SignatureScheme};

impl KeyedStore for FakeStore {
    fn import(&self, location: &Location, certificate: &KeyedCertificate) -> Result<Imported, ChangeError> {
        let mut state = self.lock();
        state.refuse(location)?;
        let leaf = Certificate::read(certificate.chain.first().cloned().unwrap_or_default());
        let facts = leaf.facts.as_ref().map_err(|error| crypto(error.to_string()))?;
        let key = SoftwareKey::from_pkcs8(&certificate.pkcs8)?;
        key.sign(SignatureScheme::EcdsaP256Sha256, b"proof")?;
        if !key.belongs_to(&facts.spki_sha256) {
            return Err(crypto("the certificate is not for this key"));
        }
        let properties = EntryProperties { key_exportable: Some(false), ..EntryProperties::default() };
        let imported = |already| Imported { certificate: leaf.fingerprint, already, properties: properties.clone() };
        let mut held = state.held(location)?.clone();
        let is_it = |held: &Held| held.der == leaf.der && held.key == KeyPresence::Present;
        if held.iter().any(is_it) {
            return Ok(imported(true));
        }
        held.retain(|held| held.der != leaf.der || held.key == KeyPresence::NotExpected);
        let (der, name, properties) = (leaf.der.clone(), certificate.name.clone(), properties.clone());
        held.push(Held { der, key: KeyPresence::Present, name, properties, renewal: None });
        state.replace(location, held)?;
        Ok(imported(false))
    }

    fn remove(&self, location: &Location, certificate: Fingerprint) -> Result<Removed, ChangeError> {
        let mut state = self.lock();
        state.refuse(location)?;
        let is_it = |held: &Held| held.key != KeyPresence::NotExpected && held.fingerprint() == certificate;
        let Some(found) = state.held(location)?.iter().find(|held| is_it(held)).cloned() else {
            return Ok(Removed::AlreadyGone);
        };
        let left = state.held(location)?.iter().filter(|held| !is_it(held)).cloned().collect();
        let others = state.locations.iter().flat_map(|(at, held)| held.iter().map(move |held| (at, held)));
        let uses = |(at, held): &(&Location, &Held)| {
            held.key == KeyPresence::Present && same_key(held, &found) && !(*at == location && is_it(held))
        };
        let used_by: Vec<String> = others.filter(uses).map(|(at, _)| at.to_string()).collect();
        state.replace(location, left)?;
        Ok(match found.key {
            KeyPresence::Present if used_by.is_empty() => Removed::WithKey,
            KeyPresence::Present => Removed::KeyStays { used_by },
            _ => Removed::WithoutKey,
        })
    }
}

fn same_key(one: &Held, other: &Held) -> bool {
    let key = |held: &Held| CertificateFacts::read(&held.der).ok().map(|facts| facts.spki_sha256);
    key(one).is_some() && key(one) == key(other)
}
