//! Whole conversations: the service's side and a companion's over a socket, with stores in memory behind it.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use inkan_issuance::proof;
use inkan_issuance::request::{self, RequestSigner};
use inkan_model::locale::Bilingual;
use inkan_model::store::{KeyPresence, Location, Scope, StoreKind};
use inkan_model::{EntryProperties, Fingerprint, RenewalId};
use inkan_trust_store::fake::FakeStore;
use inkan_trust_store::{
    Anchor, ChangeError, Changed, KeyedCertificate, Keyring, PrivateKey, Reading, Removed, RenewalSlot,
    SignatureScheme, StoreBackend,
};
use zeroize::Zeroizing;

use super::frame::{receive, send};
use super::protocol::{Answer, Bytes, Request, Scheme, VERSION};
use super::*;
use crate::notice::{Notice, Notifier};
use crate::renewer::{Backends, Stores as _};

const MIKA: &str = "CLINIC\\mika";

#[derive(Clone, Default)]
struct Wall(Arc<Mutex<Vec<String>>>);

impl Screen for Wall {
    fn show(&self, title: &Bilingual, _body: &Bilingual) -> io::Result<()> {
        self.0.lock().unwrap().push(title.en.clone());
        Ok(())
    }
}

/// A user's own MY on a PC, with one certificate in it.
struct Pc {
    store: Arc<FakeStore>,
    location: Location,
    old: Vec<u8>,
}

fn location_of(user: &str) -> Location {
    Location { kind: StoreKind::WindowsStore, scope: Scope::User(user.to_owned()), path: "MY".to_owned() }
}

fn certificate(key: &rcgen::KeyPair) -> Vec<u8> {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "0110119153");
    params.self_signed(key).unwrap().der().to_vec()
}

fn pc() -> Pc {
    let (store, location) = (Arc::new(FakeStore::default()), location_of(MIKA));
    store.add_location(location.clone());
    let old = certificate(&rcgen::KeyPair::generate().unwrap());
    store.put(&location, &old, KeyPresence::Present, None);
    Pc { store, location, old }
}

impl Pc {
    fn slot(&self) -> RenewalSlot {
        let renewal = RenewalId::from_uuid(uuid::Uuid::from_u128(7));
        RenewalSlot { renewal, location: self.location.clone(), old: Fingerprint::of(&self.old) }
    }

    fn stores(&self) -> Vec<Arc<dyn StoreBackend>> {
        vec![Arc::clone(&self.store) as Arc<dyn StoreBackend>]
    }

    /// A companion of this user at the other end of a conversation; it ends with the conversation.
    fn companion(&self, wall: &Wall) -> UnixStream {
        let (here, mut there) = UnixStream::pair().unwrap();
        let desk = Desk::new(self.stores(), MIKA, Box::new(wall.clone()));
        thread::spawn(move || desk.serve(&mut there));
        here
    }

    /// The service's stores, with the companion entered.
    fn service(&self, wall: &Wall) -> (Arc<Companions>, Vec<Arc<dyn StoreBackend>>) {
        let companions = Arc::new(Companions::default());
        companions.enter(MIKA, Conversation::open(Box::new(self.companion(wall))).unwrap());
        let stores = with_companions(self.stores(), &companions);
        (companions, stores)
    }
}

/// A companion's key, as a request wants it.
struct ByCompanion<'k>(&'k dyn PrivateKey);

impl RequestSigner for ByCompanion<'_> {
    fn public_key(&self) -> Vec<u8> {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.0.sign(self.0.schemes()[0], message)?)
    }
}

