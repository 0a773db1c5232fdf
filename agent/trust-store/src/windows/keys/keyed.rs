//! Certificates with keys that come from outside, and how both are taken away again.
//!
//! An import is proven by a signature of the key that the store then names, and undone as a whole where anything
//! fails. A key is deleted only after its certificate is gone and no other entry of this PC was found that uses the
//! same container; where not everything could be looked at, it stays.

use inkan_model::store::Location;
use inkan_model::{Certificate, EntryProperties, Fingerprint};
use windows_sys::Win32::Security::Cryptography::CERT_ENHKEY_USAGE_PROP_ID;

use super::personal::{Personal, Standing};
use super::policy;
use super::properties;
use super::provider::{StoredKey, provider_of};
use crate::import::{Imported, KeyedCertificate, KeyedStore, Removed};
use crate::p256::crypto;
use crate::pkcs12::key::KeyMaterial;
use crate::pkcs12::spki_of;
use crate::windows::WindowsStores;
use crate::windows::serialized::{KeyLink, usage_purposes};
use crate::windows::system_store::CertificateContext;
use crate::{ChangeError, PrivateKey as _};

impl KeyedStore for WindowsStores {
    fn import(&self, location: &Location, certificate: &KeyedCertificate) -> Result<Imported, ChangeError> {
        Import::of(Personal::at(self, location)?, certificate)?.carry_out()
    }

    fn remove(&self, location: &Location, certificate: Fingerprint) -> Result<Removed, ChangeError> {
        remove(&Personal::at(self, location)?, certificate)
    }
}

/// An import that was looked at and not begun.
struct Import<'i> {
    personal: Personal<'i>,
    material: KeyMaterial<'i>,
    leaf: Certificate,
    issuers: Vec<Certificate>,
    name: Option<&'i str>,
    spki: Vec<u8>,
    /// Where the key will be.
    link: KeyLink,
}

/// What an import changed so far, for taking it back.
#[derive(Default)]
struct Done {
    key_made: bool,
    issuers: Vec<Fingerprint>,
    certificate_put: bool,
}

impl<'i> Import<'i> {
    fn of(personal: Personal<'i>, certificate: &'i KeyedCertificate) -> Result<Self, ChangeError> {
        let KeyedCertificate { pkcs8, chain, name } = certificate;
        let material = KeyMaterial::read(pkcs8).ok_or_else(|| crypto("the key is neither RSA nor P-256 in PKCS#8"))?;
        let mut chain = chain.iter().map(|der| Certificate::read(der.clone()));
        let leaf = chain.next().ok_or_else(|| crypto("there is no certificate"))?;
        leaf.facts.as_ref().map_err(|error| crypto(format!("the certificate is {error}")))?;
        let spki = spki_of(&leaf.der).ok_or_else(|| crypto("the certificate has no public key"))?.to_vec();
        if !material.belongs_to(&spki) {
            return Err(crypto("the key is not the certificate's"));
        }
        let provider = match material {
            KeyMaterial::Rsa(_) => policy::CAPI,
            KeyMaterial::P256(_) => policy::SOFTWARE,
        };
        let container = policy::import_container(personal.keys(), leaf.fingerprint);
        let link = policy::link(provider, personal.keys(), container);
        Ok(Self { personal, material, leaf, issuers: chain.collect(), name: name.as_deref(), spki, link })
    }

    fn carry_out(self) -> Result<Imported, ChangeError> {
        let before = self.personal.find(self.leaf.fingerprint)?;
        if let Some(standing) = &before
            && !standing.archived
            && let Some(key) = self.usable(standing)?
        {
            return Ok(self.imported(true, standing, &key));
        }
        let mut done = Done::default();
        let outcome = self.put_in(before.as_ref(), &mut done);
        if outcome.is_err() {
            self.undo(&done, before.as_ref());
        }
        outcome
    }

    /// The key of a certificate that was there before, where it works.
    fn usable(&self, standing: &Standing) -> Result<Option<StoredKey>, ChangeError> {
        let Some(link) = &standing.link else { return Ok(None) };
        let key = self.personal.key(link)?;
        Ok(key.filter(|key| key.prove(&self.spki).is_ok()))
    }

