//! A sample fleet with a bit of everything: expired, expiring, silent, waiting, failing, unreadable, and mostly well.

use std::sync::Arc;

use inkan_core::clinics::ImportReport;
use inkan_core::ports::ClinicQuery;
use inkan_core::ports::PageRequest;
use inkan_core::renewals::RenewalOrder;
use inkan_issuance::private_ca::{CertificationAuthority, PrivateCa};
use inkan_model::host::HostFacts;
use inkan_model::operator::Operator;
use inkan_model::renewal::RenewalStep;
use inkan_model::store::{KeyPresence, Location, ReadError, ReadErrorKind, Scope, SetEntry, StoreKind};
use inkan_model::{Certificate, ClinicId, Fingerprint};
use time::Duration;

use super::agent::{PlayedAgent, PlayedStore, folder, folder_of, issue};
use super::{BEGIN, Stage};

/// Days before the present at which the fleet joined.
const AGE: i64 = 40;

const CLINICS: &str = "code,name,kind,prefecture,contact,phone,mail
1710119153,さくら内科クリニック,医科,石川,山田 和子,076-000-0001,
1630233001,山の手歯科医院,歯科,富山,佐藤 実,0766-00-0002,yamanote@clinic.example
1740110012,ひまわり薬局 小松店,薬局,石川,,0761-00-0003,
1810500034,みなと整形外科,医科,福井,港 太郎,0776-00-0004,
1710220045,能登中央病院,医科,石川,情報課,0767-00-0005,it@noto.example
1610110056,立山こどもクリニック,医科,富山,,076-000-0006,
1510330067,上越ファミリー歯科,歯科,新潟,,025-000-0007,
1740220078,あおば薬局,薬局,石川,青葉 翠,076-000-0008,
1710440089,金沢駅西訪問看護ステーション,訪問看護,石川,,076-000-0009,
1810110090,越前海岸診療所,医科,福井,,0778-00-0010,
2010110101,安曇野眼科,医科,長野,,0263-00-0011,
1710550112,加賀温泉皮フ科,医科,石川,,0761-00-0012,
";

/// One PC of the sample.
struct Cast {
    clinic: usize,
    name: &'static str,
    os: &'static str,
    /// Name and days left of its certificate from the vendor's CA.
    ours: Option<(&'static str, i64)>,
    /// The same of one from the common CA.
    theirs: Option<(&'static str, i64)>,
    /// Days since it was last heard of.
    silent: i64,
    approve: bool,
}

const fn cast(clinic: usize, name: &'static str, ours: Option<(&'static str, i64)>) -> Cast {
    Cast { clinic, name, os: "Debian GNU/Linux 12", ours, theirs: None, silent: 0, approve: true }
}

const STARS: [Cast; 12] = [
    Cast { theirs: Some(("0110119153", 86)), ..cast(0, "SAKURA-01", Some(("uketsuke-01.sakura", 411))) },
    cast(0, "SAKURA-02", Some(("shikaku-02.sakura", -1))),
    Cast { os: "Windows 11", theirs: Some(("1630233001", 3)), ..cast(1, "YAMANOTE-RECE", None) },
    cast(2, "HIMAWARI-1", Some(("rece-1.himawari", 5))),
    Cast { silent: 9, ..cast(3, "MINATO-RECE", Some(("rece.minato", 41))) },
    cast(4, "NOTO-01", Some(("gairai-01.noto", 12))),
    cast(4, "NOTO-02", Some(("byoto-02.noto", 26))),
    Cast { approve: false, ..cast(5, "TATEYAMA-01", Some(("rece.tateyama", 55))) },
    cast(6, "JOETSU-1", Some(("rece.joetsu", 20))),
    cast(7, "AOBA-2", Some(("rece-2.aoba", 29))),
    Cast { silent: 33, ..cast(8, "HOKAN-PC", Some(("hokan.ekinishi", 160))) },
    Cast { os: "Ubuntu 24.04", ..cast(9, "ECHIZEN-01", Some(("rece.echizen", 74))) },
];

/// Others that are well, so that lists have more than one part.
const CROWD: usize = 58;

/// The sample fleet, with the agents of its stars.
pub(crate) struct Fleet {
    pub(crate) stage: Stage,
    pub(crate) operator: Operator,
    pub(crate) agents: Vec<PlayedAgent>,
}

impl Fleet {
    /// Plays forty days.
    pub(crate) async fn play() -> Self {
        let (stage, operator) = Stage::staffed(BEGIN.minus(Duration::days(AGE))).await;
        let report = stage.core.import_clinics(&operator, CLINICS.as_bytes()).await.expect("an import");
        assert!(matches!(report, ImportReport::Stored(_)), "{report:?}");
        let clinics = clinics(&stage, &operator).await;
        let sets = Sets::make(&stage);
        let mut agents = Vec::new();
        for star in &STARS {
            let mut agent = join(&stage, &operator, clinics[star.clinic], star, &sets).await;
            agent.sync().await;
            agents.push(agent);
        }
        add_trouble(&mut agents, &sets);
        join_crowd(&stage, &operator, &clinics, &sets).await;
        let mut days = 0;
        for (at, star) in STARS.iter().enumerate().rev().filter(|(_, star)| star.silent > 0) {
            stage.clock.advance(Duration::days(AGE - star.silent - days));
            days = AGE - star.silent;
            agents[at].sync().await;
        }
        stage.clock.advance(Duration::days(AGE - days - 1));
        for (agent, _) in agents.iter_mut().zip(&STARS).filter(|(_, star)| star.silent == 0) {
            agent.renew_identity().await;
            agent.sync().await;
        }
        let mut fleet = Self { stage, operator, agents };
        fleet.fail_often().await;
        let Self { stage, operator, mut agents } = fleet;
        stage.clock.advance(BEGIN.since(stage.core.now()) - Duration::minutes(40));
        for (agent, _) in agents.iter_mut().zip(&STARS).filter(|(_, star)| star.silent == 0) {
            agent.sync().await;
        }
        stage.run_tasks().await;
        let mut fleet = Self { stage, operator, agents };
        fleet.renew_some().await;
        fleet.stage.clock.advance(Duration::minutes(38));
        for (at, _) in STARS.iter().enumerate().filter(|(_, star)| star.silent == 0) {
            fleet.agents[at].sync().await;
        }
        fleet.stage.run_tasks().await;
        fleet
    }

