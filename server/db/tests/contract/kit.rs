//! What the suite is played with: a stage with a fresh database, and short ways to fill it.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use inkan_core::ports::{
    Cursor, Database, DbResult, EnrolmentRecord, Entropy, NewClinic, NewEnrolment, NewIdentity, Page, PageRequest,
    Presence,
};
use inkan_model::clinic::ClinicProfile;
use inkan_model::finding::{Detail, Diagnosis, Subject, Urgency};
use inkan_model::host::HostFacts;
use inkan_model::id::Kind;
use inkan_model::join_token::JoinToken;
use inkan_model::operator::Vendor;
use inkan_model::renewal::{Renewal, RenewalState, Requester};
use inkan_model::store::{KeyPresence, Location, Scope, SetEntry, StoreKind, StoreSet};
use inkan_model::sync::{HostReport, LocationState, state_digest};
use inkan_model::{Certificate, ClinicId, Fingerprint, HostId, Id, Timestamp, VendorId};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use time::{Duration, OffsetDateTime};

pub(crate) const MINUTE: Duration = Duration::MINUTE;
pub(crate) const DAY: Duration = Duration::DAY;

/// 2026-11-20, noon in Japan.
pub(crate) fn noon() -> Timestamp {
    Timestamp::from_unix_seconds(1_795_143_600)
}

/// Counts instead of rolling dice.
#[derive(Default)]
pub(crate) struct Counting(AtomicU32);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let count = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        bytes
            .iter_mut()
            .rev()
            .zip(count.into_iter().rev().chain(std::iter::repeat(0)))
            .for_each(|(to, from)| *to = from);
    }
}

static MADE: AtomicU32 = AtomicU32::new(0);

/// A new identifier; each sorts after those made before.
pub(crate) fn new_id<K: Kind>() -> Id<K> {
    let made = MADE.fetch_add(1, Ordering::Relaxed);
    Id::new(noon().plus(Duration::milliseconds(i64::from(made))), [7; 10])
}

/// A fresh database, with what keeps it alive.
pub(crate) struct Stage {
    pub(crate) db: Arc<dyn Database>,
    /// Dropped with the stage: a folder, a cluster.
    pub(crate) keep: Box<dyn Any + Send>,
}

/// A host, and where it belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) vendor: VendorId,
    pub(crate) clinic: ClinicId,
    pub(crate) host: HostId,
}

impl Stage {
    pub(crate) async fn vendor(&self) -> VendorId {
        let vendor = Vendor { id: new_id(), name: "ベンダー".to_owned() };
        self.db.create_vendor(&vendor, noon()).await.unwrap();
        vendor.id
    }

    pub(crate) async fn clinic(&self, vendor: VendorId, code: &str, name: &str) -> ClinicId {
        let id = new_id();
        let new = [NewClinic { id, profile: profile(code, name, "石川") }];
        assert_eq!(self.db.record_clinics(vendor, &new, noon()).await.unwrap().created, 1);
        id
    }

    /// A host that gets directives.
    pub(crate) async fn host(&self, vendor: VendorId, clinic: ClinicId, name: &str) -> Member {
        let token = token(vendor, clinic);
        let enrolment = enrolment(name);
        let hash = enrolment.token_hash;
        self.db.create_join_token(&token, hash).await.unwrap();
        let EnrolmentRecord::Enrolled { host, .. } = self.db.record_enrolment(&enrolment).await.unwrap() else {
            panic!("not enrolled");
        };
        Member { vendor, clinic, host }
    }

    /// A vendor with one clinic and one host.
    pub(crate) async fn member(&self) -> Member {
        let vendor = self.vendor().await;
        let clinic = self.clinic(vendor, "1710119153", "さくら内科").await;
        self.host(vendor, clinic, "UKETSUKE-1").await
    }

    /// Stores what the report names, then the report.
    pub(crate) async fn report(&self, member: Member, name: &str, stores: &[Store], now: Timestamp) {
        let report = self.prepare(name, stores).await;
        self.db.record_report(member.host, &report, state_digest(&report), now).await.unwrap();
    }

    /// Stores the contents that a report of these stores names.
    pub(crate) async fn prepare(&self, name: &str, stores: &[Store]) -> HostReport {
        let mut certificates: Vec<_> = stores.iter().flat_map(|store| &store.held).map(|held| held.0.clone()).collect();
        certificates.dedup_by_key(|certificate| certificate.fingerprint);
        let sets: Vec<_> = stores.iter().map(|store| (store.set().digest(), store.set())).collect();
        assert_eq!(self.db.record_contents(&certificates, &sets).await.unwrap(), []);
        report_of(name, stores)
    }

    pub(crate) async fn seen(&self, host: HostId, at: Timestamp) {
        self.db.record_presence(&[Presence { host, at, clock_offset_ms: 0 }]).await.unwrap();
    }
}

pub(crate) fn profile(code: &str, name: &str, prefecture: &str) -> ClinicProfile {
    ClinicProfile::parse(code, name, "医科", prefecture, "", "076-000-0000", "").unwrap()
}

pub(crate) fn token(vendor: VendorId, clinic: ClinicId) -> JoinToken {
    JoinToken {
        id: new_id(),
        vendor,
        clinic,
        created_by: new_id(),
        created_at: noon(),
        expires_at: noon().plus(Duration::HOUR),
        uses: 1,
        used_by: Vec::new(),
        approve: true,
        revoked_at: None,
    }
}

