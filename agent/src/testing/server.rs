//! A server in memory: it keeps what it is told, issues what is asked for, and follows the protocol's rules.

use std::collections::{BTreeMap, BTreeSet};

use inkan_issuance::private_ca::{CertificationAuthority as _, Order, PrivateCa};
use inkan_issuance::proof;
use inkan_issuance::request::Request;
use inkan_model::certificate::CertificateFacts;
use inkan_model::checkup::CheckupOutcome;
use inkan_model::digest::{SetDigest, StateDigest};
use inkan_model::directive::{CheckupDirective, Directives, Generation, ProbeTarget, RenewalDirective, RenewalWant};
use inkan_model::renewal::{Outcome, OutcomeResult, Renewal, RenewalState, Requester};
use inkan_model::store::{Location, StoreSet};
use inkan_model::sync::{HostReport, Lacks, SpoolPosition, SyncAnswer, SyncReport, Told};
use inkan_model::{Fingerprint, HostId, RenewalId, VendorId};
use inkan_wire::Upload;
use time::Duration;

use super::NOW;

/// A server with one host.
pub(crate) struct FakeServer {
    pub(crate) ca: PrivateCa,
    pub(crate) renewals: Vec<Renewal>,
    pub(crate) probe: Option<ProbeTarget>,
    pub(crate) acknowledged: SpoolPosition,
    /// Every outcome, in the order in which it counted.
    pub(crate) outcomes: Vec<Outcome>,
    /// Public keys of the requests of each renewal.
    pub(crate) keys: BTreeMap<RenewalId, BTreeSet<Vec<u8>>>,
    pub(crate) state: Option<StateDigest>,
    pub(crate) sets: BTreeMap<SetDigest, StoreSet>,
    pub(crate) certificates: BTreeSet<Fingerprint>,
    pub(crate) deltas: usize,
    pub(crate) whole_sets: usize,
    pub(crate) reports: Vec<HostReport>,
    pub(crate) renew_identity: bool,
    pub(crate) next_sync: Duration,
    pub(crate) directives: Directives,
    /// Checkups that are waited for.
    pub(crate) checkups: Vec<CheckupDirective>,
    /// What the PC's doctor said.
    pub(crate) examined: Vec<CheckupOutcome>,
    serial: u8,
}

impl FakeServer {
    pub(crate) fn new() -> Self {
        Self {
            ca: PrivateCa::create("Test CA", [1; 16], NOW, Duration::days(3_650)).unwrap(),
            renewals: Vec::new(),
            probe: None,
            acknowledged: SpoolPosition::default(),
            outcomes: Vec::new(),
            keys: BTreeMap::new(),
            state: None,
            sets: BTreeMap::new(),
            certificates: BTreeSet::new(),
            deltas: 0,
            whole_sets: 0,
            reports: Vec::new(),
            renew_identity: false,
            next_sync: Duration::minutes(10),
            directives: Directives::default(),
            checkups: Vec::new(),
            examined: Vec::new(),
            serial: 1,
        }
    }

    /// Wants one certificate renewed.
    pub(crate) fn want_renewal(&mut self, location: &Location, old: Fingerprint) -> RenewalId {
        self.serial += 1;
        let id = RenewalId::new(NOW, [self.serial; 10]);
        let state = RenewalState::Directed { at: NOW, generation: Generation(1) };
        self.renewals.push(Renewal {
            id,
            vendor: VendorId::new(NOW, [1; 10]),
            host: HostId::new(NOW, [1; 10]),
            location: location.clone(),
            old,
            requested_by: Requester::Planner,
            reason: None,
            created_at: NOW,
            failures: 0,
            state,
        });
        self.plan();
        id
    }

