//! The service's side of one companion. What it answers is checked against what was asked before it counts.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use inkan_model::locale::Bilingual;
use inkan_model::store::Location;
use inkan_model::{EntryProperties, Fingerprint, limits};
use inkan_trust_store::{
    Anchor, ChangeError, Changed, Imported, KeyedCertificate, PrivateKey, Removed, RenewalSlot, SignatureScheme,
};
use tracing::{info, warn};

use super::frame::{TalkError, receive, send};
use super::protocol::{Answer, Bytes, Entry, KeyOf, Request, Slot, VERSION, to_bytes};
use super::transport::Transport;
use crate::causes::with_causes;

/// How long a greeting may take: the companion has to start.
const GREETING: Duration = Duration::from_secs(20);
/// How long an operation may take: a key in a TPM takes its time, and so does a virus scanner.
const OPERATION: Duration = Duration::from_mins(2);
/// How long showing a notice may take.
const NOTICE: Duration = Duration::from_secs(10);
/// Bytes of a public key: RSA with 8192 bits has less.
const PUBLIC_KEY: usize = 4_096;
/// Ways to sign that one key may have.
const SCHEMES: usize = 3;

/// A conversation with the companion of one user. After any failure of the conversation itself it is over for good.
pub struct Conversation(Mutex<Option<Box<dyn Transport>>>);

impl Conversation {
    /// Greets the companion at the other end.
    pub fn open(stream: Box<dyn Transport>) -> Result<Arc<Self>, TalkError> {
        let conversation = Self(Mutex::new(Some(stream)));
        match conversation.ask(&Request::Hello { version: VERSION }, GREETING)? {
            Answer::Hello { version: VERSION } => Ok(Arc::new(conversation)),
            Answer::Hello { version } => Err(TalkError::Version { theirs: version }),
            other => Err(unexpected(&other)),
        }
    }

    /// Whether the other end can still be asked.
    pub fn is_open(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Shows a notice; whether it could be shown.
    pub fn notify(&self, title: &Bilingual, body: &Bilingual) -> bool {
        let request = Request::Notify { title: title.clone(), body: body.clone() };
        matches!(self.ask(&request, NOTICE), Ok(Answer::Done))
    }

    /// [`inkan_trust_store::Keyring::ensure_key`].
    pub fn ensure_key(self: &Arc<Self>, slot: &RenewalSlot) -> Result<Box<dyn PrivateKey>, ChangeError> {
        let answer = self.change(&Request::EnsureKey(slot.into()), &slot.location, Some(slot.old))?;
        self.key(KeyOf::Renewal(slot.into()), &slot.location, answer)
    }

    /// [`inkan_trust_store::StoreBackend::existing_key`].
    pub fn existing_key(
        self: &Arc<Self>,
        location: &Location,
        certificate: Fingerprint,
    ) -> Option<Result<Box<dyn PrivateKey>, ChangeError>> {
        let entry = Entry { location: location.clone(), certificate };
        match self.change(&Request::ExistingKey(entry.clone()), location, Some(certificate)) {
            Ok(Answer::NoKey) => None,
            Ok(answer) => Some(self.key(KeyOf::Certificate(entry), location, answer)),
            Err(error) => Some(Err(error)),
        }
    }

    fn key(
        self: &Arc<Self>,
        key: KeyOf,
        location: &Location,
        answer: Answer,
    ) -> Result<Box<dyn PrivateKey>, ChangeError> {
        let Answer::Key { public_key: Bytes(public_key), schemes } = answer else { return Err(broken(&answer)) };
        if public_key.len() > PUBLIC_KEY || !(1..=SCHEMES).contains(&schemes.len()) {
            return Err(ChangeError::Crypto { what: "the companion's key is refused".to_owned() });
        }
        Ok(Box::new(CompanionKey {
            conversation: Arc::clone(self),
            key,
            location: location.clone(),
            public_key,
            schemes: schemes.into_iter().map(SignatureScheme::from).collect(),
        }))
    }

    /// [`inkan_trust_store::Keyring::install_beside`].
    pub fn install_beside(&self, slot: &RenewalSlot, chain: &[Vec<u8>]) -> Result<(), ChangeError> {
        self.keyring(slot, |slot| Request::InstallBeside { slot, chain: to_bytes(chain) })
    }

    /// [`inkan_trust_store::Keyring::archive_old`].
    pub fn archive_old(&self, slot: &RenewalSlot, new: Fingerprint) -> Result<(), ChangeError> {
        self.keyring(slot, |slot| Request::ArchiveOld { slot, new })
    }

    /// [`inkan_trust_store::Keyring::discard`].
    pub fn discard(&self, slot: &RenewalSlot) -> Result<(), ChangeError> {
        self.keyring(slot, Request::Discard)
    }

    /// [`inkan_trust_store::KeyedStore::import`].
    pub fn import(&self, location: &Location, certificate: &KeyedCertificate) -> Result<Imported, ChangeError> {
        let answer = self.change(&Request::import(location, certificate), location, None)?;
        let Answer::Imported { already, properties } = answer else { return Err(broken(&answer)) };
        let leaf = certificate.chain.first().map(|der| Fingerprint::of(der));
        let leaf = leaf.ok_or_else(|| ChangeError::Crypto { what: "there is no certificate".to_owned() })?;
        Ok(Imported { certificate: leaf, already, properties: checked(properties)? })
    }

    /// [`inkan_trust_store::KeyedStore::remove`].
    pub fn remove(&self, location: &Location, certificate: Fingerprint) -> Result<Removed, ChangeError> {
        let request = Request::Remove(Entry { location: location.clone(), certificate });
        match self.change(&request, location, Some(certificate))? {
            Answer::Removed(removed) => Ok(removed.into()),
            other => Err(broken(&other)),
        }
    }

    /// [`inkan_trust_store::AnchorStore::can_change`].
    pub fn can_change(&self, location: &Location) -> Result<(), ChangeError> {
        match self.change(&Request::CanChange(location.clone()), location, None)? {
            Answer::Done => Ok(()),
            other => Err(broken(&other)),
        }
    }

    /// [`inkan_trust_store::AnchorStore::add_anchor`].
    pub fn add_anchor(&self, location: &Location, anchor: &Anchor) -> Result<Changed, ChangeError> {
        self.anchors(&Request::add_anchor(location, anchor), location, anchor.fingerprint())
    }

    /// [`inkan_trust_store::AnchorStore::remove_anchor`].
    pub fn remove_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Changed, ChangeError> {
        let request = Request::RemoveAnchor(Entry { location: location.clone(), certificate });
        self.anchors(&request, location, certificate)
    }

    fn keyring(&self, slot: &RenewalSlot, request: impl FnOnce(Slot) -> Request) -> Result<(), ChangeError> {
        match self.change(&request(slot.into()), &slot.location, Some(slot.old))? {
            Answer::Done => Ok(()),
            other => Err(broken(&other)),
        }
    }

    fn anchors(
        &self,
        request: &Request,
        location: &Location,
        certificate: Fingerprint,
    ) -> Result<Changed, ChangeError> {
        match self.change(request, location, Some(certificate))? {
            Answer::Changed(changed) => Ok(changed.into()),
            other => Err(broken(&other)),
        }
    }

    /// Asks for a change; a refusal becomes the error that it was over there.
    fn change(
        &self,
        request: &Request,
        location: &Location,
        certificate: Option<Fingerprint>,
    ) -> Result<Answer, ChangeError> {
        info!(operation = request.name(), "asking a companion");
        match self.ask(request, OPERATION) {
            Ok(Answer::Refused(refusal)) => Err(refusal.into_error(location, certificate)),
            Ok(answer) => Ok(answer),
            Err(error) => Err(ChangeError::Io {
                step: format!("ask the companion of {location}"),
                cause: io::Error::other(with_causes(&error)),
            }),
        }
    }

    fn ask(&self, request: &Request, within: Duration) -> Result<Answer, TalkError> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stream = place.as_deref_mut().ok_or(TalkError::Broken)?;
        let deadline = Some(Instant::now() + within);
        let answered = send(stream, request, deadline).and_then(|()| receive(stream, deadline));
        if let Err(error) = &answered {
            warn!(why = with_causes(error), "broke off the conversation with a companion");
            // Closing this end ends the companion.
            *place = None;
        }
        answered
    }
}

