use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use inkan_model::host::HostFacts;
use inkan_model::store::{Snapshot, StoreSet};
use inkan_trust_store::StoreBackend as _;
use inkan_trust_store::fake::FakeStore;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::chance::fake::SameChance;
use crate::disk::Disk;
use crate::identity::{IdentityFolder, MachineBinding};
use crate::scanner::Scan;
use crate::status::{self, Status};
use crate::sync::Acknowledged;
use crate::testing::{FakeServer, FakeUplink, NOW, Pc, identity_under};

/// A clock that goes with tokio's, which a test may pause.
struct TokioClock(Instant, Mutex<time::Duration>);

impl TokioClock {
    /// Puts the clock forward, or back.
    fn put(&self, by: time::Duration) {
        *self.1.lock().unwrap() = by;
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        NOW.plus(time::Duration::try_from(self.0.elapsed()).unwrap()).plus(*self.1.lock().unwrap())
    }
}

/// Scans the fake store.
struct StoreObserver {
    store: Arc<FakeStore>,
    clock: Arc<dyn Clock>,
    scans: AtomicUsize,
}

impl Observer for StoreObserver {
    fn observe(&self) -> Observed {
        self.scans.fetch_add(1, Ordering::Relaxed);
        let mut scan = Scan::default();
        for location in self.store.discover() {
            let reading = self.store.read(&location);
            scan.certificates.extend(reading.certificates.into_iter().map(|one| (one.fingerprint, one)));
            let (set, errors) = (StoreSet::new(reading.entries), reading.errors);
            scan.snapshots.push(Snapshot { location, scanned_at: self.clock.now(), set, errors });
        }
        let facts = HostFacts { host_name: "pc".to_owned(), ..HostFacts::default() };
        Observed::new(facts, scan, self.clock.now())
    }
}

/// A PC with a running agent, and the server that it talks to.
struct World {
    pc: Pc,
    clock: Arc<TokioClock>,
    uplink: Arc<FakeUplink>,
    observer: Arc<StoreObserver>,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
}

impl World {
    fn new() -> Self {
        let pc = Pc::new();
        let clock = Arc::new(TokioClock(Instant::now(), Mutex::default()));
        let folder = IdentityFolder::new(Disk::default(), pc.folder.path());
        let (deployment, _) = identity_under(&folder, NOW);
        let uplink = FakeUplink::new(FakeServer::new(), deployment, Arc::clone(&clock) as Arc<dyn Clock>);
        let (store, scans) = (Arc::clone(&pc.store), AtomicUsize::new(0));
        let observer = StoreObserver { store, clock: Arc::clone(&clock) as Arc<dyn Clock>, scans };
        Self { pc, clock, uplink: Arc::new(uplink), observer: Arc::new(observer), stop: None, running: None }
    }

    fn start(&mut self) {
        let disk = Disk::default();
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let folder = IdentityFolder::new(disk.clone(), self.pc.folder.path());
        let identity = Arc::new(folder.open(MachineBinding::of("machine")).unwrap());
        let uplink = Arc::clone(&self.uplink) as Arc<dyn Uplink>;
        let shared = Desk::new(self.pc.start_well());
        let acknowledged = Acknowledged::open(disk.clone(), &self.pc.path("acknowledged.json"), Pc::host());
        let status = Status::new(&identity, clock.now());
        let agent = Agent {
            observer: Arc::clone(&self.observer) as Arc<dyn Observer>,
            scan_interval: Duration::from_hours(1),
            reporter: Reporter::new(Arc::clone(&uplink), shared.clone(), acknowledged, Arc::clone(&clock)),
            keeper: IdentityKeeper::new(folder, identity, Arc::clone(&uplink), Arc::clone(&clock)),
            uplink,
            desk: shared,
            status: StatusBoard::new(disk, self.pc.folder.path(), status),
            clock,
            chance: Arc::new(SameChance(255)),
        };
        let (stop, stopped) = oneshot::channel();
        self.stop = Some(stop);
        self.running = Some(tokio::spawn(agent.run(async { drop(stopped.await) })));
    }

    async fn stop(&mut self) {
        drop(self.stop.take());
        self.running.take().unwrap().await.unwrap();
    }

