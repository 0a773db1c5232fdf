//! Certificates with keys in the machine's and the running account's own stores: looked at, added, marked, taken away.
//!
//! Each step opens the store, changes it, commits, and leaves it; what counts is what a store that was opened anew then
//! shows. Properties are set before a certificate is added, because not every system keeps what is set later.

use std::io;

use inkan_model::store::Location;
use inkan_model::{Certificate, Fingerprint};
use windows_sys::Win32::Security::Cryptography::CERT_ARCHIVED_PROP_ID;

use super::other_stores;
use super::policy::{self, KeyScope};
use super::properties;
use super::provider::{StoredKey, provider_of};
use crate::ChangeError;
use crate::p256::crypto;
use crate::pkcs12::spki_of;
use crate::windows::WindowsStores;
use crate::windows::serialized::KeyLink;
use crate::windows::stores::KeyStore;
use crate::windows::system_store::{CertificateContext, StoreScope, StoredCertificate, SystemStore};

/// The store of intermediate authorities.
const INTERMEDIATES: &str = "CA";
/// Where archived certificates are put on systems without a mark for them, as Wine is.
const ARCHIVE: &str = "InkanArchive";

/// A store of certificates with keys, opened anew for each step.
pub(super) struct Personal<'s> {
    pub(super) stores: &'s WindowsStores,
    pub(super) location: &'s Location,
    scope: StoreScope,
}

/// A certificate as it stands there.
pub(super) struct Standing {
    pub(super) certificate: Certificate,
    /// The public key as it stands in the certificate.
    pub(super) spki: Vec<u8>,
    /// Where its key is said to be.
    pub(super) link: Option<KeyLink>,
    pub(super) archived: bool,
    /// The certificate with its properties, for putting it back.
    pub(super) context: CertificateContext,
}

impl<'s> Personal<'s> {
    /// The store that a Location names, where this process can use its keys.
    pub(super) fn at(stores: &'s WindowsStores, location: &'s Location) -> Result<Self, ChangeError> {
        let scope = match stores.key_store(location) {
            Some(KeyStore::Machine) => StoreScope::Machine,
            Some(KeyStore::OfThisAccount) => StoreScope::CurrentUser,
            Some(KeyStore::OfAnother) => {
                let why = "only a process of that user can use and make that user's keys".to_owned();
                return Err(ChangeError::NeedsUser { location: location.clone(), why });
            }
            None => {
                let why = "it is not a store of certificates that are there for their keys".to_owned();
                return Err(ChangeError::ReadOnly { location: location.clone(), why });
            }
        };
        Ok(Self { stores, location, scope })
    }

    pub(super) const fn keys(&self) -> KeyScope {
        match self.scope {
            StoreScope::Machine => KeyScope::Machine,
            StoreScope::CurrentUser => KeyScope::User,
        }
    }

    /// The certificate with this fingerprint, archived or not.
    pub(super) fn find(&self, certificate: Fingerprint) -> Result<Option<Standing>, ChangeError> {
        let place = &self.location.path;
        let found = self.find_in(place, certificate)?;
        Ok(match found {
            Some(standing) => Some(standing),
            None => self.find_in(ARCHIVE, certificate)?.map(|standing| Standing { archived: true, ..standing }),
        })
    }

    fn find_in(&self, name: &str, certificate: Fingerprint) -> Result<Option<Standing>, ChangeError> {
        let failed = || self.io("read a certificate of the store");
        let Some(store) = SystemStore::open_to_read(self.scope, name).map_err(failed())? else { return Ok(None) };
        let found = store.find(certificate).map(|stored| standing(&stored));
        found.transpose().map_err(failed())
    }

    /// The certificates whose key is in this container.
    pub(super) fn with_key_in(&self, container: &str) -> Result<Vec<Fingerprint>, ChangeError> {
        let store = self.open(&self.location.path)?;
        let mut found = Vec::new();
        for stored in store.certificates() {
            let link = stored.key_link().map_err(self.io("read a certificate of the store"))?;
            if link.is_some_and(|link| link.container.eq_ignore_ascii_case(container)) {
                found.push(stored.fingerprint());
            }
        }
        Ok(found)
    }

    /// Adds a certificate with the properties of its context, in the place of one that is there.
    pub(super) fn put(&self, context: &CertificateContext) -> Result<(), ChangeError> {
        // Some systems keep the properties of the one that was there when it is replaced.
        self.take_away(context.fingerprint())?;
        self.add_to(&self.location.path, context)
    }

