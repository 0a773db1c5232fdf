//! A deployment in memory and a file: core, database, authorities, one vendor, one operator, one clinic.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use inkan_core::enrolment::{Enrolled, Enrolment, JoinTokenOrder};
use inkan_core::operators::NewPerson;
use inkan_core::ports::{
    Authorities, AuthorityError, Database, Entropy, HostSession, IdentityAuthority, IdentityOrder, Sealer,
    VerifiedIdentity,
};
use inkan_core::{AgentRefusal, Core, Parts, Settings};
use inkan_db::{SqliteDatabase, SqliteOptions};
use inkan_issuance::identity_ca::{AgentCa, verify_identity};
use inkan_issuance::key::SoftwareKey;
use inkan_issuance::private_ca::{CertificationAuthority, Order, PrivateCa};
use inkan_issuance::request::build_request;
use inkan_model::clinic::ClinicProfile;
use inkan_model::directive::{Directives, Generation};
use inkan_model::host::HostFacts;
use inkan_model::identity::{AgentIdentity, TrustDomain};
use inkan_model::join_token::JoinTokenSecret;
use inkan_model::locale::Locale;
use inkan_model::operator::{Operator, Role};
use inkan_model::renewal::{Outcome, OutcomeResult};
use inkan_model::store::{KeyPresence, Location, Scope, SetEntry, StoreKind, StoreSet};
use inkan_model::sync::{HostReport, LocationState, SpoolEntry, SyncAnswer, SyncReport, Told, state_digest};
use inkan_model::time::ManualClock;
use inkan_model::{Certificate, ClinicId, Clock, HostId, Timestamp, VendorId};
use time::Duration;

/// 2026-11-20T05:05:00Z, a Friday afternoon in Japan.
pub(crate) const BEGIN: Timestamp = Timestamp::from_unix_seconds(1_795_151_100);
pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Subject `C=JP, O=ReceiptOnline, OU=medical, OU=hokkaido, CN=0110119153`, each attribute in an RDN of its own.
pub(crate) fn subject() -> Vec<u8> {
    let attribute = |oid: u8, tag: u8, value: &str| {
        let length = |n: usize| u8::try_from(n).unwrap();
        let inner = [&[6, 3, 0x55, 4, oid, tag, length(value.len())], value.as_bytes()].concat();
        let sequence = [&[0x30, length(inner.len())], inner.as_slice()].concat();
        [&[0x31, length(sequence.len())], sequence.as_slice()].concat()
    };
    let name = [
        attribute(6, 0x13, "JP"),
        attribute(10, 0x0c, "ReceiptOnline"),
        attribute(11, 0x0c, "medical"),
        attribute(11, 0x0c, "hokkaido"),
        attribute(3, 0x0c, "0110119153"),
    ]
    .concat();
    [&[0x30, u8::try_from(name.len()).unwrap()], name.as_slice()].concat()
}

struct RingEntropy;

impl Entropy for RingEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), bytes).unwrap();
    }
}

struct OneAuthority(Arc<PrivateCa>);

impl Authorities for OneAuthority {
    fn private_ca(&self, _vendor: VendorId) -> Result<Arc<dyn CertificationAuthority>, AuthorityError> {
        Ok(Arc::clone(&self.0) as Arc<dyn CertificationAuthority>)
    }
}

struct Identities(AgentCa);

impl IdentityAuthority for Identities {
    fn issue_identity(&self, order: &IdentityOrder) -> Result<Vec<Vec<u8>>, AuthorityError> {
        let deployment: TrustDomain = "fleet.test".parse().unwrap();
        let identity = AgentIdentity { deployment, vendor: order.vendor, host: order.host };
        let IdentityOrder { spki, serial, not_before, not_after, .. } = order;
        let leaf = self.0.issue_agent(&identity, spki, *serial, *not_before, *not_after);
        let leaf = leaf.map_err(|cause| AuthorityError { step: "issue an identity", cause: Box::new(cause) })?;
        Ok(vec![leaf, self.0.certificate().to_vec()])
    }

