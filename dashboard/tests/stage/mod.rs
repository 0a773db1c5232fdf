//! A deployment in a temporary folder: the core on SQLite with a clock of its own, authorities, a vendor and an owner.
//! Used by the tests of the pages and by the preview.

pub(crate) mod agent;
pub(crate) mod fleet;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use inkan_core::operators::{LogIn, NewPerson};
use inkan_core::ports::{
    Authorities, AuthorityError, Database, Entropy, IdentityAuthority, IdentityOrder, Sealer, SessionKind,
    VerifiedIdentity,
};
use inkan_core::tasks::Task;
use inkan_core::{Core, Parts, Settings, totp};
use inkan_db::{SqliteDatabase, SqliteOptions};
use inkan_issuance::identity_ca::AgentCa;
use inkan_issuance::private_ca::{CertificationAuthority, PrivateCa};
use inkan_model::identity::{AgentIdentity, TrustDomain};
use inkan_model::locale::Locale;
use inkan_model::operator::{Operator, Role};
use inkan_model::time::ManualClock;
use inkan_model::{Clock, Timestamp, VendorId};
use time::Duration;
use tokio::time::Instant;

/// 2026-11-20T05:05:00Z: five past two on a Friday afternoon in Japan.
pub(crate) const BEGIN: Timestamp = Timestamp::from_unix_seconds(1_795_151_100);
pub(crate) const MAIL: &str = "hanako@hokuriku.example";
pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const SEED: [u8; 20] = [7; 20];

/// Stands still, and can be told to move, or to run.
pub(crate) struct StageClock {
    manual: ManualClock,
    started: Instant,
    running: AtomicBool,
}

impl StageClock {
    pub(crate) fn advance(&self, span: Duration) {
        self.manual.advance(span);
    }

    pub(crate) fn run(&self) {
        self.running.store(true, Ordering::Relaxed);
    }
}

impl Clock for StageClock {
    fn now(&self) -> Timestamp {
        let run = if self.running.load(Ordering::Relaxed) { self.started.elapsed() } else { std::time::Duration::ZERO };
        self.manual.now().plus(run.try_into().unwrap_or(Duration::ZERO))
    }
}

pub(crate) struct RingEntropy;

impl Entropy for RingEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), bytes).expect("chance is there");
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
        let deployment: TrustDomain = "fleet.test".parse().expect("a name");
        let identity = AgentIdentity { deployment, vendor: order.vendor, host: order.host };
        let IdentityOrder { spki, serial, not_before, not_after, .. } = order;
        let leaf = self.0.issue_agent(&identity, spki, *serial, *not_before, *not_after);
        let leaf = leaf.map_err(|cause| AuthorityError { step: "issue an identity", cause: Box::new(cause) })?;
        Ok(vec![leaf, self.0.certificate().to_vec()])
    }

    /// Nobody comes with a certificate here.
    fn verify_identity(&self, _leaf: &[u8]) -> Result<VerifiedIdentity, AuthorityError> {
        Err(AuthorityError { step: "verify an identity", cause: "not on this stage".into() })
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
    pub(crate) clock: Arc<StageClock>,
    pub(crate) db: Arc<dyn Database>,
    /// The vendor's own CA, which the core can ask.
    pub(crate) ca: Arc<PrivateCa>,
    folder: tempfile::TempDir,
}

impl Stage {
    /// Nobody has set it up yet.
    pub(crate) async fn bare(begin: Timestamp) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = SqliteOptions::new(Arc::new(RingEntropy));
        let db: Arc<dyn Database> =
            SqliteDatabase::open(&folder.path().join("inkan.db"), options).await.expect("a database");
        let manual = ManualClock::new(begin);
        let clock = Arc::new(StageClock { manual, started: Instant::now(), running: AtomicBool::new(false) });
        let long = Duration::days(3_650);
        let ca = PrivateCa::create("北陸メディカルIT 認証局 G1", [1; 16], begin, long).expect("an authority");
        let ca = Arc::new(ca);
        let deployment = "fleet.test".parse().expect("a name");
        let identities = AgentCa::create(&deployment, [2; 16], begin, long).expect("an authority");
        let core = Core::new(Parts {
            db: Arc::clone(&db),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Arc::new(RingEntropy),
            authorities: Arc::new(OneAuthority(Arc::clone(&ca))),
            identity_authority: Arc::new(Identities(identities)),
            sealer: Arc::new(Turning),
            settings: Settings::default(),
        });
        Self { core, clock, db, ca, folder }
    }

    /// A vendor with an owner.
    pub(crate) async fn staffed(begin: Timestamp) -> (Self, Operator) {
        let stage = Self::bare(begin).await;
        let vendor = stage.core.create_vendor("北陸メディカルIT").await.expect("a vendor");
        let operator = stage.core.create_operator_of(vendor.id, owner(MAIL)).await.expect("an operator");
        (stage, operator)
    }

    /// The secret of a session of this operator.
    pub(crate) async fn log_in(&self, mail: &str) -> String {
        // A code works once; another session needs the next one.
        self.clock.advance(Duration::seconds(30));
        let attempt = LogIn {
            mail: mail.to_owned(),
            password: PASSWORD.to_owned().into(),
            code: self.code(),
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let logged_in = self.core.log_in(attempt, SessionKind::Browser).await.expect("a log-in");
        logged_in.secret.reveal().to_owned()
    }

    /// What the authenticator app shows now.
    pub(crate) fn code(&self) -> String {
        totp::code_of(&SEED, totp::step_at(self.core.now()))
    }

    /// Runs the background tasks once.
    pub(crate) async fn run_tasks(&self) {
        for task in [Task::FlushPresence, Task::ReviewHosts, Task::AdvanceRenewals] {
            task.activate(&self.core).await.expect("a task");
        }
    }

    pub(crate) fn router(&self) -> axum::Router {
        self.router_with(false)
    }

    pub(crate) fn router_with(&self, secure_cookies: bool) -> axum::Router {
        inkan_dashboard::router(inkan_dashboard::Options {
            core: self.core.clone(),
            secure_cookies,
            enrolment_url: "https://inkan.example:8444".to_owned(),
            ca_pin: format!("sha256:{}", "5b".repeat(32)),
        })
    }
}

pub(crate) fn owner(mail: &str) -> NewPerson {
    NewPerson {
        mail: mail.to_owned(),
        name: "見本 花子".to_owned(),
        password: PASSWORD.to_owned().into(),
        totp_seed: SEED.to_vec(),
        role: Role::Owner,
        locale: Locale::Ja,
    }
}

/// Unpredictable bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    RingEntropy.fill(&mut bytes);
    // Serial numbers are positive and of full length.
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    bytes
}