    /// Takes a certificate away, archived or not, and looks that it is gone. Its key stays.
    pub(super) fn take_away(&self, certificate: Fingerprint) -> Result<(), ChangeError> {
        self.remove_from(&self.location.path, certificate)?;
        if self.find_in(ARCHIVE, certificate)?.is_some() {
            self.remove_from(ARCHIVE, certificate)?;
        }
        match self.find(certificate)? {
            None => Ok(()),
            Some(_) => Err(self.not_confirmed("the certificate that was taken away is still there")),
        }
    }

    /// Archives a certificate: applications do not find it any more when they look for one; its key stays.
    pub(super) fn archive(&self, old: &Standing) -> Result<(), ChangeError> {
        let fingerprint = old.certificate.fingerprint;
        if !self.mark_archived(fingerprint)? {
            // The copy first: at any moment the certificate is somewhere.
            if self.find_in(ARCHIVE, fingerprint)?.is_none() {
                self.add_to(ARCHIVE, &old.context)?;
            }
            if self.find_in(ARCHIVE, fingerprint)?.is_none() {
                return Err(self.not_confirmed("the old certificate is not in the archive"));
            }
            self.remove_from(&self.location.path, fingerprint)?;
        }
        match self.find(fingerprint)? {
            Some(standing) if standing.archived => Ok(()),
            Some(_) | None => Err(self.not_confirmed("the old certificate is not archived")),
        }
    }

    /// Sets Windows' own mark; says whether this system knows it.
    fn mark_archived(&self, certificate: Fingerprint) -> Result<bool, ChangeError> {
        let store = self.open(&self.location.path)?;
        let Some(stored) = store.find(certificate) else { return Ok(false) };
        let marked = stored.set_bytes(CERT_ARCHIVED_PROP_ID, &[]).is_ok();
        drop(stored);
        store.close_and_commit().map_err(self.io("mark the old certificate as archived"))?;
        Ok(marked)
    }

    /// Adds those intermediate authorities that are missing, and gives them. Roots are named in the log and not
    /// added: what this PC trusts is not a certificate file's business.
    pub(super) fn add_issuers(&self, issuers: &[Certificate]) -> Result<Vec<Fingerprint>, ChangeError> {
        let mut added = Vec::new();
        for issuer in issuers {
            let facts = issuer.facts.as_ref().ok();
            match facts.map(|facts| (facts.is_ca, facts.is_self_issued())) {
                Some((true, false)) => {}
                Some((true, true)) => {
                    tracing::info!(certificate = %issuer.fingerprint, "a root of the chain is not added to any store");
                    continue;
                }
                Some((false, _)) | None => continue,
            }
            if self.has_intermediate(issuer.fingerprint)? {
                continue;
            }
            let context = CertificateContext::new(&issuer.der).map_err(self.io("read an issuer"))?;
            self.add_to(INTERMEDIATES, &context)?;
            if !self.has(INTERMEDIATES, self.scope, issuer.fingerprint)? {
                return Err(self.not_confirmed("an intermediate authority is not there"));
            }
            added.push(issuer.fingerprint);
        }
        Ok(added)
    }

    /// Takes intermediate authorities away again that were just added.
    pub(super) fn remove_issuers(&self, added: &[Fingerprint]) -> Result<(), ChangeError> {
        added.iter().try_for_each(|issuer| self.remove_from(INTERMEDIATES, *issuer))
    }