    /// A renewal's state, by name.
    pub(crate) fn state_of(&self, renewal: RenewalId) -> &'static str {
        self.renewals.iter().find(|known| known.id == renewal).unwrap().state.name()
    }

    /// Gives a renewal up.
    pub(crate) fn abandon(&mut self, renewal: RenewalId) {
        self.change(renewal, |renewal| renewal.abandon(None, "test".to_owned(), NOW).ok());
        self.plan();
    }

    /// Wants the PC to be examined.
    pub(crate) fn want_checkup(&mut self, directive: CheckupDirective) {
        self.checkups.push(directive);
        self.plan();
    }

    fn take_checkup(&mut self, outcome: &CheckupOutcome) {
        self.checkups.retain(|waiting| waiting.checkup != outcome.checkup);
        self.examined.push(outcome.clone());
    }

    /// Answers one Sync.
    pub(crate) fn sync(&mut self, report: SyncReport) -> SyncAnswer {
        let SyncReport { epoch, entries, state, report, generation, clock } = report;
        for entry in entries {
            let position = SpoolPosition { epoch, sequence: entry.sequence };
            if position > self.acknowledged {
                match &entry.told {
                    Told::Renewal(outcome) => self.take(outcome),
                    Told::Checkup(outcome) => self.take_checkup(outcome),
                }
                self.acknowledged = position;
            }
        }
        let lacks = match report {
            Some(report) => self.take_report(state, report),
            None => Lacks { report: self.state != Some(state), ..Lacks::default() },
        };
        self.plan();
        let news = (generation != self.directives.generation).then(|| self.directives.clone());
        SyncAnswer {
            acknowledged: self.acknowledged,
            lacks,
            directives: news,
            server_time: clock,
            next_sync: self.next_sync,
            renew_identity: self.renew_identity,
        }
    }

    /// Takes one Upload.
    pub(crate) fn upload(&mut self, messages: Vec<Upload>) -> Lacks {
        let mut lacks = Lacks::default();
        for Upload { sets, deltas, certificates } in messages {
            for set in sets {
                self.whole_sets += 1;
                self.sets.insert(set.digest(), set.into_set());
            }
            for uploaded in deltas {
                self.deltas += 1;
                match self.sets.get(&uploaded.delta.base).map(|base| base.apply(&uploaded.delta)) {
                    Some(set) if set.digest() == uploaded.digest => drop(self.sets.insert(uploaded.digest, set)),
                    Some(_) | None => lacks.sets.push(uploaded.digest),
                }
            }
            self.certificates.extend(certificates.iter().map(|der| Fingerprint::of(der)));
        }
        let wanted: BTreeSet<_> = self.sets.values().flat_map(StoreSet::certificates).collect();
        lacks.certificates = wanted.difference(&self.certificates).copied().collect();
        lacks
    }

    fn take_report(&mut self, state: StateDigest, report: HostReport) -> Lacks {
        let unknown = |set: &SetDigest| !self.sets.contains_key(set);
        let sets: Vec<_> = report.locations.iter().map(|location| location.set).filter(unknown).collect();
        let held = report.locations.iter().filter_map(|location| self.sets.get(&location.set));
        let certificates: BTreeSet<_> = held.flat_map(StoreSet::certificates).collect();
        let certificates = certificates.difference(&self.certificates).copied().collect();
        let lacks = Lacks { report: false, sets, certificates };
        if lacks.is_nothing() {
            self.state = Some(state);
            self.reports.push(report);
        }
        lacks
    }

    fn take(&mut self, outcome: &Outcome) {
        self.outcomes.push(outcome.clone());
        let Outcome { renewal, result } = outcome.clone();
        match result {
            OutcomeResult::Requested { csr } => {
                let request = Request::parse(&csr).unwrap();
                self.keys.entry(renewal).or_default().insert(request.spki_der().to_vec());
                self.change(renewal, |renewal| renewal.request(csr, NOW).ok());
                self.issue(renewal, &request);
            }
            OutcomeResult::Installed { new } => self.change(renewal, |renewal| renewal.install(new, NOW).ok()),
            OutcomeResult::Proven { new, proof } => self.change(renewal, |renewal| {
                let RenewalState::Installed { chain, challenge, .. } = &renewal.state else { return None };
                let spki = x509_parser::parse_x509_certificate(&chain[0]).unwrap().1.public_key().raw.to_vec();
                proof::verify_signature(&spki, &proof::renewal_message(challenge), &proof.signature).unwrap();
                renewal.prove(new, proof, NOW).ok()
            }),
            OutcomeResult::OldArchived { new } => self.change(renewal, |renewal| renewal.close(new, NOW).ok()),
            OutcomeResult::Failed { .. } | OutcomeResult::Unrecognized(_) => {}
        }
    }

    fn issue(&mut self, renewal: RenewalId, request: &Request) {
        self.serial += 1;
        let order = Order {
            subject_der: request.subject_der().to_vec(),
            spki_der: request.spki_der().to_vec(),
            serial: [self.serial; 16],
            not_before: NOW,
            not_after: NOW.plus(Duration::days(365)),
        };
        let chain = self.ca.issue(&order).unwrap();
        let new = Fingerprint::of(&chain[0]);
        self.change(renewal, |renewal| renewal.issue(new, chain, vec![7; 32], NOW).ok());
    }

    /// Moves a renewal, where its state allows it.
    fn change(&mut self, id: RenewalId, change: impl FnOnce(Renewal) -> Option<Renewal>) {
        let Some(known) = self.renewals.iter_mut().find(|known| known.id == id) else { return };
        if let Some(moved) = change(known.clone()) {
            *known = moved;
        }
    }

    fn plan(&mut self) {
        let renewals: Vec<_> = self.renewals.iter().filter_map(|renewal| self.directive(renewal)).collect();
        let checkups = self.checkups.clone();
        if renewals != self.directives.renewals || checkups != self.directives.checkups {
            self.directives = Directives { generation: self.directives.generation.next(), renewals, checkups };
        }
    }

    fn directive(&self, renewal: &Renewal) -> Option<RenewalDirective> {
        let want = match &renewal.state {
            RenewalState::Directed { .. } | RenewalState::Requested { .. } => RenewalWant::Request,
            RenewalState::Issued { chain, challenge, .. } | RenewalState::Installed { chain, challenge, .. } => {
                let (chain, challenge, probe) = (chain.clone(), challenge.clone(), self.probe.clone());
                RenewalWant::Install { chain, challenge, probe }
            }
            RenewalState::Proven { new, .. } => RenewalWant::ArchiveOld { new: *new },
            _ => return None,
        };
        let Renewal { id, location, old, .. } = renewal;
        Some(RenewalDirective { renewal: *id, location: location.clone(), old: *old, want })
    }

    /// A certificate for a clinic's PC, as it was before anything is renewed.
    pub(crate) fn issue_old(&mut self) -> Vec<u8> {
        self.serial += 1;
        let key = inkan_issuance::key::SoftwareKey::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("0110119153-{}", self.serial));
        let named = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let order = Order {
            subject_der: inkan_issuance::request::subject_of(named.der()).unwrap(),
            spki_der: key.spki(),
            serial: [self.serial; 16],
            not_before: NOW,
            not_after: NOW.plus(Duration::days(30)),
        };
        let old = self.ca.issue(&order).unwrap().swap_remove(0);
        assert!(CertificateFacts::read(&old).is_ok());
        old
    }

    /// Where the spool stands for the server.
    pub(crate) fn forget_spool(&mut self, acknowledged: SpoolPosition) {
        self.acknowledged = acknowledged;
    }
}