    fn verify_identity(&self, leaf: &[u8]) -> Result<VerifiedIdentity, AuthorityError> {
        let found = verify_identity(leaf, self.0.certificate());
        let found = found.map_err(|cause| AuthorityError { step: "verify an identity", cause: Box::new(cause) })?;
        let AgentIdentity { vendor, host, .. } = found.identity;
        let (serial, spki, not_after) = (found.serial, found.spki_der, found.not_after);
        Ok(VerifiedIdentity { vendor, host, serial, spki, not_after })
    }
}

/// Seals by turning bytes over; enough to see that what is stored is not what was given.
struct Turning;

impl Sealer for Turning {
    fn seal(&self, label: &str, secret: &[u8], _nonce: [u8; 12]) -> Vec<u8> {
        [label.as_bytes(), &secret.iter().map(|byte| !byte).collect::<Vec<_>>()].concat()
    }

    fn open(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        Some(sealed.strip_prefix(label.as_bytes())?.iter().map(|byte| !byte).collect())
    }
}

/// The deployment.
pub(crate) struct Stage {
    pub(crate) core: Core,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) db: Arc<dyn Database>,
    pub(crate) ca: Arc<PrivateCa>,
    pub(crate) operator: Operator,
    pub(crate) clinic: ClinicId,
    _folder: tempfile::TempDir,
}

pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const SEED: [u8; 20] = [7; 20];

impl Stage {
    pub(crate) async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db: Arc<dyn Database> =
            SqliteDatabase::open(&folder.path().join("inkan.db"), SqliteOptions::new(Arc::new(RingEntropy)))
                .await
                .unwrap();
        let clock = Arc::new(ManualClock::new(BEGIN));
        let ca = Arc::new(PrivateCa::create("Test private CA", [1; 16], BEGIN, Duration::days(3_650)).unwrap());
        let deployment = "fleet.test".parse().unwrap();
        let identities = AgentCa::create(&deployment, [2; 16], BEGIN, Duration::days(3_650)).unwrap();
        let core = Core::new(Parts {
            db: Arc::clone(&db),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Arc::new(RingEntropy),
            authorities: Arc::new(OneAuthority(Arc::clone(&ca))),
            identity_authority: Arc::new(Identities(identities)),
            sealer: Arc::new(Turning),
            settings: Settings::default(),
        });
        let vendor = core.create_vendor("北陸メディカルIT").await.unwrap();
        let operator = core.create_operator_of(vendor.id, person("hanako@vendor.test")).await.unwrap();
        let clinic = save_clinic(&core, &operator, "1710119153").await;
        Self { core, clock, db, ca, operator, clinic, _folder: folder }
    }

    pub(crate) async fn token(&self, uses: u32) -> JoinTokenSecret {
        let order = JoinTokenOrder { clinic: self.clinic, uses, lifetime: Duration::hours(4), approve: true };
        self.core.create_join_token(&self.operator, order).await.unwrap().1
    }

    pub(crate) async fn enrolled(&self) -> Agent<'_> {
        let token = self.token(1).await;
        let key = SoftwareKey::generate().unwrap();
        let enrolled = self.enroll(&token, &key).await.unwrap();
        Agent { stage: self, key, enrolled, entries: Vec::new(), generation: Generation(0) }
    }

    pub(crate) async fn enroll(&self, token: &JoinTokenSecret, key: &SoftwareKey) -> Result<Enrolled, AgentRefusal> {
        let enrolment = Enrolment {
            token: token.clone(),
            csr: build_request(&subject(), key).unwrap(),
            facts: facts(),
            machine_binding: [9; 32],
            source: HERE,
        };
        self.core.enroll(enrolment).await
    }

    /// A client certificate of the vendor's CA that ends `days` from now.
    pub(crate) fn certificate(&self, days: i64) -> Certificate {
        let order = Order {
            subject_der: subject(),
            spki_der: SoftwareKey::generate().unwrap().spki(),
            serial: [3; 16],
            not_before: self.core.now().minus(Duration::days(700)),
            not_after: self.core.now().plus(Duration::days(days)),
        };
        Certificate::read(self.ca.issue(&order).unwrap().remove(0))
    }

    pub(crate) fn ca_certificate(&self) -> Certificate {
        Certificate::read(self.ca.certificate().to_vec())
    }
}

pub(crate) fn person(mail: &str) -> NewPerson {
    NewPerson {
        mail: mail.to_owned(),
        name: "見本 花子".to_owned(),
        password: PASSWORD.to_owned().into(),
        totp_seed: SEED.to_vec(),
        role: Role::Owner,
        locale: Locale::Ja,
    }
}