    fn has_intermediate(&self, certificate: Fingerprint) -> Result<bool, ChangeError> {
        // A user's chains are built from the machine's as well.
        let scopes: &[StoreScope] = match self.scope {
            StoreScope::Machine => &[StoreScope::Machine],
            StoreScope::CurrentUser => &[StoreScope::CurrentUser, StoreScope::Machine],
        };
        for scope in scopes {
            if self.has(INTERMEDIATES, *scope, certificate)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The key at a link. A provider that might ask for a card is not opened.
    pub(super) fn key(&self, link: &KeyLink) -> Result<Option<StoredKey>, ChangeError> {
        if !policy::keeps_keys_in_the_pc(&link.provider) {
            return Err(crypto(format!("the private key is kept by {} and not by this PC", link.provider)));
        }
        StoredKey::find(link).map_err(self.io("open the private key"))
    }

    /// Lets those accounts use a new key of the machine that may use the old one: a service that is not an
    /// administrator would be locked out otherwise. A user's keys are the user's alone.
    pub(super) fn carry_access(&self, old: &KeyLink, new: &KeyLink) -> Result<(), ChangeError> {
        if self.scope != StoreScope::Machine || !policy::keeps_keys_in_the_pc(&old.provider) {
            return Ok(());
        }
        let access = match provider_of(old).access(old) {
            Ok(Some(access)) => access,
            Ok(None) => return Ok(()),
            // Without the old key nobody uses it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(cause) => return Err(self.io("see who may use the old key")(cause)),
        };
        // What is so already stays: whoever has just lost the right to change it cannot set it a second time.
        if provider_of(new).access(new).is_ok_and(|same| same.as_ref() == Some(&access)) {
            return Ok(());
        }
        provider_of(new).set_access(new, &access).map_err(self.io("let the same accounts use the new key"))
    }

    /// Deletes a key that nothing uses any more.
    pub(super) fn delete_key(&self, link: &KeyLink) -> Result<bool, ChangeError> {
        let deleted = provider_of(link).delete(link).map_err(self.io("delete the private key"))?;
        match self.key(link)? {
            None => Ok(deleted),
            Some(_) => Err(self.not_confirmed("the private key that was deleted is still there")),
        }
    }

    /// Whoever uses the key of a link, in words; empty where it is certain that nobody does.
    pub(super) fn users_of(&self, link: &KeyLink) -> Result<Vec<String>, ChangeError> {
        if !policy::keeps_keys_in_the_pc(&link.provider) || link.container.is_empty() {
            return Ok(vec![format!("its provider, {}", link.provider)]);
        }
        let users = self.stores.key_users(&self.location.scope, link);
        let mut words: Vec<String> = users.entries.iter().map(|(place, one)| format!("{one} at {place}")).collect();
        if !users.all_seen {
            words.push("perhaps an entry of a store that could not be read".to_owned());
        }
        let scopes: &[StoreScope] = if link.is_machine() {
            &[StoreScope::Machine, StoreScope::CurrentUser]
        } else {
            &[StoreScope::CurrentUser]
        };
        for scope in scopes {
            let unread = || vec!["perhaps an entry of a store that could not be read".to_owned()];
            words.extend(other_stores::users_of(*scope, link).unwrap_or_else(|_| unread()));
        }
        Ok(words)
    }

    fn open(&self, name: &str) -> Result<SystemStore, ChangeError> {
        SystemStore::open(self.scope, name).map_err(self.io("open the store"))
    }

    fn add_to(&self, name: &str, context: &CertificateContext) -> Result<(), ChangeError> {
        let failed = || self.io("add a certificate to the store");
        let store = self.open(name)?;
        store.add(context).map_err(failed())?;
        store.close_and_commit().map_err(failed())
    }

    fn remove_from(&self, name: &str, certificate: Fingerprint) -> Result<(), ChangeError> {
        let failed = || self.io("take a certificate out of the store");
        let store = self.open(name)?;
        store.remove(certificate).map_err(failed())?;
        store.close_and_commit().map_err(failed())
    }

    fn has(&self, name: &str, scope: StoreScope, certificate: Fingerprint) -> Result<bool, ChangeError> {
        let store = SystemStore::open_to_read(scope, name).map_err(self.io("open the store"))?;
        Ok(store.is_some_and(|store| store.find(certificate).is_some()))
    }

    pub(super) fn io(&self, step: &str) -> impl Fn(io::Error) -> ChangeError {
        let step = format!("{step} ({})", self.location);
        move |cause| ChangeError::Io { step: step.clone(), cause }
    }

    pub(super) fn not_confirmed(&self, why: &str) -> ChangeError {
        ChangeError::NotConfirmed { location: self.location.clone(), why: why.to_owned() }
    }

    pub(super) fn missing(&self, certificate: Fingerprint) -> ChangeError {
        ChangeError::Missing { certificate, location: self.location.clone() }
    }
}

fn standing(stored: &StoredCertificate<'_>) -> io::Result<Standing> {
    let certificate = Certificate::read(stored.der().to_vec());
    Ok(Standing {
        spki: spki_of(&certificate.der).unwrap_or_default().to_vec(),
        link: stored.key_link()?,
        archived: stored.bytes(CERT_ARCHIVED_PROP_ID)?.is_some(),
        context: properties::copy(stored)?,
        certificate,
    })
}
