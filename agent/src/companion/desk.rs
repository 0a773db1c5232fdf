//! The companion's own side: what it is asked, done with the stores of its user.
//!
//! It works on Locations that it finds by itself and that belong to its user; whatever else a request names is not there.
//! It opens nothing, runs nothing and knows no server.

use std::sync::Arc;

use inkan_model::locale::Bilingual;
use inkan_model::store::{Location, Scope};
use inkan_model::{EntryProperties, Fingerprint, limits};
use inkan_trust_store::{
    Anchor, AnchorStore, ChangeError, KeyedCertificate, KeyedStore, Keyring, PrivateKey, RenewalSlot, StoreBackend,
};
use tracing::{debug, info};

use super::frame::{TalkError, receive, send};
use super::protocol::{Answer, Bytes, Entry, KeyOf, Refusal, Request, Scheme, Secret, Slot, VERSION, from_bytes};
use super::signing::is_signable;
use super::transport::Transport;

/// Shows a few words on this user's screen, in this user's language.
pub trait Screen: Send + Sync {
    /// Shows them, or says why it cannot.
    fn show(&self, title: &Bilingual, body: &Bilingual) -> std::io::Result<()>;
}

/// What a companion works with.
pub struct Desk {
    stores: Vec<Arc<dyn StoreBackend>>,
    user: String,
    screen: Box<dyn Screen>,
}

impl Desk {
    /// Takes the stores that this process sees, the log-on name of its user, and the user's screen.
    pub fn new(stores: Vec<Arc<dyn StoreBackend>>, user: &str, screen: Box<dyn Screen>) -> Self {
        Self { stores, user: user.to_owned(), screen }
    }

    /// Does what it is asked until the service is gone; only what ended the conversation otherwise is an error.
    pub fn serve(&self, stream: &mut dyn Transport) -> Result<(), TalkError> {
        let Request::Hello { version } = receive(stream, None)? else {
            return Err(TalkError::Malformed { why: "the first message is no greeting".to_owned() });
        };
        send(stream, &Answer::Hello { version: VERSION }, None)?;
        if version != VERSION {
            return Err(TalkError::Version { theirs: version });
        }
        info!("the service is there");
        loop {
            let request = match receive(stream, None) {
                Ok(request) => request,
                Err(TalkError::Io { .. }) => return Ok(()),
                Err(error) => return Err(error),
            };
            let answer = self.answer(request)?;
            send(stream, &answer, None)?;
        }
    }

    fn answer(&self, request: Request) -> Result<Answer, TalkError> {
        debug!(?request, "asked");
        let done = match request {
            Request::Hello { .. } => {
                return Err(TalkError::Malformed { why: "a second greeting".to_owned() });
            }
            Request::EnsureKey(slot) => self.ensure_key(&slot),
            Request::ExistingKey(Entry { location, certificate }) => self.existing_key(&location, certificate),
            Request::Sign { key, scheme, message } => self.sign(&key, scheme, &message.0),
            Request::InstallBeside { slot, chain } => self.with_keyring(&slot, |keyring, slot| {
                keyring.install_beside(slot, &from_bytes(chain)).map(|()| Answer::Done)
            }),
            Request::ArchiveOld { slot, new } => {
                self.with_keyring(&slot, |keyring, slot| keyring.archive_old(slot, new).map(|()| Answer::Done))
            }
            Request::Discard(slot) => {
                self.with_keyring(&slot, |keyring, slot| keyring.discard(slot).map(|()| Answer::Done))
            }
            Request::Import { location, key, chain, name } => self.import(&location, key, from_bytes(chain), name),
            Request::Remove(Entry { location, certificate }) => {
                self.with_keyed(&location, |keyed| keyed.remove(&location, certificate).map(Answer::from))
            }
            Request::CanChange(location) => {
                self.with_anchors(&location, |anchors| anchors.can_change(&location).map(|()| Answer::Done))
            }
            Request::AddAnchor { location, der, name, properties } => {
                self.add_anchor(&location, der.0, name, properties)
            }
            Request::RemoveAnchor(Entry { location, certificate }) => {
                self.with_anchors(&location, |anchors| anchors.remove_anchor(&location, certificate).map(Answer::from))
            }
            Request::Notify { title, body } => self
                .screen
                .show(&tamed(title), &tamed(body))
                .map(|()| Answer::Done)
                .map_err(|cause| ChangeError::Io { step: "show a notice".to_owned(), cause }),
        };
        Ok(done.unwrap_or_else(Answer::from))
    }

    fn ensure_key(&self, slot: &Slot) -> Result<Answer, ChangeError> {
        self.with_keyring(slot, |keyring, slot| keyring.ensure_key(slot).map(|key| told(&*key)))
    }

