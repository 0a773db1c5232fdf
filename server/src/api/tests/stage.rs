//! A deployment in a temporary folder with two vendors, and a caller for each. Ours has a clinic, a PC with a certificate
//! that ends soon, and a renewal under way; theirs has nothing.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use inkan_core::operators::NewPerson;
use inkan_core::ports::{
    Authorities, AuthorityError, Database, Entropy, IdentityAuthority, IdentityOrder, NewEnrolment, NewIdentity,
    Sealer, VerifiedIdentity,
};
use inkan_core::{Core, Parts, Settings, totp};
use inkan_db::{SqliteDatabase, SqliteOptions};
use inkan_issuance::key::SoftwareKey;
use inkan_issuance::private_ca::{CertificationAuthority, Order, PrivateCa};
use inkan_model::host::{HostFacts, HostState};
use inkan_model::join_token::JoinTokenSecret;
use inkan_model::locale::Locale;
use inkan_model::operator::{Operator, Role};
use inkan_model::store::{KeyPresence, Location, Scope, SetEntry, StoreKind, StoreSet};
use inkan_model::sync::{HostReport, LocationState, state_digest};
use inkan_model::time::ManualClock;
use inkan_model::{Certificate, Clock, Fingerprint, HostId, Timestamp, VendorId};
use serde_json::{Value, json};
use time::Duration;
use tower::ServiceExt as _;

/// 2026-11-20T05:05:00Z, a Friday afternoon in Japan.
pub(super) const BEGIN: Timestamp = Timestamp::from_unix_seconds(1_795_151_100);
pub(super) const PASSWORD: &str = "correct horse battery staple";
pub(super) const CLINIC_CODE: &str = "1710119153";
pub(super) const CLINIC_NAME: &str = "さくら内科クリニック";
pub(super) const HOST_NAME: &str = "SAKURA-01";
const SEED: [u8; 20] = [7; 20];
/// Subject `CN=0110119153`.
const SUBJECT: &[u8] = b"\x30\x15\x31\x13\x30\x11\x06\x03\x55\x04\x03\x0c\x0a0110119153";

struct RingEntropy;

impl Entropy for RingEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), bytes).unwrap();
    }
}

struct OneAuthority(Arc<PrivateCa>);

impl Authorities for OneAuthority {
    fn private_ca(&self, _: VendorId) -> Result<Arc<dyn CertificationAuthority>, AuthorityError> {
        Ok(Arc::clone(&self.0) as Arc<dyn CertificationAuthority>)
    }
}

/// Nobody enrols over the wire here.
struct NoIdentities;

impl IdentityAuthority for NoIdentities {
    fn issue_identity(&self, _: &IdentityOrder) -> Result<Vec<Vec<u8>>, AuthorityError> {
        Err(AuthorityError { step: "issue", cause: "no agents here".into() })
    }

    fn verify_identity(&self, _: &[u8]) -> Result<VerifiedIdentity, AuthorityError> {
        Err(AuthorityError { step: "verify", cause: "no agents here".into() })
    }
}

/// Seals by turning bytes over; enough to see that what is stored is not what was given.
struct Turning;

impl Sealer for Turning {
    fn seal(&self, label: &str, secret: &[u8], _: [u8; 12]) -> Vec<u8> {
        [label.as_bytes(), &secret.iter().map(|byte| !byte).collect::<Vec<_>>()].concat()
    }

    fn open(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        Some(sealed.strip_prefix(label.as_bytes())?.iter().map(|byte| !byte).collect())
    }
}

/// The deployment.
pub(super) struct Stage {
    pub(super) core: Core,
    pub(super) clock: Arc<ManualClock>,
    pub(super) ours: Caller,
    pub(super) theirs: Caller,
    pub(super) clinic: String,
    pub(super) host: HostId,
    pub(super) certificate: Fingerprint,
    pub(super) renewal: String,
    pub(super) join_token: String,
    /// The secret of that join token.
    pub(super) secret: String,
    _folder: tempfile::TempDir,
}

