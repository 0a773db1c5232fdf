//! An agent played step by step: it reports, takes directives, and says what came of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use inkan_core::Core;
use inkan_core::enrolment::{Enrolment, JoinTokenOrder};
use inkan_core::intake::Contents;
use inkan_core::ports::NewIdentity;
use inkan_issuance::key::SoftwareKey;
use inkan_issuance::private_ca::{CertificationAuthority, Order};
use inkan_issuance::proof::renewal_message;
use inkan_issuance::request::{build_request, subject_of};
use inkan_model::checkup::{CheckResult, CheckupOutcome};
use inkan_model::directive::{Directives, Generation, RenewalWant};
use inkan_model::host::HostFacts;
use inkan_model::identity::IDENTITY_LIFETIME;
use inkan_model::operator::Operator;
use inkan_model::renewal::{Outcome, OutcomeResult, Proof, RenewalStep};
use inkan_model::store::{KeyPresence, Location, ReadError, Scope, SetEntry, StoreKind, StoreSet};
use inkan_model::sync::{HostReport, LocationState, SpoolEntry, SyncAnswer, SyncReport, Told, state_digest};
use inkan_model::{Certificate, ClinicId, Fingerprint, HostId, RenewalId, Timestamp};
use time::Duration;

/// `C=JP, O=ReceiptOnline, OU=…, CN=…` as DER, each attribute in an RDN of its own.
pub(crate) fn subject(unit: &str, common_name: &str) -> Vec<u8> {
    let length = |n: usize| u8::try_from(n).expect("a short name");
    let attribute = |oid: u8, tag: u8, value: &str| {
        let inner = [&[6, 3, 0x55, 4, oid, tag, length(value.len())], value.as_bytes()].concat();
        let sequence = [&[0x30, length(inner.len())], inner.as_slice()].concat();
        [&[0x31, length(sequence.len())], sequence.as_slice()].concat()
    };
    let name = [
        attribute(6, 0x13, "JP"),
        attribute(10, 0x0c, "ReceiptOnline"),
        attribute(11, 0x0c, unit),
        attribute(3, 0x0c, common_name),
    ]
    .concat();
    [&[0x30, length(name.len())], name.as_slice()].concat()
}

/// A certificate of this authority.
pub(crate) fn issue(
    ca: &dyn CertificationAuthority,
    common_name: &str,
    from: Timestamp,
    until: Timestamp,
) -> Certificate {
    let order = Order {
        subject_der: subject("medical", common_name),
        spki_der: SoftwareKey::generate().expect("a key").spki(),
        serial: super::random(),
        not_before: from,
        not_after: until,
    };
    Certificate::read(ca.issue(&order).expect("a certificate").remove(0))
}

/// A folder for keys and certificates of the PC.
pub(crate) fn folder(path: &str) -> Location {
    Location { kind: StoreKind::Directory, scope: Scope::Machine, path: path.to_owned() }
}

/// A folder of one user.
pub(crate) fn folder_of(user: &str, path: &str) -> Location {
    Location { kind: StoreKind::UserDirectory, scope: Scope::User(user.to_owned()), path: path.to_owned() }
}

/// One store of a played PC.
#[derive(Clone)]
pub(crate) struct PlayedStore {
    pub(crate) location: Location,
    pub(crate) entries: Vec<SetEntry>,
    pub(crate) errors: Vec<ReadError>,
}

impl PlayedStore {
    pub(crate) fn new(location: Location) -> Self {
        Self { location, entries: Vec::new(), errors: Vec::new() }
    }

    #[must_use]
    pub(crate) fn with(mut self, certificate: &Certificate, key: KeyPresence, name: Option<&str>) -> Self {
        let (certificate, name) = (certificate.fingerprint, name.map(str::to_owned));
        self.entries.push(SetEntry::certificate(certificate, key, name));
        self
    }

    fn set(&self) -> StoreSet {
        StoreSet::new(self.entries.clone())
    }
}

/// The agent of one PC.
pub(crate) struct PlayedAgent {
    core: Core,
    pub(crate) host: HostId,
    pub(crate) facts: HostFacts,
    pub(crate) stores: Vec<PlayedStore>,
    /// Every certificate that it may be asked for.
    pub(crate) certificates: Vec<Certificate>,
    /// How far its clock is ahead.
    pub(crate) clock_ahead: Duration,
    /// Fails the next step of this kind.
    pub(crate) failing: Option<RenewalStep>,
    directives: Directives,
    sequence: u64,
    keys: HashMap<RenewalId, SoftwareKey>,
    said: HashMap<RenewalId, u8>,
}

