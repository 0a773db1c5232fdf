//! Renewals in a Windows store: the new certificate and its key beside the old ones, then the old one archived.
//!
//! What has been done is told by the stores themselves: the key by its container's name, the new certificate by its
//! link to that container, the end by the old certificate's mark. There is no journal beside them that could disagree.

use inkan_model::store::Location;
use inkan_model::{Certificate, Fingerprint, limits};

use super::personal::{Personal, Standing};
use super::policy;
use super::properties;
use super::provider::{StoredKey, provider_of};
use crate::p256::crypto;
use crate::windows::WindowsStores;
use crate::windows::system_store::CertificateContext;
use crate::{ChangeError, Keyring, PrivateKey, RenewalSlot};

impl Keyring for WindowsStores {
    fn ensure_key(&self, slot: &RenewalSlot) -> Result<Box<dyn PrivateKey>, ChangeError> {
        Ok(Box::new(Change::of(self, slot)?.ensure_key()?))
    }

    fn install_beside(&self, slot: &RenewalSlot, chain: &[Vec<u8>]) -> Result<(), ChangeError> {
        Change::of(self, slot)?.install_beside(chain)
    }

    fn archive_old(&self, slot: &RenewalSlot, new: Fingerprint) -> Result<(), ChangeError> {
        Change::of(self, slot)?.archive_old(new)
    }

    fn discard(&self, slot: &RenewalSlot) -> Result<(), ChangeError> {
        Change::of(self, slot)?.discard()
    }
}

/// The key of a certificate that stands at a Location, to use it; `None` where its certificates are not there for their
/// keys. Keys that are not in the PC itself are left alone: their provider might ask for a card.
pub(crate) fn existing_key(
    stores: &WindowsStores,
    location: &Location,
    certificate: Fingerprint,
) -> Option<Result<Box<dyn PrivateKey>, ChangeError>> {
    stores.key_store(location)?;
    let open = || {
        let personal = Personal::at(stores, location)?;
        let standing = personal.find(certificate)?.ok_or_else(|| personal.missing(certificate))?;
        let link = standing.link.ok_or_else(|| crypto("the certificate has no private key here"))?;
        let key = personal.key(&link)?.ok_or_else(|| crypto("the private key is not where the store says"))?;
        if key.public_key() != standing.spki {
            return Err(crypto("the private key belongs to another certificate"));
        }
        Ok(Box::new(key) as Box<dyn PrivateKey>)
    };
    Some(open())
}

/// One renewal's view of its store.
struct Change<'c> {
    slot: &'c RenewalSlot,
    personal: Personal<'c>,
    /// The container of the renewal's key.
    container: String,
}

impl<'c> Change<'c> {
    fn of(stores: &'c WindowsStores, slot: &'c RenewalSlot) -> Result<Self, ChangeError> {
        let personal = Personal::at(stores, &slot.location)?;
        let container = policy::renewal_container(personal.keys(), slot.renewal, slot.old);
        Ok(Self { slot, personal, container })
    }

    fn ensure_key(&self) -> Result<StoredKey, ChangeError> {
        if let Some(key) = self.made_key()? {
            return Ok(key);
        }
        let old = self.active_old()?.ok_or_else(|| self.personal.missing(self.slot.old))?;
        let facts = old.certificate.facts.as_ref().map_err(|error| crypto(error.to_string()))?;
        let (new, providers) = policy::successor(&facts.key, old.link.as_ref())
            .ok_or_else(|| crypto("a key of the old certificate's kind cannot be made here"))?;
        let mut failure = crypto("no provider makes keys of this kind");
        for provider in providers {
            let link = policy::link(provider, self.personal.keys(), self.container.clone());
            match provider_of(&link).generate(&link, new) {
                Ok(()) => {
                    return self
                        .personal
                        .key(&link)?
                        .ok_or_else(|| self.personal.not_confirmed("the key is not there"));
                }
                Err(cause) => {
                    tracing::debug!(provider, error = %cause, "a provider does not make the new key");
                    failure = ChangeError::Io { step: format!("make a key in {provider}"), cause };
                }
            }
        }
        Err(failure)
    }

    /// The old certificate, where it is still in use.
    fn active_old(&self) -> Result<Option<Standing>, ChangeError> {
        Ok(self.personal.find(self.slot.old)?.filter(|old| !old.archived))
    }