pub(crate) async fn save_clinic(core: &Core, operator: &Operator, number: &str) -> ClinicId {
    let profile = ClinicProfile::parse(number, "さくら内科クリニック", "medical", "ishikawa", "", "", "").unwrap();
    core.save_clinic(operator, profile).await.unwrap().id
}

pub(crate) fn facts() -> HostFacts {
    HostFacts { host_name: "SAKURA-01".to_owned(), os: "Debian".to_owned(), ..HostFacts::default() }
}

pub(crate) fn certs_location() -> Location {
    Location { kind: StoreKind::Directory, scope: Scope::Machine, path: "/clinic/certs".to_owned() }
}

pub(crate) fn trust_location() -> Location {
    Location { kind: StoreKind::SystemTrust, scope: Scope::Machine, path: "/etc/ssl/bundle.pem".to_owned() }
}

/// What a store holds: certificates, each with or without its key.
pub(crate) fn set(held: &[(&Certificate, KeyPresence)]) -> StoreSet {
    let entry =
        |(certificate, key): &(&Certificate, KeyPresence)| SetEntry::certificate(certificate.fingerprint, *key, None);
    StoreSet::new(held.iter().map(entry).collect())
}

/// An agent played by the test.
pub(crate) struct Agent<'s> {
    pub(crate) stage: &'s Stage,
    pub(crate) key: SoftwareKey,
    pub(crate) enrolled: Enrolled,
    pub(crate) entries: Vec<SpoolEntry>,
    pub(crate) generation: Generation,
}

impl Agent<'_> {
    pub(crate) fn host(&self) -> HostId {
        self.enrolled.host
    }

    pub(crate) async fn session(&self) -> HostSession {
        self.stage.db.find_session(self.host()).await.unwrap().unwrap()
    }

    pub(crate) fn report(locations: &[(Location, &StoreSet)]) -> HostReport {
        let state = |(location, set): &(Location, &StoreSet)| LocationState {
            location: location.clone(),
            set: set.digest(),
            errors: Vec::new(),
        };
        HostReport { facts: facts(), locations: locations.iter().map(state).collect() }
    }

    pub(crate) async fn sync(&self, report: &HostReport, send: bool) -> Result<SyncAnswer, AgentRefusal> {
        let message = SyncReport {
            epoch: 1,
            entries: self.entries.clone(),
            state: state_digest(report),
            report: send.then(|| report.clone()),
            generation: self.generation,
            clock: self.stage.core.now(),
        };
        self.stage.core.sync(self.host(), &self.session().await, message).await
    }

    /// Reports until the server has everything, as a real agent does.
    pub(crate) async fn report_all(
        &mut self,
        locations: &[(Location, &StoreSet)],
        certificates: &[Certificate],
    ) -> SyncAnswer {
        let report = Self::report(locations);
        let sets: Vec<_> = locations.iter().map(|(_, set)| (set.digest(), (*set).clone())).collect();
        let contents = inkan_core::intake::Contents { certificates: certificates.to_vec(), sets, deltas: Vec::new() };
        let answer = self.sync(&report, true).await.unwrap();
        if answer.lacks.is_nothing() {
            return answer;
        }
        assert!(self.stage.core.take_contents(contents).await.unwrap().is_nothing());
        let answer = self.sync(&report, true).await.unwrap();
        assert!(answer.lacks.is_nothing());
        answer
    }

    /// Says what came of a directive, and takes the next directives.
    pub(crate) async fn say(&mut self, report: &HostReport, outcome: Outcome) -> Option<Directives> {
        let sequence = self.session().await.spool.sequence + 1;
        self.entries = vec![SpoolEntry { sequence, at: self.stage.core.now(), told: Told::Renewal(outcome) }];
        let answer = self.sync(report, false).await.unwrap();
        assert_eq!(answer.acknowledged.sequence, sequence);
        if let Some(directives) = &answer.directives {
            self.generation = directives.generation;
        }
        answer.directives
    }

    pub(crate) fn outcome(directives: &Directives, result: OutcomeResult) -> Outcome {
        Outcome { renewal: directives.renewals[0].renewal, result }
    }
}