#[test]
fn a_renewal_of_a_users_certificate_is_done_by_the_companion_from_request_to_archive() {
    let (pc, wall) = (pc(), Wall::default());
    let (_companions, stores) = pc.service(&wall);
    let (store, slot) = (Backends::new(stores), pc.slot());
    let keyring = store.find_keyring(&slot.location).unwrap();
    let key = keyring.ensure_key(&slot).unwrap();
    assert_eq!(key.schemes(), [SignatureScheme::EcdsaP256Sha256]);
    let subject = request::subject_of(&pc.old).unwrap();
    let csr = request::build_request(&subject, &ByCompanion(&*key)).unwrap();
    assert!(request::Request::parse(&csr).is_ok());
    let message = proof::renewal_message(b"challenge");
    let signature = key.sign(SignatureScheme::EcdsaP256Sha256, &message).unwrap();
    proof::verify_signature(&key.public_key(), &message, &signature).unwrap();

    let new = {
        // The authority of this test: a certificate for the companion's key.
        let issuer_key = rcgen::KeyPair::generate().unwrap();
        let public = rcgen::SubjectPublicKeyInfo::from_der(&key.public_key()).unwrap();
        let issuer = rcgen::Issuer::new(rcgen::CertificateParams::default(), issuer_key);
        rcgen::CertificateParams::default().signed_by(&public, &issuer).unwrap().der().to_vec()
    };
    keyring.install_beside(&slot, std::slice::from_ref(&new)).unwrap();
    keyring.archive_old(&slot, Fingerprint::of(&new)).unwrap();
    assert_eq!(pc.store.archived(), [slot.old]);
}

#[test]
fn a_companion_does_not_sign_what_no_renewal_needs() {
    let (pc, wall) = (pc(), Wall::default());
    let (_companions, stores) = pc.service(&wall);
    let key = stores[0].keyring().unwrap().ensure_key(&pc.slot()).unwrap();
    let refused = key.sign(SignatureScheme::EcdsaP256Sha256, b"a contract").unwrap_err();
    assert!(refused.to_string().contains("does not sign"), "{refused}");
    key.sign(SignatureScheme::EcdsaP256Sha256, &proof::renewal_message(b"c")).unwrap();
}

/// A store that lets the keys of its certificates sign, as those of Windows do.
struct Signing(FakeStore, RenewalSlot);

impl StoreBackend for Signing {
    fn discover(&self) -> Vec<Location> {
        self.0.discover()
    }

    fn read(&self, location: &Location) -> Reading {
        self.0.read(location)
    }

    fn keyring(&self) -> Option<&dyn Keyring> {
        None
    }

    fn existing_key(&self, _: &Location, certificate: Fingerprint) -> Option<Result<Box<dyn PrivateKey>, ChangeError>> {
        (certificate == self.1.old).then(|| self.0.ensure_key(&self.1))
    }
}

#[test]
fn a_key_that_is_there_signs_the_doctors_check_through_a_companion_and_nothing_else() {
    let pc = pc();
    let store = FakeStore::default();
    store.put(&pc.location, &pc.old, KeyPresence::Present, None);
    let (here, mut there) = UnixStream::pair().unwrap();
    let signing: Arc<dyn StoreBackend> = Arc::new(Signing(store, pc.slot()));
    let desk = Desk::new(vec![Arc::clone(&signing)], MIKA, Box::new(Wall::default()));
    thread::spawn(move || desk.serve(&mut there));
    let companions = Arc::new(Companions::default());
    companions.enter(MIKA, Conversation::open(Box::new(here)).unwrap());
    let stores = with_companions(vec![signing], &companions);

    let key = stores[0].existing_key(&pc.location, Fingerprint::of(&pc.old)).unwrap().unwrap();
    let message = [crate::doctor::signing::LABEL, &[1; 32]].concat();
    let signature = key.sign(SignatureScheme::EcdsaP256Sha256, &message).unwrap();
    proof::verify_signature(&key.public_key(), &message, &signature).unwrap();
    assert!(key.sign(SignatureScheme::EcdsaP256Sha256, b"a contract").is_err());
    assert!(stores[0].existing_key(&pc.location, Fingerprint::of(b"another")).is_none());
}