/// Somebody who calls the API.
#[derive(Clone)]
pub(super) struct Caller {
    router: Router,
    token: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Caller {
    pub(super) async fn send(&self, mut request: Request<Body>) -> Answer {
        if let Some(token) = &self.token {
            request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(format!("/api/v1{path}")).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.send(Request::delete(format!("/api/v1{path}")).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(json_request(path, body)).await
    }

    pub(super) async fn post_with_key(&self, key: &str, path: &str, body: &Value) -> Answer {
        let mut request = json_request(path, body);
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        self.send(request).await
    }

    pub(super) fn with_token(&self, token: Option<String>) -> Self {
        Self { token, ..self.clone() }
    }

    pub(super) fn nobody(&self) -> Self {
        self.with_token(None)
    }
}

fn json_request(path: &str, body: &Value) -> Request<Body> {
    let request = Request::builder().method(Method::POST).uri(format!("/api/v1{path}"));
    request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).unwrap()
}

impl Stage {
    pub(super) async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new(Arc::new(RingEntropy));
        let db: Arc<dyn Database> = SqliteDatabase::open(&folder.path().join("inkan.db"), options).await.unwrap();
        let clock = Arc::new(ManualClock::new(BEGIN));
        let ca = Arc::new(PrivateCa::create("Test private CA", [1; 16], BEGIN, Duration::days(3_650)).unwrap());
        let core = Core::new(Parts {
            db: Arc::clone(&db),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Arc::new(RingEntropy),
            authorities: Arc::new(OneAuthority(Arc::clone(&ca))),
            identity_authority: Arc::new(NoIdentities),
            sealer: Arc::new(Turning),
            settings: Settings::default(),
        });
        let router = super::super::router(core.clone());
        let (our_owner, ours) = signed_in(&core, &router, "hanako@ours.test").await;
        let (_, theirs) = signed_in(&core, &router, "taro@theirs.test").await;

        let clinic = json!({
            "code": CLINIC_CODE, "name": CLINIC_NAME, "kind": "medical", "prefecture": "石川", "phone": "076-000-0000",
        });
        let clinic = id_of(&ours.post("/clinics", &clinic).await);
        let made = ours.post("/join-tokens", &json!({ "clinic_code": CLINIC_CODE, "uses": 2, "approve": true })).await;
        let (join_token, secret) = (id_of(&made), made.json()["token"].as_str().unwrap().to_owned());
        let certificate = certificate_of(&ca, 12);
        let host = enrolled(db.as_ref(), &secret, &certificate).await;
        // Reviews the host, so that its findings are there.
        core.set_host_state(&our_owner, host, HostState::Active).await.unwrap();
        let order = json!({ "host": host, "certificate": certificate.fingerprint, "reason": "あと12日" });
        let renewal = id_of(&ours.post("/renewals", &order).await);
        let certificate = certificate.fingerprint;
        Self { core, clock, ours, theirs, clinic, host, certificate, renewal, join_token, secret, _folder: folder }
    }
}

pub(super) fn id_of(answer: &Answer) -> String {
    assert!(answer.status.is_success(), "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn signed_in(core: &Core, router: &Router, mail: &str) -> (Operator, Caller) {
    let vendor = core.create_vendor(mail).await.unwrap();
    let person = NewPerson {
        mail: mail.to_owned(),
        name: "見本".to_owned(),
        password: PASSWORD.to_owned().into(),
        totp_seed: SEED.to_vec(),
        role: Role::Owner,
        locale: Locale::Ja,
    };
    let operator = core.create_operator_of(vendor.id, person).await.unwrap();
    let nobody = Caller { router: router.clone(), token: None };
    let answer = nobody.post("/sessions", &credentials(mail, core.now())).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    (operator, Caller { token: Some(token), ..nobody })
}

pub(super) fn credentials(mail: &str, now: Timestamp) -> Value {
    json!({ "mail": mail, "password": PASSWORD, "code": totp::code_of(&SEED, totp::step_at(now)) })
}

fn certificate_of(ca: &PrivateCa, days: i64) -> Certificate {
    let order = Order {
        subject_der: SUBJECT.to_vec(),
        spki_der: SoftwareKey::generate().unwrap().spki(),
        serial: [3; 16],
        not_before: BEGIN.minus(Duration::days(700)),
        not_after: BEGIN.plus(Duration::days(days)),
    };
    Certificate::read(ca.issue(&order).unwrap().remove(0))
}

/// A PC that joined with the token and has reported a directory with the certificate and its key.
async fn enrolled(db: &dyn Database, secret: &str, certificate: &Certificate) -> HostId {
    let host = HostId::new(BEGIN, [9; 10]);
    let facts = HostFacts { host_name: HOST_NAME.to_owned(), os: "Debian".to_owned(), ..HostFacts::default() };
    let enrolment = NewEnrolment {
        token_hash: secret.parse::<JoinTokenSecret>().unwrap().hash(),
        host,
        spki_sha256: [4; 32],
        machine_binding: [5; 32],
        facts: facts.clone(),
        identity: NewIdentity {
            serial: [6; 16],
            chain: vec![vec![0x30]],
            issued_at: BEGIN,
            not_after: BEGIN.plus(Duration::days(30)),
        },
        source: std::net::Ipv4Addr::LOCALHOST.into(),
    };
    db.record_enrolment(&enrolment).await.unwrap();
    let set = StoreSet::new(vec![SetEntry::certificate(
        certificate.fingerprint,
        KeyPresence::Present,
        Some("clinic.pem".to_owned()),
    )]);
    let digest = set.digest();
    assert!(db.record_contents(std::slice::from_ref(certificate), &[(digest, set)]).await.unwrap().is_empty());
    let location = Location { kind: StoreKind::Directory, scope: Scope::Machine, path: "/clinic/certs".to_owned() };
    let report = HostReport { facts, locations: vec![LocationState { location, set: digest, errors: Vec::new() }] };
    db.record_report(host, &report, state_digest(&report), BEGIN).await.unwrap();
    host
}
