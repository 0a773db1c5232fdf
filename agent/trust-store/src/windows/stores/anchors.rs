//! Changing anchors: the machine's through CryptoAPI, a user's through the user's registry.
//!
//! Limits are set on a certificate before it is in the store, and come into the store with it in one step. A user's
//! `Root` is never opened through CryptoAPI, which would ask the person at the screen; the registry is written instead.
//! Whether a Windows that protects users' roots believes what is written there cannot be seen here: it was never run on
//! one. Machine-wide anchors have no such doubt and are to be preferred.

use std::io;
use std::sync::{Mutex, PoisonError};

use inkan_model::limits::{self, tame_text};
use inkan_model::store::Location;
use inkan_model::{Certificate, EntryProperties, Fingerprint};

use super::backend::{Site, WindowsStores};
use super::place::StoreName;
use super::registry::Root;
use crate::windows::serialized::{KeyReference, NAME_CONSTRAINTS, SerializedCertificate, USAGE, usage_der};
use crate::windows::system_store::{CertificateContext, StoreScope, SystemStore};
use crate::{Anchor, AnchorStore, ChangeError, Changed};

/// Properties that also limit what a certificate is good for, and must not get lost when another limit changes: policies
/// of a root (83), chain policies (105), purposes and dates from when it is distrusted (104, 122, 126, 127, 128).
const OTHER_LIMITS: [u32; 7] = [83, 104, 105, 122, 126, 127, 128];
/// Properties that Windows computes itself or that only mean something in memory.
const COMPUTED: [u32; 14] = [1, 4, 5, 6, 15, 20, 24, 25, 28, 29, 78, 99, 100, 107];

/// How often one certificate is taken out of one store.
const COPIES: usize = 20;

/// Held while anchors are changed, by whichever of several backends of this process: CryptoAPI writes back what it read.
static CHANGING: Mutex<()> = Mutex::new(());

/// A store that can be changed, and where.
struct Target<'t> {
    stores: &'t WindowsStores,
    location: &'t Location,
    site: Site,
    root: Root,
    key: String,
}

impl AnchorStore for WindowsStores {
    fn can_change(&self, location: &Location) -> Result<(), ChangeError> {
        Target::of(self, location).map(|_| ())
    }

    fn find_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Option<Anchor>, ChangeError> {
        let Some(site) = self.site(location) else { return Err(read_only(location, "it is not a store of this PC")) };
        let content = self.content(&site);
        let found = content.certificates().map(|(_, found)| found).find(|found| is(found, certificate));
        match (found, content.errors.into_iter().next()) {
            (Some(found), _) => Ok(Some(anchor(found))),
            (None, None) => Ok(None),
            (None, Some(error)) => {
                Err(ChangeError::Io { step: format!("read {location}"), cause: io::Error::other(error.detail) })
            }
        }
    }

    fn add_anchor(&self, location: &Location, anchor: &Anchor) -> Result<Changed, ChangeError> {
        let wanted = wanted(location, anchor)?;
        let _changing = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
        let target = Target::of(self, location)?;
        let before = target.find(anchor.fingerprint())?;
        if before.as_ref().is_some_and(|(_, before)| stands_as(before, &wanted)) {
            return Ok(Changed::AlreadySo);
        }
        let wanted = match &before {
            Some((_, before)) => {
                SerializedCertificate { key: before.key.clone(), others: before.others.clone(), ..wanted }
            }
            None => wanted,
        };
        let changed = target.put(&wanted, before.as_ref().map(|(item, _)| item.as_str()));
        match changed.and_then(|()| target.confirm(&wanted)) {
            Ok(()) => Ok(Changed::Done),
            Err(error) => {
                target.undo(anchor.fingerprint(), before.as_ref());
                Err(error)
            }
        }
    }

    fn remove_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Changed, ChangeError> {
        let _changing = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
        let target = Target::of(self, location)?;
        let mut changed = Changed::AlreadySo;
        // Under names of somebody's own one certificate can stand there several times.
        for _ in 0..COPIES {
            let Some((item, _)) = target.find(certificate)? else { return target.gone(changed) };
            target.take_away(certificate, &item)?;
            changed = Changed::Done;
        }
        match target.find(certificate)? {
            None => target.gone(changed),
            Some(_) => Err(target.not_confirmed("the certificate is still there")),
        }
    }
}