/// A key in the hands of a companion.
struct CompanionKey {
    conversation: Arc<Conversation>,
    key: KeyOf,
    location: Location,
    public_key: Vec<u8>,
    schemes: Vec<SignatureScheme>,
}

impl PrivateKey for CompanionKey {
    fn public_key(&self) -> Vec<u8> {
        self.public_key.clone()
    }

    fn schemes(&self) -> &[SignatureScheme] {
        &self.schemes
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, ChangeError> {
        let Self { conversation, key, location, .. } = self;
        let request = Request::Sign { key: key.clone(), scheme: scheme.into(), message: Bytes(message.to_vec()) };
        match conversation.change(&request, location, None)? {
            Answer::Signature(Bytes(signature)) if signature.len() <= limits::SMALL_BYTES => Ok(signature),
            other => Err(broken(&other)),
        }
    }
}

/// What a companion says about an entry, within the limits that a store's reading has.
fn checked(properties: EntryProperties) -> Result<EntryProperties, ChangeError> {
    let EntryProperties { key_provider, key_exportable: _, purposes, name_constraints, trust: _ } = &properties;
    let is_short = |text: &String| limits::check_text(text, limits::SHORT_TEXT).is_ok();
    let fits = key_provider.iter().all(is_short)
        && purposes.iter().all(|purposes| purposes.len() <= limits::PURPOSES && purposes.iter().all(is_short))
        && name_constraints.iter().all(|der| der.len() <= limits::CERTIFICATE_BYTES);
    let refused = || ChangeError::Crypto { what: "what the companion says about the entry is refused".to_owned() };
    if fits { Ok(properties) } else { Err(refused()) }
}

fn unexpected(answer: &Answer) -> TalkError {
    TalkError::Malformed { why: format!("not an answer to what was asked: {answer:?}") }
}

fn broken(answer: &Answer) -> ChangeError {
    let cause = io::Error::other(limits::tame_text(&unexpected(answer).to_string(), limits::SHORT_TEXT));
    ChangeError::Io { step: "ask a companion".to_owned(), cause }
}