    /// The agent of a PC.
    pub(crate) fn agent(&self, name: &str) -> &PlayedAgent {
        self.agents.iter().find(|agent| agent.facts.host_name == name).expect("one of the stars")
    }

    /// The certificate of a star's vendor CA.
    pub(crate) fn certificate(&self, name: &str) -> Fingerprint {
        let agent = self.agent(name);
        let own = agent.certificates.iter().find(|one| one.facts.as_ref().is_ok_and(|facts| !facts.is_ca));
        own.expect("a certificate").fingerprint
    }

    async fn request(&self, name: &str, reason: Option<&str>) {
        let (host, certificate) = (self.agent(name).host, self.certificate(name));
        let order = RenewalOrder { host, certificate, reason: reason.map(str::to_owned) };
        self.stage.core.request_renewal(&self.operator, order).await.expect("a renewal");
    }

    /// The agent of a PC, to have it do something.
    pub(crate) fn agent_mut(&mut self, name: &str) -> &mut PlayedAgent {
        self.agents.iter_mut().find(|agent| agent.facts.host_name == name).expect("one of the stars")
    }

    /// One renewal done, one half-way, one failing, one that waits for a person.
    async fn renew_some(&mut self) {
        self.request("JOETSU-1", Some("期限が近い")).await;
        while self.agent_mut("JOETSU-1").step().await {
            self.stage.clock.advance(Duration::minutes(1));
        }
        self.request("NOTO-01", None).await;
        self.agent_mut("NOTO-01").step().await;
        self.agent_mut("NOTO-01").step().await;
        self.request("NOTO-02", None).await;
        let failing = self.agent_mut("NOTO-02");
        failing.failing = Some(RenewalStep::Install);
        failing.step().await;
        failing.step().await;
    }

    /// One renewal that fails until a person is asked.
    async fn fail_often(&mut self) {
        self.request("AOBA-2", None).await;
        self.agent_mut("AOBA-2").failing = Some(RenewalStep::Request);
        for _ in 0..8 {
            self.agent_mut("AOBA-2").step().await;
            self.stage.clock.advance(Duration::hours(2));
            self.stage.run_tasks().await;
        }
    }
}

/// Certificates and stores that many PCs share.
struct Sets {
    roots: Vec<Certificate>,
    common: PrivateCa,
    stranger: PrivateCa,
    ours: Arc<PrivateCa>,
}

impl Sets {
    fn make(stage: &Stage) -> Self {
        let begin = stage.core.now();
        let make = |name: &str, days: i64| {
            PrivateCa::create(name, super::random(), begin.minus(Duration::days(3_000)), Duration::days(3_000 + days))
                .expect("an authority")
        };
        let read = |ca: &PrivateCa| Certificate::read(ca.certificate().to_vec());
        let common = make("Online Billing NW Common Root CA - G1", 6_700);
        let mut roots: Vec<_> =
            (1..=64).map(|n| read(&make(&format!("Sample Public Root R{n}"), 300 + n * 110))).collect();
        roots.push(read(&make("Security Communication RootCA2", 940)));
        roots.push(read(&make("Security Communication RootCA1", -1_100)));
        roots.push(read(&common));
        roots.push(Certificate::read(stage.ca.certificate().to_vec()));
        let stranger = make("SECOM Passport for Member PUB CA1", 900);
        Self { roots, common, stranger, ours: Arc::clone(&stage.ca) }
    }