impl<'t> Target<'t> {
    /// The store at a Location, where anchors can be changed.
    fn of(stores: &'t WindowsStores, location: &'t Location) -> Result<Self, ChangeError> {
        let Some(site) = stores.site(location) else { return Err(read_only(location, "it is not a store of this PC")) };
        let place = site.place();
        if place.store == StoreName::My {
            return Err(read_only(location, "it holds certificates with keys and no anchors"));
        }
        if let Some(why) = place.part.read_only() {
            return Err(read_only(location, why));
        }
        let Some((root, key)) = stores.registry(&site) else {
            let why = "the user is not logged on".to_owned();
            return Err(ChangeError::NeedsUser { location: location.clone(), why });
        };
        match root.may_change(&key) {
            Ok(()) => Ok(Self { stores, location, site, root, key }),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(read_only(location, "this process may not write there"))
            }
            Err(cause) => Err(ChangeError::Io { step: format!("look at {location}"), cause }),
        }
    }

    /// The certificate as the registry has it now, with its name there.
    fn find(&self, certificate: Fingerprint) -> Result<Option<(String, SerializedCertificate)>, ChangeError> {
        let content = self.root.certificates(&self.key).map_err(self.failed("read"))?.unwrap_or_default();
        let mut found = content.certificates().filter(|(_, found)| is(found, certificate));
        Ok(found.next().map(|(item, found)| (item.to_owned(), found)))
    }

    /// What a removal came to that left the certificate nowhere that could be looked at.
    fn gone(&self, changed: Changed) -> Result<Changed, ChangeError> {
        let content = self.root.certificates(&self.key).map_err(self.failed("read"))?.unwrap_or_default();
        match content.errors.iter().chain(content.stored.iter().filter_map(|stored| stored.blob.as_ref().err())).next()
        {
            None => Ok(changed),
            Some(error) => {
                let why = format!("it may be in what cannot be read: {} {}", error.item, error.detail);
                Err(self.not_confirmed(&tame_text(&why, limits::LONG_TEXT)))
            }
        }
    }

    /// Puts a certificate with its properties there, in the place of one that is there under the name `item`.
    fn put(&self, wanted: &SerializedCertificate, item: Option<&str>) -> Result<(), ChangeError> {
        if self.is_cryptoapis() {
            return self.put_by_cryptoapi(wanted);
        }
        let blob = wanted.to_bytes().ok_or_else(|| self.cannot_limit("the purposes"))?;
        let name = item.map_or_else(|| sha1(&wanted.der), str::to_owned);
        self.root.write(&self.key, &name, blob).map_err(self.failed("write a certificate to"))
    }

    fn put_by_cryptoapi(&self, wanted: &SerializedCertificate) -> Result<(), ChangeError> {
        let context = self.context(wanted)?;
        let store = self.open()?;
        store.add_or_replace(&context).map_err(self.failed("add a certificate to"))?;
        store.close_and_commit().map_err(self.failed("write"))?;
        if self.confirm(wanted).is_ok() {
            return Ok(());
        }
        // It kept the limits of the one that was there.
        let store = self.open()?;
        store.remove(Fingerprint::of(&wanted.der)).map_err(self.failed("remove a certificate from"))?;
        store.close_and_commit().map_err(self.failed("write"))?;
        let store = self.open()?;
        store.add(&context).map_err(self.failed("add a certificate to"))?;
        store.close_and_commit().map_err(self.failed("write"))
    }

    fn take_away(&self, certificate: Fingerprint, item: &str) -> Result<(), ChangeError> {
        if !self.is_cryptoapis() {
            return self.root.delete(&self.key, item).map_err(self.failed("remove a certificate from"));
        }
        let store = self.open()?;
        store.remove(certificate).map_err(self.failed("remove a certificate from"))?;
        store.close_and_commit().map_err(self.failed("write"))
    }

    /// Whether the store has what was written, in the registry and for whoever opens it now.
    fn confirm(&self, wanted: &SerializedCertificate) -> Result<(), ChangeError> {
        let fingerprint = Fingerprint::of(&wanted.der);
        match self.find(fingerprint)? {
            Some((_, found)) if stands_as(&found, wanted) => {}
            Some(_) => return Err(self.not_confirmed("name or limits of the certificate differ")),
            None => return Err(self.not_confirmed("the certificate is not there")),
        }
        if self.is_cryptoapis() && self.open()?.find(fingerprint).is_none() {
            return Err(self.not_confirmed("CryptoAPI does not show the certificate"));
        }
        Ok(())
    }

    /// Puts back what was there before a change that failed.
    fn undo(&self, certificate: Fingerprint, before: Option<&(String, SerializedCertificate)>) {
        let undone = match (before, self.find(certificate)) {
            (Some((item, before)), Ok(now)) if now.as_ref().is_none_or(|(_, now)| now != before) => {
                self.put(before, Some(item))
            }
            (None, Ok(Some((item, _)))) => self.take_away(certificate, &item),
            (Some(_) | None, Ok(_)) => Ok(()),
            (_, Err(error)) => Err(error),
        };
        if let Err(error) = undone {
            tracing::error!(location = %self.location, %error, "a change of an anchor could not be taken back");
        }
    }

    /// A certificate in memory with all that is wanted of it.
    fn context(&self, wanted: &SerializedCertificate) -> Result<CertificateContext, ChangeError> {
        let context = CertificateContext::new(&wanted.der).map_err(self.failed("make a certificate for"))?;
        for (id, data) in wanted.others.iter().filter(|(id, _)| !COMPUTED.contains(id)) {
            let kept = context.set_bytes(*id, data);
            if kept.is_err() && OTHER_LIMITS.contains(id) {
                return Err(self.cannot_limit(&format!("property {id}, which the certificate has there already")));
            }
        }
        if let KeyReference::Link(link) = &wanted.key {
            context.set_key_link(link).map_err(self.failed("keep the key of a certificate for"))?;
        }
        if let Some(name) = &wanted.name {
            context.set_friendly_name(name).map_err(self.failed("name a certificate for"))?;
        }
        if let Some(purposes) = &wanted.purposes {
            let usage = usage_der(purposes).ok_or_else(|| self.cannot_limit("the purposes"))?;
            context.set_bytes(USAGE, &usage).map_err(|_| self.cannot_limit("the purposes"))?;
        }
        if let Some(names) = &wanted.name_constraints {
            context.set_bytes(NAME_CONSTRAINTS, names).map_err(|_| self.cannot_limit("the name constraints"))?;
        }
        Ok(context)
    }

    fn open(&self) -> Result<SystemStore, ChangeError> {
        SystemStore::open(StoreScope::Machine, self.site.place().store.name()).map_err(self.failed("open"))
    }

    /// Whether it is changed through CryptoAPI.
    const fn is_cryptoapis(&self) -> bool {
        self.stores.real && matches!(self.site, Site::Machine(_))
    }

    fn failed(&self, step: &'static str) -> impl Fn(io::Error) -> ChangeError {
        move |cause| ChangeError::Io { step: format!("{step} {}", self.location), cause }
    }

    fn cannot_limit(&self, limit: &str) -> ChangeError {
        ChangeError::CannotLimit { location: self.location.clone(), limit: limit.to_owned() }
    }

    fn not_confirmed(&self, why: &str) -> ChangeError {
        ChangeError::NotConfirmed { location: self.location.clone(), why: why.to_owned() }
    }
}

