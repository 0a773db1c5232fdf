use std::sync::atomic::Ordering;

use inkan_model::host::HostFacts;
use inkan_model::limits;
use inkan_model::store::{KeyPresence, Scope, SetDelta, SetEntry, Snapshot, StoreKind, StoreSet};
use inkan_model::{Certificate, Fingerprint};
use inkan_wire::Upload;
use proptest::prelude::*;

use super::*;
use crate::disk::Disk;
use crate::identity::IdentityFolder;
use crate::scanner::Scan;
use crate::testing::{FakeServer, FakeUplink, NOW, Pc, identity_under};

/// A certificate that is none, but has a fingerprint and bytes.
fn certificate(number: usize) -> Certificate {
    Certificate::read(format!("certificate {number}").into_bytes().repeat(20))
}

fn observed(locations: &[&[usize]]) -> Observed {
    let mut scan = Scan::default();
    for (at, numbers) in locations.iter().enumerate() {
        let location = inkan_model::store::Location {
            kind: StoreKind::Directory,
            scope: Scope::Machine,
            path: format!("/store/{at}"),
        };
        let entry =
            |number: &usize| SetEntry::certificate(certificate(*number).fingerprint, KeyPresence::NotExpected, None);
        let set = StoreSet::new(numbers.iter().map(entry).collect());
        scan.snapshots.push(Snapshot { location, scanned_at: NOW, set, errors: Vec::new() });
        scan.certificates.extend(numbers.iter().map(|number| certificate(*number)).map(|one| (one.fingerprint, one)));
    }
    let facts = HostFacts { host_name: "pc".to_owned(), ..HostFacts::default() };
    Observed::new(facts, scan, NOW)
}

struct Bench {
    pc: Pc,
    uplink: Arc<FakeUplink>,
}

impl Bench {
    fn new() -> Self {
        let pc = Pc::new();
        let (deployment, _) = identity_under(&IdentityFolder::new(Disk::default(), pc.folder.path()), NOW);
        let uplink = FakeUplink::new(FakeServer::new(), deployment, Arc::clone(&pc.clock) as Arc<dyn Clock>);
        Self { pc, uplink: Arc::new(uplink) }
    }

    /// A reporter as after a start of the agent.
    fn start(&self) -> Reporter {
        let acknowledged = Acknowledged::open(Disk::default(), &self.pc.path("acknowledged.json"), Pc::host());
        let desk = Desk::new(self.pc.start_well());
        let clock = Arc::clone(&self.pc.clock) as Arc<dyn Clock>;
        Reporter::new(Arc::clone(&self.uplink) as Arc<dyn Uplink>, desk, acknowledged, clock)
    }

    fn server(&self) -> std::sync::MutexGuard<'_, FakeServer> {
        self.uplink.server.lock().unwrap()
    }
}

#[tokio::test]
async fn the_first_sync_brings_everything_and_the_next_one_a_digest() {
    let bench = Bench::new();
    let observed = observed(&[&[1, 2, 3], &[3, 4]]);
    let mut reporter = bench.start();
    let first = reporter.sync(&observed).await.unwrap();
    assert_eq!(first.quiet_bytes, None);
    assert_eq!(bench.server().state, Some(observed.state));
    assert_eq!(bench.server().certificates.len(), 4);
    let syncs = bench.uplink.sync_count();
    let quiet = reporter.sync(&observed).await.unwrap();
    assert_eq!(bench.uplink.sync_count(), syncs + 1);
    assert!(quiet.quiet_bytes.unwrap() < 120, "{:?} bytes", quiet.quiet_bytes);
}

#[tokio::test]
async fn a_restart_is_quiet() {
    let bench = Bench::new();
    let observed = observed(&[&[1, 2, 3]]);
    bench.start().sync(&observed).await.unwrap();
    let synced = bench.start().sync(&observed).await.unwrap();
    assert!(synced.quiet_bytes.is_some());
}

#[tokio::test]
async fn a_set_that_changed_is_told_by_what_changed() {
    let bench = Bench::new();
    let many: Vec<usize> = (0..100).collect();
    bench.start().sync(&observed(&[&many])).await.unwrap();
    let whole = bench.server().whole_sets;
    let more: Vec<usize> = (0..101).collect();
    bench.start().sync(&observed(&[&more])).await.unwrap();
    let server = bench.server();
    assert_eq!((server.deltas, server.whole_sets), (1, whole));
    drop(server);
    assert_eq!(bench.server().state, Some(observed(&[&more]).state));
}

#[tokio::test]
async fn a_server_that_lost_the_base_of_a_delta_gets_the_whole_set() {
    let bench = Bench::new();
    let many: Vec<usize> = (0..100).collect();
    bench.start().sync(&observed(&[&many])).await.unwrap();
    bench.server().sets.clear();
    let more: Vec<usize> = (0..101).collect();
    bench.start().sync(&observed(&[&more])).await.unwrap();
    assert_eq!(bench.server().state, Some(observed(&[&more]).state));
    let server = bench.server();
    assert_eq!((server.deltas, server.whole_sets), (1, 2));
}

#[tokio::test]
async fn a_server_that_forgot_everything_is_told_everything() {
    let bench = Bench::new();
    let observed = observed(&[&[1, 2, 3]]);
    bench.start().sync(&observed).await.unwrap();
    *bench.server() = FakeServer::new();
    bench.start().sync(&observed).await.unwrap();
    assert_eq!(bench.server().state, Some(observed.state));
}