#[test]
fn a_user_who_is_not_logged_on_is_waited_for() {
    let pc = pc();
    let stores = with_companions(pc.stores(), &Arc::new(Companions::default()));
    let error = stores[0].keyring().unwrap().ensure_key(&pc.slot()).err().unwrap();
    assert!(matches!(&error, ChangeError::NeedsUser { why, .. } if why.contains("mika")), "{error}");
    let removed = stores[0].keyed().unwrap().remove(&pc.location, Fingerprint::of(&pc.old));
    assert!(matches!(removed, Err(ChangeError::NeedsUser { .. })), "{removed:?}");
}

#[test]
fn what_belongs_to_the_machine_or_is_a_folder_needs_no_companion() {
    let pc = pc();
    let machine = Location { scope: Scope::Machine, ..pc.location.clone() };
    let folder = Location { kind: StoreKind::UserDirectory, ..pc.location.clone() };
    let stores = with_companions(pc.stores(), &Arc::new(Companions::default()));
    for location in [machine, folder] {
        pc.store.add_location(location.clone());
        pc.store.put(&location, &pc.old, KeyPresence::Present, None);
        let slot = RenewalSlot { location, ..pc.slot() };
        stores[0].keyring().unwrap().ensure_key(&slot).unwrap();
        stores[0].keyring().unwrap().discard(&slot).unwrap();
    }
}

#[test]
fn certificates_with_keys_and_anchors_go_through_a_companion() {
    let (pc, wall) = (pc(), Wall::default());
    let conversation = Conversation::open(Box::new(pc.companion(&wall))).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let der = certificate(&key);
    let pkcs8 = Zeroizing::new(key.serialize_der());
    let keyed = KeyedCertificate { pkcs8, chain: vec![der.clone()], name: Some("医院".to_owned()) };
    let imported = conversation.import(&pc.location, &keyed).unwrap();
    assert_eq!((imported.certificate, imported.already), (Fingerprint::of(&der), false));
    assert!(conversation.import(&pc.location, &keyed).unwrap().already);
    assert_eq!(conversation.remove(&pc.location, Fingerprint::of(&der)).unwrap(), Removed::WithKey);

    let anchor = Anchor { der, name: None, properties: EntryProperties::default() };
    conversation.can_change(&pc.location).unwrap();
    assert_eq!(conversation.add_anchor(&pc.location, &anchor).unwrap(), Changed::Done);
    assert_eq!(conversation.add_anchor(&pc.location, &anchor).unwrap(), Changed::AlreadySo);
    assert_eq!(conversation.remove_anchor(&pc.location, anchor.fingerprint()).unwrap(), Changed::Done);
    pc.store.refuse_changes(Some("by policy"));
    let refused = conversation.remove_anchor(&pc.location, anchor.fingerprint()).unwrap_err();
    assert!(refused.to_string().contains("by policy"), "{refused}");
}

#[test]
fn a_companion_works_only_on_places_of_its_own_user_that_it_finds_by_itself() {
    let (pc, wall) = (pc(), Wall::default());
    let other = location_of("CLINIC\\ken");
    pc.store.add_location(other.clone());
    pc.store.put(&other, &pc.old, KeyPresence::Present, None);
    let machine = Location { scope: Scope::Machine, ..pc.location.clone() };
    pc.store.add_location(machine.clone());
    let unknown = Location { path: "C:\\Windows\\System32".to_owned(), ..pc.location.clone() };
    let conversation = Conversation::open(Box::new(pc.companion(&wall))).unwrap();
    for location in [other, machine, unknown] {
        let refused = conversation.remove(&location, Fingerprint::of(&pc.old));
        assert!(matches!(refused, Err(ChangeError::ReadOnly { .. })), "{refused:?}");
    }
}

#[test]
fn notices_reach_the_user_they_are_for_or_everybody() {
    let (pc, wall) = (pc(), Wall::default());
    let (companions, _stores) = pc.service(&wall);
    let notice = |user: Option<&str>, title: &str| {
        let text = Bilingual::new("題", title);
        companions.show(&Notice {
            cause: title.to_owned(),
            user: user.map(str::to_owned),
            title: text.clone(),
            body: text,
        })
    };
    assert!(notice(Some("clinic\\Mika"), "to mika") && notice(None, "to all"));
    assert!(!notice(Some("mika"), "to another mika"));
    assert_eq!(*wall.0.lock().unwrap(), ["to mika", "to all"]);
}

