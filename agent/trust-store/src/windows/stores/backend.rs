//! The backend itself: which Locations there are, and what stands at them.

use std::collections::BTreeSet;
use std::io;

use inkan_model::Fingerprint;
use inkan_model::limits::{self, tame_text};
use inkan_model::store::{Location, ReadError, ReadErrorKind, Scope, StoreKind};

use super::accounts::{Account, Accounts, redirected};
use super::entries::{self, Content, KeyProbe, Stored};
use super::key_probe::{MachineKeys, OwnKeys};
use super::my_files;
use super::place::{Owner, Part, Place, StoreName};
use super::registry::Root;
use super::sid::Sid;
use crate::files::survey::{read_error, whole};
use crate::windows::access::current_sid;
use crate::windows::keys;
use crate::windows::serialized::{
    ARCHIVED, KeyLink, KeyReference, NAME_CONSTRAINTS, SerializedCertificate, USAGE, usage_purposes,
};
use crate::windows::system_store::{CertificateContext, StoreScope, SystemStore};
use crate::{AnchorStore, ChangeError, KeyedStore, Keyring, PrivateKey, Reading, StoreBackend};

/// The system stores of this PC.
#[derive(Debug)]
pub struct WindowsStores {
    pub(super) machine: Root,
    pub(super) users: Root,
    pub(super) accounts: Accounts,
    /// The account that this process runs as; `None` where its own stores are not meant, in tests.
    pub(super) own: Option<Sid>,
    /// Whether the machine's stores are those that CryptoAPI opens.
    pub(super) real: bool,
}

/// A place together with whose it is.
#[derive(Clone, Debug)]
pub(super) enum Site {
    Machine(Place),
    User(Account, Place),
}

/// Which entries of this PC's stores have their key in one container.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct KeyUsers {
    /// Where, and which certificate.
    pub(crate) entries: BTreeSet<(Location, Fingerprint)>,
    /// Whether every store could be read that might have another one.
    pub(crate) all_seen: bool,
}

/// Whose keys the certificates of a store have, as far as this process can use them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum KeyStore {
    /// The machine's.
    Machine,
    /// Another user's, which only that user can use.
    OfAnother,
    /// Those of the account that this process runs as.
    OfThisAccount,
}

impl Default for WindowsStores {
    fn default() -> Self {
        Self {
            machine: Root::of_machine(),
            users: Root::of_users(),
            accounts: Accounts::default(),
            own: current_sid().ok().and_then(|sid| Sid::parse(&sid)),
            real: true,
        }
    }
}

impl WindowsStores {
    /// Stores below other roots, with keys and services of nobody.
    #[cfg(test)]
    pub(super) fn below(machine: Root, users: Root) -> Self {
        Self { machine, users, own: None, real: false, ..Self::default() }
    }

    /// The entries whose key is in the same container as that of an entry of `scope`. An entry of another store, of
    /// another user for a key of the machine, and an archived one count as well.
    pub(crate) fn key_users(&self, scope: &Scope, link: &KeyLink) -> KeyUsers {
        let mut users = KeyUsers { entries: BTreeSet::new(), all_seen: true };
        for site in self.sites(self.accounts.list(&self.machine, &self.users)) {
            let location = site.location();
            // A user's containers are the user's own, whatever they are called; the machine's may be named by anybody. An
            // entry of the machine that names no container of the machine means one of whoever uses it: this account.
            let of_this_account = match &site {
                Site::Machine(_) => true,
                Site::User(account, _) => self.is_own(account),
            };
            let may_mean_it = link.is_machine() || location.scope == *scope || of_this_account;
            if may_mean_it {
                let content = self.content(&site);
                users.all_seen &= content.is_whole();
                let same = |certificate: &SerializedCertificate| match &certificate.key {
                    KeyReference::Link(other) => link.same_container(other),
                    KeyReference::None | KeyReference::Unreadable => false,
                };
                let same = content.certificates().filter(|(_, certificate)| same(certificate));
                users.entries.extend(same.map(|(_, c)| (location.clone(), Fingerprint::of(&c.der))));
            }
        }
        users
    }