fn read_only(location: &Location, why: &str) -> ChangeError {
    ChangeError::ReadOnly { location: location.clone(), why: why.to_owned() }
}

fn is(found: &SerializedCertificate, certificate: Fingerprint) -> bool {
    Fingerprint::of(&found.der) == certificate
}

/// What is to stand there, as the store would have it.
fn wanted(location: &Location, anchor: &Anchor) -> Result<SerializedCertificate, ChangeError> {
    let Anchor { der, name, properties } = anchor;
    // What a store says of a key is not a limit, and is not brought in with an anchor.
    let EntryProperties { key_provider: _, key_exportable: _, purposes, name_constraints, trust } = properties;
    let cannot = |limit: String| ChangeError::CannotLimit { location: location.clone(), limit };
    if trust.is_some() {
        return Err(cannot("trust by purpose".to_owned()));
    }
    if let Some(unknown) = purposes.iter().flatten().find(|purpose| usage_der(&[(*purpose).clone()]).is_none()) {
        return Err(cannot(format!("the purpose {unknown}, which is not an object identifier")));
    }
    if let Err(error) = Certificate::read(der.clone()).facts {
        return Err(ChangeError::Crypto { what: error.to_string() });
    }
    let mut purposes = purposes.clone();
    if let Some(purposes) = &mut purposes {
        purposes.sort_unstable();
        purposes.dedup();
    }
    Ok(SerializedCertificate {
        name: name.clone().filter(|name| !name.is_empty()),
        purposes,
        name_constraints: name_constraints.clone(),
        sha1: Some(sha1_bytes(der)),
        ..SerializedCertificate::new(der.clone())
    })
}

/// Whether a certificate stands there with the name and the limits that are wanted, all of which can be read.
fn stands_as(found: &SerializedCertificate, wanted: &SerializedCertificate) -> bool {
    let of =
        |c: &SerializedCertificate| (c.der.clone(), c.name.clone(), c.purposes.clone(), c.name_constraints.clone());
    of(found) == of(wanted) && found.unreadable.is_empty()
}

fn anchor(found: SerializedCertificate) -> Anchor {
    let SerializedCertificate { der, name, purposes, name_constraints, .. } = found;
    Anchor { der, name, properties: EntryProperties { purposes, name_constraints, ..EntryProperties::default() } }
}

fn sha1_bytes(der: &[u8]) -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, der).as_ref().to_vec()
}

/// The name under which Windows keeps a certificate.
fn sha1(der: &[u8]) -> String {
    data_encoding::HEXUPPER.encode(&sha1_bytes(der))
}