    /// Lets time pass until something holds. Time is paused, so this takes no time of anybody's.
    async fn wait_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..20_000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("it never came to pass that {what}");
    }

    fn server(&self) -> std::sync::MutexGuard<'_, FakeServer> {
        self.uplink.server.lock().unwrap()
    }

    fn status(&self) -> Option<Status> {
        status::read(self.pc.folder.path()).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_reports_renews_what_it_is_told_to_and_goes_quiet() {
    let mut world = World::new();
    let old_der = world.server().issue_old();
    let old = world.pc.hold(&old_der);
    world.start();
    world.wait_until("the report is taken", |world| world.server().state.is_some()).await;
    let renewal = world.server().want_renewal(&world.pc.location, old);
    world.wait_until("an agent listens", |world| world.uplink.watches.load(Ordering::Relaxed) > 0).await;
    let asked = Instant::now();
    world.uplink.nudge(1);
    world.wait_until("the renewal is closed", |world| world.server().state_of(renewal) == "closed").await;
    assert!(asked.elapsed() < Duration::from_secs(30), "nudged, it took {:?}", asked.elapsed());
    let new = world.pc.held();
    let reported = |world: &World| {
        let server = world.server();
        server.sets.values().any(|set| set.certificates() == new)
    };
    world.wait_until("the new certificate is reported", reported).await;
    world
        .wait_until("a quiet sync was measured", |world| {
            world.status().is_some_and(|status| status.quiet_sync_bytes.is_some() && status.outcomes_waiting == 0)
        })
        .await;
    assert!(world.status().unwrap().quiet_sync_bytes.unwrap() < 120);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn weeks_without_a_network_cost_nothing_but_time() {
    let mut world = World::new();
    world.pc.hold(&world.uplink.server.lock().unwrap().issue_old());
    world.uplink.connected.store(false, Ordering::Relaxed);
    world.start();
    tokio::time::sleep(Duration::from_hours(14 * 24)).await;
    let tries = world.uplink.sync_count();
    assert!((14 * 86_400 / 300..14 * 86_400 / 290).contains(&tries), "{tries} tries in two weeks");
    let trouble = world.status().unwrap().trouble.unwrap();
    assert_eq!(
        (trouble.what.as_str(), trouble.since.0 < NOW.plus(time::Duration::minutes(1))),
        ("could not sync", true)
    );
    world.uplink.connected.store(true, Ordering::Relaxed);
    world.wait_until("the report is taken", |world| world.server().state.is_some()).await;
    world.wait_until("nothing troubles it", |world| world.status().unwrap().trouble.is_none()).await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_quiet_is_asked_as_often_as_it_said() {
    let mut world = World::new();
    world.start();
    world.wait_until("the report is taken", |world| world.server().state.is_some()).await;
    let before = world.uplink.sync_count();
    tokio::time::sleep(Duration::from_hours(1)).await;
    let syncs = world.uplink.sync_count() - before;
    assert!((5..=7).contains(&syncs), "{syncs} syncs in an hour, where one each ten minutes was asked for");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_nudges_without_end_is_not_followed_more_than_once_a_second() {
    let mut world = World::new();
    world.start();
    world.wait_until("an agent listens", |world| world.uplink.watches.load(Ordering::Relaxed) > 0).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = world.uplink.sync_count();
    for generation in 100..200 {
        world.uplink.nudge(generation);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let syncs = world.uplink.sync_count() - before;
    assert!((8..=11).contains(&syncs), "{syncs} syncs in ten seconds");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_nudge_that_is_no_news_costs_no_sync() {
    let mut world = World::new();
    world.start();
    world.wait_until("an agent listens", |world| world.uplink.watches.load(Ordering::Relaxed) > 0).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = world.uplink.sync_count();
    world.uplink.nudge(0);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(world.uplink.sync_count(), before);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_identity_is_renewed_at_half_of_its_life_and_survives_a_restart() {
    let mut world = World::new();
    world.start();
    tokio::time::sleep(Duration::from_hours(12 * 24)).await;
    assert!(world.uplink.adopted.lock().unwrap().is_empty());
    tokio::time::sleep(Duration::from_hours(6 * 24)).await;
    assert_eq!(world.uplink.adopted.lock().unwrap().iter().map(|(generation, _)| *generation).collect::<Vec<_>>(), [2]);
    assert_eq!(world.status().unwrap().identity.generation, 2);
    world.stop().await;
    let folder = IdentityFolder::new(Disk::default(), world.pc.folder.path());
    assert_eq!(folder.open(MachineBinding::of("machine")).unwrap().generation, 2);
    assert_eq!(world.uplink.recoveries.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn the_identity_is_renewed_when_the_server_asks_and_used_at_once() {
    let mut world = World::new();
    world.server().renew_identity = true;
    world.start();
    world.wait_until("it is renewed", |world| !world.uplink.adopted.lock().unwrap().is_empty()).await;
    let (generation, syncs) = world.uplink.adopted.lock().unwrap()[0];
    let renewed = Instant::now();
    world.wait_until("the new one is used", |world| world.uplink.sync_count() > syncs).await;
    assert!(generation == 2 && renewed.elapsed() < Duration::from_secs(1));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_expired_while_the_pc_was_off_is_recovered_by_its_key() {
    let mut world = World::new();
    world.clock.put(time::Duration::days(40));
    world.uplink.expired.store(true, Ordering::Relaxed);
    world.start();
    world.wait_until("the report is taken", |world| world.server().state.is_some()).await;
    assert_eq!(world.uplink.recoveries.load(Ordering::Relaxed), 1);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_far_ahead_alone_does_not_lead_to_a_recovery() {
    let mut world = World::new();
    world.clock.put(time::Duration::days(400));
    world.start();
    world.wait_until("the report is taken", |world| world.server().state.is_some()).await;
    assert_eq!(world.uplink.recoveries.load(Ordering::Relaxed), 0);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_change_that_a_scan_sees_is_reported_at_once_and_a_restart_is_quiet() {
    let mut world = World::new();
    world.start();
    world.wait_until("the report is taken", |world| world.server().reports.len() == 1).await;
    let old = world.server().issue_old();
    world.pc.hold(&old);
    world.wait_until("the change is reported", |world| world.server().reports.len() == 2).await;
    let scans = world.observer.scans.load(Ordering::Relaxed);
    assert_eq!(scans, 2, "it took one more scan");
    world.stop().await;
    world.start();
    let before = world.uplink.sync_count();
    world.wait_until("it syncs after the restart", |world| world.uplink.sync_count() > before).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(world.server().reports.len(), 2);
    assert_eq!(world.uplink.sync_count(), before + 1);
    world.stop().await;
}