#[tokio::test]
async fn a_server_that_asks_for_what_is_not_there_is_left_alone_until_the_next_scan() {
    let bench = Bench::new();
    let mut observed = observed(&[&[1, 2, 3]]);
    observed.certificates.clear();
    let refused = bench.start().sync(&observed).await.unwrap_err();
    assert!(matches!(refused, SyncError::NeverEnough));
    assert!(bench.uplink.sync_count() < ROUNDS);
}

#[tokio::test]
async fn without_a_network_nothing_is_forgotten() {
    let bench = Bench::new();
    let observed = observed(&[&[1]]);
    bench.uplink.connected.store(false, Ordering::Relaxed);
    let mut reporter = bench.start();
    assert!(matches!(reporter.sync(&observed).await, Err(SyncError::Uplink(UplinkError::Unreachable(_)))));
    bench.uplink.connected.store(true, Ordering::Relaxed);
    reporter.sync(&observed).await.unwrap();
    assert_eq!(bench.server().state, Some(observed.state));
}

#[tokio::test]
async fn directives_that_came_before_a_sync_failed_are_not_forgotten() {
    let bench = Bench::new();
    let mut reporter = bench.start();
    bench.server().want_renewal(&bench.pc.location, Fingerprint::of(b"x"));
    bench.uplink.takes_uploads.store(false, Ordering::Relaxed);
    let observed = observed(&[&[1]]);
    reporter.sync(&observed).await.unwrap_err();
    // The server does not send them again: whoever waits for the next Sync to tell waits for ever.
    assert!(reporter.take_directed());
    bench.uplink.takes_uploads.store(true, Ordering::Relaxed);
    assert!(!reporter.sync(&observed).await.unwrap().directed);
}

#[tokio::test]
async fn more_outcomes_than_fit_one_sync_are_told_in_several() {
    let bench = Bench::new();
    let mut reporter = bench.start();
    for number in 0..limits::OUTCOMES + 10 {
        let old = Fingerprint::of(&number.to_be_bytes());
        let renewal = bench.server().want_renewal(&bench.pc.location, old);
        bench.server().abandon(renewal);
        bench.server().want_renewal(&bench.pc.location, old);
    }
    let observed = observed(&[&[1]]);
    // Nothing of it is on this PC, so each of them fails.
    let synced = reporter.sync(&observed).await.unwrap();
    assert!(synced.directed);
    reporter.desk.work(|reconciler| reconciler.reconcile().map(|done| done.failures)).await.unwrap().unwrap();
    reporter.sync(&observed).await.unwrap();
    assert_eq!(bench.server().outcomes.len(), limits::OUTCOMES + 10);
    assert_eq!(reporter.desk.work(|reconciler| reconciler.pending()).await.unwrap(), 0);
}

#[tokio::test]
async fn directives_of_an_older_generation_are_refused_and_said_to_be() {
    let bench = Bench::new();
    let mut reporter = bench.start();
    bench.server().want_renewal(&bench.pc.location, Fingerprint::of(b"x"));
    let observed = observed(&[&[1]]);
    reporter.sync(&observed).await.unwrap();
    bench.server().directives.generation = inkan_model::directive::Generation(0);
    let synced = reporter.sync(&observed).await.unwrap();
    assert!(synced.refused.unwrap().contains("generation 0 came after generation 1"));
}

#[test]
fn what_was_kept_for_another_host_counts_as_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("acknowledged.json");
    let seen = observed(&[&[1]]);
    let other = inkan_model::HostId::new(NOW, [8; 10]);
    Acknowledged::open(Disk::default(), &path, other).record(&seen).unwrap();
    assert_eq!(Acknowledged::open(Disk::default(), &path, Pc::host()).state(), None);
    assert_eq!(Acknowledged::open(Disk::default(), &path, other).state(), Some(seen.state));
    std::fs::write(&path, b"damaged").unwrap();
    assert_eq!(Acknowledged::open(Disk::default(), &path, other).state(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Whatever is asked for: each message is within the server's limits, and what is here is sent or left for the next
    /// stream, never both and never neither.
    #[test]
    fn uploads_are_within_limits_and_complete(held in 0_usize..1_500, asked in 0_usize..1_600, known in 0_usize..1_500) {
        let numbers: Vec<usize> = (0..held).collect();
        let seen = observed(&[&numbers]);
        let folder = tempfile::tempdir().unwrap();
        let mut acknowledged = Acknowledged::open(Disk::default(), &folder.path().join("a"), Pc::host());
        let before: Vec<usize> = (0..known).collect();
        acknowledged.record(&observed(&[&before])).unwrap();
        let lacks = Lacks {
            report: false,
            sets: seen.sets.keys().copied().collect(),
            certificates: (0..asked).map(|number| certificate(number).fingerprint).collect(),
        };
        let plan = plan_upload(&lacks, &seen, &acknowledged, &BTreeSet::new());
        let mut sent = 0;
        for message in &plan.messages {
            let Upload { sets, deltas, certificates } = message;
            prop_assert!(sets.len() + deltas.len() + certificates.len() <= limits::UPLOAD_ITEMS);
            sent += certificates.len();
            let encoded = prost::Message::encoded_len(&inkan_wire::pb::UploadRequest::from(message.clone()));
            prop_assert!(encoded <= 1024 * 1024, "{} bytes", encoded);
            for delta in deltas {
                let SetDelta { added, removed, .. } = &delta.delta;
                prop_assert!(added.len() + removed.len() < seen.sets[&delta.digest].entries().len());
            }
        }
        // A delta brings the few that it adds without being asked.
        let unasked = sent + plan.left.certificates.len() - held.min(asked);
        prop_assert!(unasked <= 8, "{} certificates that nobody asked for", unasked);
        prop_assert_eq!(plan.gone, asked.saturating_sub(held));
    }
}