/// An enrolment with a token and a key of its own.
pub(crate) fn enrolment(name: &str) -> NewEnrolment {
    let host: HostId = new_id();
    let digest = |label: &str| *Fingerprint::of(format!("{label} {host}").as_bytes()).as_bytes();
    NewEnrolment {
        token_hash: digest("token"),
        host,
        spki_sha256: digest("key"),
        machine_binding: digest("machine"),
        facts: facts(name),
        identity: identity(1, noon()),
        source: std::net::IpAddr::from([192, 0, 2, 1]),
    }
}

pub(crate) fn identity(serial: u8, at: Timestamp) -> NewIdentity {
    NewIdentity {
        serial: [serial; 16],
        chain: vec![vec![serial; 40], vec![9; 30]],
        issued_at: at,
        not_after: at.plus(30 * DAY),
    }
}

pub(crate) fn facts(name: &str) -> HostFacts {
    HostFacts {
        host_name: name.to_owned(),
        os: "Windows 11".to_owned(),
        agent_version: "0.1.0".to_owned(),
        ..HostFacts::default()
    }
}

/// One store of a host.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) path: String,
    pub(crate) held: Vec<(Certificate, KeyPresence)>,
}

impl Store {
    pub(crate) fn new(path: &str, held: &[(&Certificate, KeyPresence)]) -> Self {
        Self { path: path.to_owned(), held: held.iter().map(|(one, key)| ((*one).clone(), *key)).collect() }
    }

    pub(crate) fn set(&self) -> StoreSet {
        let entry = |(certificate, key): &(Certificate, KeyPresence)| {
            SetEntry::certificate(certificate.fingerprint, *key, None)
        };
        StoreSet::new(self.held.iter().map(entry).collect())
    }

    pub(crate) fn location(&self) -> Location {
        location(&self.path)
    }
}

pub(crate) fn location(path: &str) -> Location {
    Location { kind: StoreKind::WindowsStore, scope: Scope::Machine, path: path.to_owned() }
}

pub(crate) fn report_of(name: &str, stores: &[Store]) -> HostReport {
    let state =
        |store: &Store| LocationState { location: store.location(), set: store.set().digest(), errors: Vec::new() };
    HostReport { facts: facts(name), locations: stores.iter().map(state).collect() }
}

/// A certification authority.
pub(crate) struct Authority {
    pub(crate) certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = params(name, true, noon().plus(3_650 * DAY));
        let certificate = Certificate::read(params.self_signed(&key).unwrap().der().to_vec());
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn below(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = params(name, true, noon().plus(3_000 * DAY));
        let certificate = Certificate::read(params.signed_by(&key, &self.issuer).unwrap().der().to_vec());
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// Somebody's own certificate.
    pub(crate) fn leaf(&self, name: &str, not_after: Timestamp) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let certificate = params(name, false, not_after).signed_by(&key, &self.issuer).unwrap();
        Certificate::read(certificate.der().to_vec())
    }
}

fn params(name: &str, ca: bool, not_after: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = moment(noon().minus(800 * DAY));
    params.not_after = moment(not_after);
    params.use_authority_key_identifier_extension = true;
    if ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    } else {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    }
    params
}

fn moment(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at.as_unix_seconds()).unwrap()
}

pub(crate) fn expiring(certificate: &Certificate, urgency: Urgency) -> Diagnosis {
    let facts = certificate.facts.as_ref().unwrap();
    Diagnosis {
        subject: Subject::CertificateExpiring { certificate: certificate.fingerprint, location: location("MY") },
        urgency,
        detail: Detail::Expiry { name: facts.common_name.clone(), not_after: facts.not_after, stage: 30 },
    }
}

pub(crate) fn silent(urgency: Urgency) -> Diagnosis {
    Diagnosis { subject: Subject::HostSilent, urgency, detail: Detail::Silence { last_seen: noon(), stage: 7 } }
}

pub(crate) fn clock_wrong(urgency: Urgency) -> Diagnosis {
    Diagnosis { subject: Subject::ClockWrong, urgency, detail: Detail::ClockOffset { seconds: 900 } }
}

/// A renewal of a certificate in the store `MY`, planned for now.
pub(crate) fn renewal(member: Member, old: &Certificate, at: Timestamp) -> Renewal {
    Renewal {
        id: new_id(),
        vendor: member.vendor,
        host: member.host,
        location: location("MY"),
        old: old.fingerprint,
        requested_by: Requester::Operator(new_id()),
        reason: Some("期限が近い".to_owned()),
        created_at: at,
        failures: 0,
        state: RenewalState::Planned { not_before: at },
    }
}

/// All items of a list, by pages of `limit`.
pub(crate) async fn all_pages<T, F>(limit: u16, mut list: impl FnMut(PageRequest) -> F) -> Vec<T>
where
    F: Future<Output = DbResult<Page<T>>>,
{
    let mut items = Vec::new();
    let mut after: Option<Cursor> = None;
    loop {
        let page = list(PageRequest { after, limit }).await.unwrap();
        assert!(page.items.len() <= usize::from(limit));
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return items;
        }
    }
}