    fn system_trust(&self) -> PlayedStore {
        let path = "/etc/ssl/certs/ca-certificates.crt".to_owned();
        let location = Location { kind: StoreKind::SystemTrust, scope: Scope::Machine, path };
        let add = |store: PlayedStore, root| store.with(root, KeyPresence::NotExpected, None);
        self.roots.iter().fold(PlayedStore::new(location), add)
    }
}

async fn clinics(stage: &Stage, operator: &Operator) -> Vec<ClinicId> {
    let view = stage.core.view(operator).expect("a view");
    let page = view.clinics(&ClinicQuery::default(), &PageRequest::first(100)).await.expect("clinics");
    let wanted = CLINICS.lines().skip(1).map(|line| line.split(',').next().unwrap_or("").to_owned());
    let find = |code: String| page.items.iter().find(|row| row.clinic.profile.code.as_str() == code);
    wanted.map(|code| find(code).expect("the clinic").clinic.id).collect()
}

fn facts(name: &str, os: &str) -> HostFacts {
    HostFacts {
        host_name: name.to_owned(),
        os: os.to_owned(),
        os_version: if os.starts_with("Debian") { "12.8".to_owned() } else { String::new() },
        kernel: "6.1.0-27-amd64".to_owned(),
        architecture: "x86_64".to_owned(),
        agent_version: "0.1.0".to_owned(),
        model: Some("Example OptiDesk 3080".to_owned()),
        cores: 4,
        memory_mib: 7_800,
        users: vec!["incho".to_owned(), "madoguchi".to_owned()],
        time_zone: Some("Asia/Tokyo".to_owned()),
    }
}

async fn join(stage: &Stage, operator: &Operator, clinic: ClinicId, star: &Cast, sets: &Sets) -> PlayedAgent {
    let Cast { name, os, ours, theirs, approve, .. } = star;
    let mut agent = PlayedAgent::enrol(&stage.core, operator, clinic, facts(name, os), *approve).await;
    let from = stage.core.now().minus(Duration::days(700));
    let mut held = PlayedStore::new(folder("/etc/inkan/certs"));
    let mut personal = PlayedStore::new(folder_of("madoguchi", "/home/madoguchi/.certs"));
    if let Some((common_name, days)) = ours {
        let one = issue(sets.ours.as_ref(), common_name, from, BEGIN.plus(Duration::days(*days) + Duration::hours(3)));
        held = held.with(&one, KeyPresence::Present, Some("client.pem"));
        agent.certificates.push(one);
    }
    if let Some((common_name, days)) = theirs {
        let one = issue(&sets.common, common_name, from, BEGIN.plus(Duration::days(*days) + Duration::hours(3)));
        personal = personal.with(&one, KeyPresence::Present, Some("0110119153.p12"));
        agent.certificates.push(one);
    }
    agent.stores = vec![held, sets.system_trust()];
    if !personal.entries.is_empty() {
        agent.stores.push(personal);
    }
    agent.certificates.extend(sets.roots.iter().cloned());
    agent
}

/// What makes a page interesting: a store that cannot be read, a broken file, a missing issuer, a wrong clock, a name
/// that tries to be markup.
fn add_trouble(agents: &mut [PlayedAgent], sets: &Sets) {
    let sakura = &mut agents[0];
    let nss = Location {
        kind: StoreKind::Nss,
        scope: Scope::User("madoguchi".to_owned()),
        path: "/home/madoguchi/.mozilla/firefox/k3x9.default-esr".to_owned(),
    };
    let denied = ReadError {
        kind: ReadErrorKind::AccessDenied,
        item: String::new(),
        detail: "Permission denied (os error 13)".to_owned(),
    };
    sakura.stores.push(PlayedStore { errors: vec![denied], ..PlayedStore::new(nss) });
    let from = BEGIN.minus(Duration::days(600));
    let orphan = issue(&sets.stranger, "S47000123", from, BEGIN.plus(Duration::days(588)));
    let third = sakura.stores.len() - 2;
    sakura.stores[third] = sakura.stores[third].clone().with(&orphan, KeyPresence::Absent, Some("S47000123.pem"));
    sakura.stores[third].entries.push(SetEntry::Unreadable {
        sha256: Some(Fingerprint::of(b"broken")),
        name: Some("<script>alert(1)</script>.pem".to_owned()),
        why: "not a PEM block".to_owned(),
    });
    sakura.certificates.push(orphan);
    agents[11].clock_ahead = Duration::minutes(41);
}

async fn join_crowd(stage: &Stage, operator: &Operator, clinics: &[ClinicId], sets: &Sets) {
    for n in 0..CROWD {
        // Every clinic but the calm ones has a few more PCs; ends are spread over the coming year.
        let clinic = clinics[n % clinics.len()];
        let name: &'static str = Box::leak(format!("PC-{:03}", n + 1).into_boxed_str());
        let common_name: &'static str = Box::leak(format!("pc-{:03}.clinic", n + 1).into_boxed_str());
        let days = 33 + i64::try_from(n * n % 61 + n).expect("a small number");
        let mut agent = join(stage, operator, clinic, &cast(0, name, Some((common_name, days))), sets).await;
        agent.sync().await;
        // It is heard of on the last day, too: the presence is written directly.
        let seen = inkan_core::ports::Presence {
            host: agent.host,
            at: BEGIN.minus(Duration::minutes(i64::try_from(n % 9).expect("a small number"))),
            clock_offset_ms: 400,
        };
        stage.db.record_presence(&[seen]).await.expect("a presence");
    }
}