    /// Whose keys the certificates of a Location have; `None` where they are not there for their keys, or cannot be changed.
    pub(crate) fn key_store(&self, location: &Location) -> Option<KeyStore> {
        let site = self.site(location).filter(|site| self.real && site.place() == Place::own(StoreName::My))?;
        Some(match &site {
            Site::Machine(_) => KeyStore::Machine,
            Site::User(account, _) if self.is_own(account) => KeyStore::OfThisAccount,
            Site::User(..) => KeyStore::OfAnother,
        })
    }

    /// What a Location of this kind means on this PC.
    pub(super) fn site(&self, location: &Location) -> Option<Site> {
        if location.kind != StoreKind::WindowsStore {
            return None;
        }
        match &location.scope {
            Scope::Machine => Place::parse(&location.path, Owner::Machine).map(Site::Machine),
            Scope::User(name) => {
                let place = Place::parse(&location.path, Owner::User)?;
                let accounts = self.accounts.list(&self.machine, &self.users);
                accounts.into_iter().find(|account| account.name == *name).map(|account| Site::User(account, place))
            }
        }
    }

    /// Every place of these accounts and of the machine.
    fn sites(&self, accounts: Vec<Account>) -> Vec<Site> {
        let of_machine = Place::all(Owner::Machine).into_iter().map(Site::Machine);
        let of_account =
            |account: Account| Place::all(Owner::User).into_iter().map(move |place| Site::User(account.clone(), place));
        of_machine.chain(accounts.into_iter().flat_map(of_account)).collect()
    }

    /// Where a site's certificates are in the registry, as far as it is loaded.
    pub(super) fn registry(&self, site: &Site) -> Option<(Root, String)> {
        match site {
            Site::Machine(place) => Some((self.machine.clone(), place.registry_key(Owner::Machine)?)),
            Site::User(account, place) if account.loaded => {
                Some((self.users.below(account.sid.as_str()), place.registry_key(Owner::User)?))
            }
            Site::User(..) => None,
        }
    }

    /// Whether a site is told as a Location: a store's own part where there is one, others where they hold something.
    fn is_of_concern(&self, site: &Site) -> bool {
        let holds = |site: &Site| self.registry(site).is_some_and(|(root, key)| root.has_certificates(&key));
        match site {
            Site::Machine(place) => place.part == Part::Own || holds(site),
            Site::User(account, place) => {
                let files = || *place == Place::own(StoreName::My) && has_files(account);
                match (account.loaded, place.part) {
                    (true, Part::Own) if account.sid.is_person() => {
                        let exists = |(root, key): (Root, String)| root.open(&key).is_ok_and(|key| key.is_some());
                        self.registry(site).is_some_and(exists) || files()
                    }
                    (true, _) => holds(site) || files(),
                    (false, _) => self.is_of_concern_logged_off(account, *place) || files(),
                }
            }
        }
    }

    fn is_of_concern_logged_off(&self, account: &Account, place: Place) -> bool {
        match self.accounts.logged_off(account) {
            Ok(found) => found.places.get(&place).is_some_and(|content| {
                place.part == Part::Own || !content.stored.is_empty() || !content.errors.is_empty()
            }),
            // That it cannot be read is told where it matters most.
            Err(_) => matches!((place.part, place.store), (Part::Own, StoreName::My | StoreName::Root)),
        }
    }

    /// All that stands at a site, in the registry and beside it.
    pub(super) fn content(&self, site: &Site) -> Content {
        let mut content = match site {
            Site::User(account, place) if !account.loaded => match self.accounts.logged_off(account) {
                Ok(found) => found.places.get(place).cloned().unwrap_or_default(),
                Err(error) => Content { stored: Vec::new(), errors: vec![not_loaded(&error)] },
            },
            Site::Machine(_) | Site::User(..) => match self.registry(site) {
                Some((root, key)) => match root.certificates(&key) {
                    Ok(content) => content.unwrap_or_default(),
                    Err(error) => Content::failed(&error),
                },
                None => Content::default(),
            },
        };
        if let Site::User(account, place) = site
            && *place == Place::own(StoreName::My)
        {
            content.extend(self.beside_the_registry(account));
        }
        content
    }