    /// The key made before for this renewal, in whichever provider it is.
    fn made_key(&self) -> Result<Option<StoredKey>, ChangeError> {
        for provider in policy::OURS {
            let link = policy::link(provider, self.personal.keys(), self.container.clone());
            if let Some(key) = self.personal.key(&link)? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    fn install_beside(&self, chain: &[Vec<u8>]) -> Result<(), ChangeError> {
        let chain = self.checked_chain(chain)?;
        let Some((leaf, issuers)) = chain.split_first() else { return Err(crypto("a chain of no certificates")) };
        let key = self.made_key()?.ok_or_else(|| crypto("no key was made for this renewal"))?;
        let Some(old) = self.active_old()? else {
            // The old certificate is archived: then the new one is already where it belongs.
            return match self.installed(leaf.fingerprint)? {
                Some(_) => Ok(()),
                None => Err(self.personal.missing(self.slot.old)),
            };
        };
        let carries = leaf.facts.as_ref().is_ok_and(|facts| facts.spki_sha256 == *key_digest(&key).as_bytes());
        if !carries {
            return Err(crypto("the new certificate is not for the key of this renewal"));
        }
        if let Some(link) = &old.link {
            self.personal.carry_access(link, key.link())?;
        }
        if self.installed(leaf.fingerprint)?.is_none() {
            let context = self.successor(leaf, &old, &key)?;
            self.personal.put(&context)?;
        }
        let confirmed = self.personal.add_issuers(issuers).and_then(|_| self.prove(leaf.fingerprint));
        if confirmed.is_err() {
            self.personal.take_away(leaf.fingerprint)?;
        }
        confirmed
    }

    /// The new certificate with its key and with what was said of the old one.
    fn successor(
        &self,
        leaf: &Certificate,
        old: &Standing,
        key: &StoredKey,
    ) -> Result<CertificateContext, ChangeError> {
        let failed = || self.personal.io("prepare the new certificate");
        let context = CertificateContext::new(&leaf.der).map_err(failed())?;
        properties::carry(&old.context, &context).map_err(failed())?;
        context.set_key_link(key.link()).map_err(failed())?;
        Ok(context)
    }

    /// The new certificate, where it stands with this renewal's key.
    fn installed(&self, new: Fingerprint) -> Result<Option<Standing>, ChangeError> {
        let standing = self.personal.find(new)?.filter(|standing| !standing.archived);
        Ok(standing.filter(|standing| {
            standing.link.as_ref().is_some_and(|link| link.container.eq_ignore_ascii_case(&self.container))
        }))
    }

    /// Reads the new certificate back, and lets its key sign through what the store says of it.
    fn prove(&self, new: Fingerprint) -> Result<(), ChangeError> {
        let absent = || self.personal.not_confirmed("the new certificate is not there with its key");
        let standing = self.installed(new)?.ok_or_else(absent)?;
        let link = standing.link.as_ref().ok_or_else(absent)?;
        self.personal.key(link)?.ok_or_else(absent)?.prove(&standing.spki)
    }

    fn checked_chain(&self, chain: &[Vec<u8>]) -> Result<Vec<Certificate>, ChangeError> {
        if chain.is_empty() || chain.len() > limits::CHAIN_CERTIFICATES {
            return Err(crypto(format!("a chain of {} certificates", chain.len())));
        }
        let read: Vec<_> = chain.iter().map(|der| Certificate::read(der.clone())).collect();
        if let Some(error) = read.iter().find_map(|certificate| certificate.facts.as_ref().err()) {
            return Err(crypto(format!("the chain holds what is {error}")));
        }
        if read.first().is_some_and(|leaf| leaf.fingerprint == self.slot.old) {
            return Err(crypto("the new certificate is the old one"));
        }
        Ok(read)
    }

    fn archive_old(&self, new: Fingerprint) -> Result<(), ChangeError> {
        let old = self.personal.find(self.slot.old)?.ok_or_else(|| self.personal.missing(self.slot.old))?;
        self.prove(new)?;
        if old.archived { Ok(()) } else { self.personal.archive(&old) }
    }

    fn discard(&self) -> Result<(), ChangeError> {
        if self.personal.find(self.slot.old)?.is_some_and(|old| old.archived) {
            return Ok(());
        }
        for new in self.personal.with_key_in(&self.container)? {
            self.personal.take_away(new)?;
        }
        for provider in policy::OURS {
            let link = policy::link(provider, self.personal.keys(), self.container.clone());
            if self.personal.key(&link)?.is_some() && self.personal.users_of(&link)?.is_empty() {
                self.personal.delete_key(&link)?;
            }
        }
        Ok(())
    }
}

/// Stands for a key as certificates are compared with it.
fn key_digest(key: &StoredKey) -> Fingerprint {
    Fingerprint::of(&key.public_key())
}