/// What a hostile companion answers to whatever it is asked after the greeting.
fn liar(answers: Vec<Answer>) -> UnixStream {
    let (here, mut there) = UnixStream::pair().unwrap();
    thread::spawn(move || {
        for answer in std::iter::once(Answer::Hello { version: VERSION }).chain(answers) {
            if receive::<Request>(&mut there, None).is_err() || send(&mut there, &answer, None).is_err() {
                return;
            }
        }
    });
    here
}

#[test]
fn answers_to_other_questions_or_beyond_all_bounds_do_not_count() {
    let pc = pc();
    let huge = Answer::Key { public_key: Bytes(vec![0; 10_000]), schemes: vec![Scheme::EcdsaP256Sha256] };
    let no_schemes = Answer::Key { public_key: Bytes(vec![0; 10]), schemes: Vec::new() };
    for lie in [Answer::Done, huge, no_schemes, Answer::NoKey, Answer::Hello { version: VERSION }] {
        let conversation = Conversation::open(Box::new(liar(vec![lie]))).unwrap();
        assert!(conversation.ensure_key(&pc.slot()).is_err());
    }
    let conversation = Conversation::open(Box::new(liar(vec![Answer::Done]))).unwrap();
    assert!(conversation.existing_key(&pc.location, Fingerprint::of(&pc.old)).unwrap().is_err());
    let properties = EntryProperties { purposes: Some(vec!["1.2".repeat(1_000)]), ..EntryProperties::default() };
    let conversation =
        Conversation::open(Box::new(liar(vec![Answer::Imported { already: false, properties }]))).unwrap();
    let keyed = KeyedCertificate { pkcs8: Zeroizing::new(Vec::new()), chain: vec![pc.old.clone()], name: None };
    assert!(conversation.import(&pc.location, &keyed).is_err());
}

#[test]
fn a_companion_that_goes_away_ends_the_conversation_for_good() {
    let pc = pc();
    let conversation = Conversation::open(Box::new(liar(Vec::new()))).unwrap();
    assert!(conversation.is_open());
    assert!(matches!(conversation.ensure_key(&pc.slot()), Err(ChangeError::Io { .. })));
    assert!(!conversation.is_open());
}

#[test]
fn a_companion_of_another_version_is_not_talked_to() {
    let (here, mut there) = UnixStream::pair().unwrap();
    thread::spawn(move || {
        let _ = receive::<Request>(&mut there, None);
        let _ = send(&mut there, &Answer::Hello { version: VERSION + 1 }, None);
    });
    assert!(matches!(Conversation::open(Box::new(here)), Err(TalkError::Version { .. })));
}

#[test]
fn a_companion_refuses_to_work_before_it_was_greeted() {
    let (pc, wall) = (pc(), Wall::default());
    let mut stream = pc.companion(&wall);
    send(&mut stream, &Request::CanChange(pc.location.clone()), None).unwrap();
    assert!(receive::<Answer>(&mut stream, None).is_err());
}

/// Sessions of a PC whose companions are threads.
struct FakeSessions {
    pc: Arc<Pc>,
    there: Arc<Mutex<Vec<Session>>>,
    started: Arc<AtomicUsize>,
    failing: Arc<AtomicBool>,
    processes: Arc<Mutex<Vec<Arc<AtomicBool>>>>,
}

struct FakeProcess(Arc<AtomicBool>);