    /// A user's own certificates outside of the registry.
    fn beside_the_registry(&self, account: &Account) -> Content {
        let mut content = Content::default();
        if let Some(profile) = &account.profile {
            content.extend(my_files::content(profile));
            let elsewhere = if account.loaded {
                redirected(&self.users.below(account.sid.as_str()), profile)
            } else {
                self.accounts.logged_off(account).ok().and_then(|found| found.redirected)
            };
            content.errors.extend(elsewhere.map(|path| ReadError {
                kind: ReadErrorKind::Other,
                item: tame_text(&path, limits::LONG_TEXT),
                detail: "the user's application data is kept elsewhere and is not read there".to_owned(),
            }));
        }
        if self.is_own(account) {
            content.extend(own_certificates());
        }
        content
    }

    fn is_own(&self, account: &Account) -> bool {
        self.own.as_ref() == Some(&account.sid)
    }

    /// Who looks for the keys of a site's certificates, where they are there for their keys.
    fn probe(&self, site: &Site) -> Option<&'static dyn KeyProbe> {
        let own = match site {
            Site::Machine(_) => true,
            Site::User(account, _) => self.is_own(account),
        };
        let probe: &dyn KeyProbe = if own { &OwnKeys } else { &MachineKeys };
        site.place().store.has_keys().then_some(probe)
    }
}

impl Site {
    pub(super) const fn place(&self) -> Place {
        match self {
            Self::Machine(place) | Self::User(_, place) => *place,
        }
    }

    fn location(&self) -> Location {
        let scope = match self {
            Self::Machine(_) => Scope::Machine,
            Self::User(account, _) => Scope::User(account.name.clone()),
        };
        Location { kind: StoreKind::WindowsStore, scope, path: self.place().to_string() }
    }
}

impl StoreBackend for WindowsStores {
    fn discover(&self) -> Vec<Location> {
        let accounts = self.accounts.list_anew(&self.machine, &self.users);
        let sites = self.sites(accounts).into_iter().filter(|site| self.is_of_concern(site));
        let mut found: Vec<Location> = sites.map(|site| site.location()).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn read(&self, location: &Location) -> Reading {
        match self.site(location) {
            Some(site) => entries::reading(self.content(&site), self.probe(&site)),
            None => {
                let error = whole(ReadErrorKind::NotFound, "not a system store of this PC");
                Reading { errors: vec![error], ..Reading::default() }
            }
        }
    }

    fn keyring(&self) -> Option<&dyn Keyring> {
        Some(self)
    }

    fn anchors(&self) -> Option<&dyn AnchorStore> {
        Some(self)
    }

    fn keyed(&self) -> Option<&dyn KeyedStore> {
        Some(self)
    }

    fn existing_key(
        &self,
        location: &Location,
        certificate: Fingerprint,
    ) -> Option<Result<Box<dyn PrivateKey>, ChangeError>> {
        keys::existing_key(self, location, certificate)
    }
}

fn has_files(account: &Account) -> bool {
    account.profile.as_deref().is_some_and(my_files::exist)
}

fn not_loaded(error: &io::Error) -> ReadError {
    let ReadError { kind, detail, .. } = read_error("", error);
    let detail = tame_text(&format!("the user's registry could not be loaded: {detail}"), limits::SHORT_TEXT);
    ReadError { kind, item: String::new(), detail }
}

/// What CryptoAPI shows of the running account's own certificates: should Windows keep them in yet another form, they
/// are seen all the same.
fn own_certificates() -> Content {
    let store = match SystemStore::open_to_read(StoreScope::CurrentUser, StoreName::My.name()) {
        Ok(Some(store)) => store,
        Ok(None) => return Content::default(),
        Err(error) => return Content::failed(&error),
    };
    let stored = |context: &CertificateContext| Stored {
        item: context.fingerprint().to_string(),
        blob: serialized(context).map_err(|error| read_error("", &error)),
    };
    Content::collect(store.certificates().iter().map(|context| Ok(stored(context))))
}

fn serialized(context: &CertificateContext) -> io::Result<Vec<u8>> {
    let certificate = SerializedCertificate {
        name: context.friendly_name()?,
        key: context.key_link()?.map_or(KeyReference::None, KeyReference::Link),
        purposes: context.bytes(USAGE)?.and_then(|usage| usage_purposes(&usage)),
        name_constraints: context.bytes(NAME_CONSTRAINTS)?,
        others: context.bytes(ARCHIVED)?.map(|mark| (ARCHIVED, mark)).into_iter().collect(),
        ..SerializedCertificate::new(context.der().to_vec())
    };
    certificate.to_bytes().ok_or_else(|| io::ErrorKind::InvalidData.into())
}