    fn existing_key(&self, location: &Location, certificate: Fingerprint) -> Result<Answer, ChangeError> {
        match self.store(location)?.existing_key(location, certificate) {
            Some(key) => key.map(|key| told(&*key)),
            None => Ok(Answer::NoKey),
        }
    }

    fn sign(&self, key: &KeyOf, scheme: Scheme, message: &[u8]) -> Result<Answer, ChangeError> {
        let (old, key) = match key {
            KeyOf::Renewal(slot) => {
                let (location, slot) = (slot.location(), slot.to_slot());
                let keyring = self.store(location)?.keyring().ok_or_else(|| unchangeable(location))?;
                (self.find_certificate(&slot), keyring.ensure_key(&slot)?)
            }
            KeyOf::Certificate(Entry { location, certificate }) => {
                let key = self.store(location)?.existing_key(location, *certificate);
                (None, key.ok_or_else(|| unchangeable(location))??)
            }
        };
        if !is_signable(message, old.as_deref(), &key.public_key()) {
            return Ok(Answer::Refused(Refusal::Unsignable));
        }
        key.sign(scheme.into(), message).map(|signature| Answer::Signature(Bytes(signature)))
    }

    fn import(
        &self,
        location: &Location,
        key: Secret,
        chain: Vec<Vec<u8>>,
        name: Option<String>,
    ) -> Result<Answer, ChangeError> {
        let certificate = KeyedCertificate { pkcs8: key.0, chain, name };
        self.with_keyed(location, |keyed| keyed.import(location, &certificate).map(Answer::from))
    }

    fn add_anchor(
        &self,
        location: &Location,
        der: Vec<u8>,
        name: Option<String>,
        properties: EntryProperties,
    ) -> Result<Answer, ChangeError> {
        let anchor = Anchor { der, name, properties };
        self.with_anchors(location, |anchors| anchors.add_anchor(location, &anchor).map(Answer::from))
    }

    fn with_keyring(
        &self,
        slot: &Slot,
        work: impl FnOnce(&dyn Keyring, &RenewalSlot) -> Result<Answer, ChangeError>,
    ) -> Result<Answer, ChangeError> {
        let store = self.store(slot.location())?;
        work(store.keyring().ok_or_else(|| unchangeable(slot.location()))?, &slot.to_slot())
    }

    fn with_keyed(
        &self,
        location: &Location,
        work: impl FnOnce(&dyn KeyedStore) -> Result<Answer, ChangeError>,
    ) -> Result<Answer, ChangeError> {
        work(self.store(location)?.keyed().ok_or_else(|| unchangeable(location))?)
    }

    fn with_anchors(
        &self,
        location: &Location,
        work: impl FnOnce(&dyn AnchorStore) -> Result<Answer, ChangeError>,
    ) -> Result<Answer, ChangeError> {
        work(self.store(location)?.anchors().ok_or_else(|| unchangeable(location))?)
    }

    fn find_certificate(&self, slot: &RenewalSlot) -> Option<Vec<u8>> {
        let found = self.store(&slot.location).ok()?.read(&slot.location).certificates;
        let is_old = |fingerprint: Fingerprint| fingerprint == slot.old;
        found.into_iter().find(|certificate| is_old(certificate.fingerprint)).map(|certificate| certificate.der)
    }

    /// The store that holds this Location, which must be this user's and must be one that is found here.
    fn store(&self, location: &Location) -> Result<&dyn StoreBackend, ChangeError> {
        let is_own = matches!(&location.scope, Scope::User(name) if is_same_user(name, &self.user));
        let holds = |store: &&Arc<dyn StoreBackend>| is_own && store.discover().contains(location);
        let found = self.stores.iter().find(holds).map(|store| &**store);
        found.ok_or_else(|| ChangeError::ReadOnly {
            location: location.clone(),
            why: "its user's companion does not find it".to_owned(),
        })
    }
}

fn told(key: &dyn PrivateKey) -> Answer {
    let schemes = key.schemes().iter().map(|scheme| Scheme::from(*scheme)).collect();
    Answer::Key { public_key: Bytes(key.public_key()), schemes }
}

fn unchangeable(location: &Location) -> ChangeError {
    ChangeError::ReadOnly { location: location.clone(), why: "this kind of store has no such change".to_owned() }
}

fn tamed(text: Bilingual) -> Bilingual {
    let Bilingual { ja, en } = text;
    Bilingual::new(limits::tame_text(&ja, limits::SHORT_TEXT), limits::tame_text(&en, limits::SHORT_TEXT))
}

/// Whether two log-on names mean the same user, as Windows compares them. Names are `DOMAIN\\name`, or `name` alone for an
/// account of this PC, wherever they come from.
pub fn is_same_user(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}