impl Process for FakeProcess {
    fn has_ended(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Sessions for FakeSessions {
    fn list(&self) -> io::Result<Vec<Session>> {
        Ok(self.there.lock().unwrap().clone())
    }

    fn start(&self, _session: &Session) -> io::Result<Connected> {
        self.started.fetch_add(1, Ordering::Relaxed);
        if self.failing.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let ended = Arc::new(AtomicBool::new(false));
        self.processes.lock().unwrap().push(Arc::clone(&ended));
        let stream = Box::new(self.pc.companion(&Wall::default()));
        Ok(Connected { stream, process: Box::new(FakeProcess(ended)) })
    }
}

struct Watched {
    there: Arc<Mutex<Vec<Session>>>,
    started: Arc<AtomicUsize>,
    failing: Arc<AtomicBool>,
    processes: Arc<Mutex<Vec<Arc<AtomicBool>>>>,
    companions: Arc<Companions>,
    supervisor: Supervisor,
}

fn watched() -> Watched {
    let sessions = FakeSessions {
        pc: Arc::new(pc()),
        there: Arc::default(),
        started: Arc::default(),
        failing: Arc::default(),
        processes: Arc::default(),
    };
    let companions = Arc::new(Companions::default());
    Watched {
        there: Arc::clone(&sessions.there),
        started: Arc::clone(&sessions.started),
        failing: Arc::clone(&sessions.failing),
        processes: Arc::clone(&sessions.processes),
        companions: Arc::clone(&companions),
        supervisor: Supervisor::new(Box::new(sessions), companions),
    }
}

fn session(id: u32) -> Session {
    Session { id, user: MIKA.to_owned() }
}

#[test]
fn a_user_has_one_companion_from_log_on_to_log_off_however_many_sessions() {
    let (mut pc, now) = (watched(), Instant::now());
    pc.supervisor.look(now);
    assert!(pc.companions.find(MIKA).is_none());
    *pc.there.lock().unwrap() = vec![session(1), session(2)];
    pc.supervisor.look(now);
    pc.supervisor.look(now);
    assert!(pc.companions.find(MIKA).is_some());
    assert_eq!(pc.started.load(Ordering::Relaxed), 1);
    *pc.there.lock().unwrap() = vec![session(2)];
    pc.supervisor.look(now);
    assert!(pc.companions.find(MIKA).is_some(), "the other session has a companion now");
    pc.there.lock().unwrap().clear();
    pc.supervisor.look(now);
    assert!(pc.companions.find(MIKA).is_none());
    assert!(pc.processes.lock().unwrap().iter().all(|ended| ended.load(Ordering::Relaxed)));
}

#[test]
fn a_companion_that_dies_is_started_again_after_pauses_that_grow() {
    let (mut pc, start) = (watched(), Instant::now());
    *pc.there.lock().unwrap() = vec![session(1)];
    pc.failing.store(true, Ordering::Relaxed);
    let (mut now, mut pauses) = (start, Vec::new());
    for _ in 0..4 {
        let begun = pc.started.load(Ordering::Relaxed);
        let since = now;
        while pc.started.load(Ordering::Relaxed) == begun {
            now += pc.supervisor.look(now);
        }
        pauses.push(now.duration_since(since));
    }
    assert!(pauses.is_sorted() && pauses[0] >= Duration::from_secs(2), "{pauses:?}");
    pc.failing.store(false, Ordering::Relaxed);
    now += Duration::from_mins(10);
    pc.supervisor.look(now);
    assert!(pc.companions.find(MIKA).is_some());
    // It dies after a long life: there is another one at once.
    pc.processes.lock().unwrap().iter().for_each(|ended| ended.store(true, Ordering::Relaxed));
    let begun = pc.started.load(Ordering::Relaxed);
    pc.supervisor.look(now + Duration::from_hours(1));
    assert_eq!(pc.started.load(Ordering::Relaxed), begun + 1);
}

#[test]
fn all_companions_end_with_the_service() {
    let mut pc = watched();
    *pc.there.lock().unwrap() = vec![session(1)];
    pc.supervisor.look(Instant::now());
    drop(pc.supervisor);
    assert!(pc.companions.find(MIKA).is_none());
    assert!(pc.processes.lock().unwrap().iter().all(|ended| ended.load(Ordering::Relaxed)));
}