    fn put_in(&self, before: Option<&Standing>, done: &mut Done) -> Result<Imported, ChangeError> {
        done.key_made = self.bring_key()?;
        done.issuers = self.personal.add_issuers(&self.issuers)?;
        let context = self.context(before)?;
        done.certificate_put = true;
        self.personal.put(&context)?;
        let absent = || self.personal.not_confirmed("the imported certificate is not there with its key");
        let standing = self.personal.find(self.leaf.fingerprint)?.ok_or_else(absent)?;
        let link = standing.link.as_ref().filter(|link| **link == self.link).ok_or_else(absent)?;
        let key = self.personal.key(link)?.ok_or_else(absent)?;
        key.prove(&standing.spki)?;
        if key.exportable() == Some(true) {
            return Err(self.personal.not_confirmed("the imported key could be exported again"));
        }
        Ok(self.imported(false, &standing, &key))
    }

    /// Brings the key into its container; says whether that was not done before.
    fn bring_key(&self) -> Result<bool, ChangeError> {
        if let Some(key) = self.personal.key(&self.link)? {
            if key.public_key() == self.spki {
                return Ok(false);
            }
            return Err(self.personal.not_confirmed("the key's container holds another key"));
        }
        let failed = self.personal.io("import the private key");
        provider_of(&self.link).import(&self.link, &self.material, &self.spki).map_err(failed)?;
        Ok(true)
    }

    fn context(&self, before: Option<&Standing>) -> Result<CertificateContext, ChangeError> {
        let failed = || self.personal.io("prepare the certificate");
        let context = CertificateContext::new(&self.leaf.der).map_err(failed())?;
        if let Some(before) = before {
            properties::carry(&before.context, &context).map_err(failed())?;
        }
        if let Some(name) = self.name {
            context.set_friendly_name(name).map_err(failed())?;
        }
        context.set_key_link(&self.link).map_err(failed())?;
        Ok(context)
    }

    fn imported(&self, already: bool, standing: &Standing, key: &StoredKey) -> Imported {
        let usage = standing.context.bytes(CERT_ENHKEY_USAGE_PROP_ID).ok().flatten();
        let properties = EntryProperties {
            key_provider: Some(key.link().provider.clone()),
            key_exportable: key.exportable(),
            purposes: usage.and_then(|usage| usage_purposes(&usage)),
            ..EntryProperties::default()
        };
        Imported { certificate: self.leaf.fingerprint, already, properties }
    }

    /// Takes back what was done. What cannot be taken back is told in the log: the error that led here matters more.
    fn undo(&self, done: &Done, before: Option<&Standing>) {
        let Done { key_made, issuers, certificate_put } = done;
        let mut steps = Vec::new();
        if *certificate_put {
            steps.push(match before {
                Some(before) => self.personal.put(&before.context),
                None => self.personal.take_away(self.leaf.fingerprint),
            });
        }
        steps.push(self.personal.remove_issuers(issuers));
        if *key_made {
            steps.push(self.personal.delete_key(&self.link).map(|_| ()));
        }
        for error in steps.into_iter().filter_map(Result::err) {
            tracing::error!(error = %error, "an import that failed could not be taken back whole");
        }
    }
}

fn remove(personal: &Personal<'_>, certificate: Fingerprint) -> Result<Removed, ChangeError> {
    let Some(standing) = personal.find(certificate)? else {
        // A removal that was interrupted may have left the key of an import.
        let container = policy::import_container(personal.keys(), certificate);
        for provider in policy::OURS {
            let link = policy::link(provider, personal.keys(), container.clone());
            if personal.key(&link)?.is_some() && personal.users_of(&link)?.is_empty() {
                personal.delete_key(&link)?;
            }
        }
        return Ok(Removed::AlreadyGone);
    };
    personal.take_away(certificate)?;
    let Some(link) = &standing.link else { return Ok(Removed::WithoutKey) };
    let deleted = personal
        .users_of(link)
        .and_then(|used_by| if used_by.is_empty() { personal.delete_key(link).map(Ok) } else { Ok(Err(used_by)) });
    match deleted {
        Ok(Ok(true)) => Ok(Removed::WithKey),
        Ok(Ok(false)) => Ok(Removed::WithoutKey),
        Ok(Err(used_by)) => Ok(Removed::KeyStays { used_by }),
        Err(error) => {
            personal.put(&standing.context)?;
            Err(error)
        }
    }
}