impl PlayedAgent {
    /// Joins.
    pub(crate) async fn enrol(
        core: &Core,
        operator: &Operator,
        clinic: ClinicId,
        facts: HostFacts,
        approve: bool,
    ) -> Self {
        let order = JoinTokenOrder { clinic, uses: 1, lifetime: Duration::hours(4), approve };
        let (_, token) = core.create_join_token(operator, order).await.expect("a token");
        let key = SoftwareKey::generate().expect("a key");
        let enrolment = Enrolment {
            token,
            csr: build_request(&subject("agent", "agent"), &key).expect("a request"),
            facts: facts.clone(),
            machine_binding: [9; 32],
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let enrolled = core.enroll(enrolment).await.expect("an enrolment");
        Self {
            core: core.clone(),
            host: enrolled.host,
            facts,
            stores: Vec::new(),
            certificates: Vec::new(),
            clock_ahead: Duration::ZERO,
            failing: None,
            directives: Directives::default(),
            sequence: 0,
            keys: HashMap::new(),
            said: HashMap::new(),
        }
    }

    fn report(&self) -> HostReport {
        let state = |store: &PlayedStore| LocationState {
            location: store.location.clone(),
            set: store.set().digest(),
            errors: store.errors.clone(),
        };
        HostReport { facts: self.facts.clone(), locations: self.stores.iter().map(state).collect() }
    }

    async fn send(&mut self, entries: Vec<SpoolEntry>) -> SyncAnswer {
        let report = self.report();
        let message = SyncReport {
            epoch: 1,
            entries,
            state: state_digest(&report),
            report: Some(report),
            generation: self.directives.generation,
            clock: self.core.now().plus(self.clock_ahead),
        };
        let session = self.core.db().find_session(self.host).await.expect("a database").expect("a session");
        let answer = self.core.sync(self.host, &session, message).await.expect("a sync");
        if let Some(directives) = answer.directives.clone() {
            self.directives = directives;
        }
        answer
    }

    /// Reports until the server has everything.
    pub(crate) async fn sync(&mut self) {
        let answer = self.send(Vec::new()).await;
        if !answer.lacks.is_nothing() {
            let sets = self.stores.iter().map(|store| (store.set().digest(), store.set())).collect();
            let contents = Contents { certificates: self.certificates.clone(), sets, deltas: Vec::new() };
            assert!(self.core.take_contents(contents).await.expect("contents are taken").is_nothing());
            self.send(Vec::new()).await;
        }
    }

    /// Does the next step of each renewal that it was told of; says whether there was one.
    pub(crate) async fn step(&mut self) -> bool {
        self.sync().await;
        let mut outcomes = Vec::new();
        for directive in self.directives.renewals.clone() {
            if let Some(result) = self.act(directive.renewal, directive.old, &directive.location, &directive.want) {
                outcomes.push(Outcome { renewal: directive.renewal, result });
            }
        }
        let any = !outcomes.is_empty();
        for outcome in outcomes {
            self.sequence += 1;
            let entry = SpoolEntry { sequence: self.sequence, at: self.core.now(), told: Told::Renewal(outcome) };
            self.send(vec![entry]).await;
        }
        self.sync().await;
        any
    }

    fn act(
        &mut self,
        renewal: RenewalId,
        old: Fingerprint,
        location: &Location,
        want: &RenewalWant,
    ) -> Option<OutcomeResult> {
        let said = self.said.get(&renewal).copied().unwrap_or(0);
        let step = match (want, said) {
            (RenewalWant::Request, _) => RenewalStep::Request,
            (RenewalWant::Install { .. }, ..2) => RenewalStep::Install,
            (RenewalWant::Install { .. }, _) => RenewalStep::Prove,
            (RenewalWant::ArchiveOld { .. }, _) => RenewalStep::ArchiveOld,
        };
        if self.failing == Some(step) {
            let why = "証明書フォルダーに書き込めません: ディスクの空きが 0 バイト".to_owned();
            return Some(OutcomeResult::Failed { step, why, retry: true });
        }
        match (want, said) {
            (RenewalWant::Request, 0) => {
                let der = &self.certificates.iter().find(|one| one.fingerprint == old)?.der;
                let key = SoftwareKey::generate().expect("a key");
                let csr = build_request(&subject_of(der).expect("a subject"), &key).expect("a request");
                self.keys.insert(renewal, key);
                self.said.insert(renewal, 1);
                Some(OutcomeResult::Requested { csr })
            }
            (RenewalWant::Install { chain, .. }, 1) => {
                let new = Certificate::read(chain.first()?.clone());
                let fingerprint = new.fingerprint;
                let store = self.stores.iter_mut().find(|store| store.location == *location)?;
                *store = store.clone().with(&new, KeyPresence::Present, Some("renewed.pem"));
                self.certificates.push(new);
                self.said.insert(renewal, 2);
                Some(OutcomeResult::Installed { new: fingerprint })
            }
            (RenewalWant::Install { chain, challenge, .. }, 2) => {
                let signature =
                    self.keys.get(&renewal)?.sign_message(&renewal_message(challenge)).expect("a signature");
                self.said.insert(renewal, 3);
                let new = Fingerprint::of(chain.first()?);
                Some(OutcomeResult::Proven { new, proof: Proof { signature, probe: None } })
            }
            (RenewalWant::ArchiveOld { new }, 3) => {
                let is_old = |entry: &SetEntry| matches!(entry, SetEntry::Certificate { certificate, .. } if *certificate == old);
                let store = self.stores.iter_mut().find(|store| store.location == *location)?;
                store.entries.retain(|entry| !is_old(entry));
                self.said.insert(renewal, 4);
                Some(OutcomeResult::OldArchived { new: *new })
            }
            _ => None,
        }
    }

    /// Says the same of each checkup that waits for it.
    pub(crate) async fn answer_checkups(&mut self, results: &[CheckResult]) {
        self.sync().await;
        for directive in self.directives.checkups.clone() {
            self.sequence += 1;
            let (checkup, examined_at, results) = (directive.checkup, self.core.now(), results.to_vec());
            let told = Told::Checkup(CheckupOutcome { checkup, examined_at, results });
            self.send(vec![SpoolEntry { sequence: self.sequence, at: self.core.now(), told }]).await;
        }
    }

    /// Takes a new identity and uses it at once.
    pub(crate) async fn renew_identity(&self) {
        let now = self.core.now();
        let serial = super::random();
        let identity =
            NewIdentity { serial, chain: Vec::new(), issued_at: now, not_after: now.plus(IDENTITY_LIFETIME) };
        self.core.db().record_pending_identity(self.host, &identity).await.expect("a database");
        self.core.db().activate_identity(self.host, serial, now).await.expect("a database");
    }

    /// The generation of directives that it has.
    pub(crate) fn generation(&self) -> Generation {
        self.directives.generation
    }
}
