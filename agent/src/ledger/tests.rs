use std::sync::Arc;

use inkan_model::Fingerprint;
use inkan_model::directive::{RenewalDirective, RenewalWant};
use inkan_model::renewal::{OutcomeResult, RenewalStep};
use inkan_model::store::{Location, Scope, StoreKind};
use proptest::prelude::*;

use super::*;
use crate::disk::fake::EndAfter;

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_763_600_000)
}

fn host(byte: u8) -> HostId {
    HostId::new(now(), [byte; 10])
}

fn directive(byte: u8) -> RenewalDirective {
    RenewalDirective {
        renewal: RenewalId::new(now(), [byte; 10]),
        location: Location { kind: StoreKind::Directory, scope: Scope::Machine, path: "/c".to_owned() },
        old: Fingerprint::of(&[byte]),
        want: RenewalWant::Request,
    }
}

fn directives(generation: u64, renewals: &[u8]) -> Directives {
    let renewals = renewals.iter().map(|byte| directive(*byte)).collect();
    Directives { generation: Generation(generation), renewals, checkups: Vec::new() }
}

fn open(path: &Path) -> Ledger {
    Ledger::open(Disk::default(), path, host(1), now()).unwrap()
}

#[test]
fn directives_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    assert!(open(&path).accept(directives(3, &[1])).unwrap());
    let mut ledger = open(&path);
    assert_eq!(ledger.directives(), &directives(3, &[1]));
    assert!(!ledger.accept(directives(3, &[1])).unwrap());
}

#[test]
fn an_older_generation_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(&folder.path().join("ledger"));
    ledger.accept(directives(3, &[1])).unwrap();
    let refused = ledger.accept(directives(2, &[])).unwrap_err();
    assert!(matches!(refused, LedgerError::Older { given: Generation(2), journaled: Generation(3) }));
    assert_eq!(ledger.directives(), &directives(3, &[1]));
}

#[test]
fn the_same_generation_with_other_content_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(&folder.path().join("ledger"));
    ledger.accept(directives(3, &[1])).unwrap();
    let refused = ledger.accept(directives(3, &[2])).unwrap_err();
    assert!(matches!(refused, LedgerError::Contradiction { generation: Generation(3) }));
}

#[test]
fn a_damaged_ledger_and_one_of_another_host_are_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    open(&path).accept(directives(3, &[1])).unwrap();
    let other = Ledger::open(Disk::default(), &path, host(2), now()).unwrap();
    assert_eq!(other.generation(), Generation(0));
    std::fs::write(&path, b"sha256:00\n{}\n").unwrap();
    assert_eq!(open(&path).generation(), Generation(0));
    assert!(folder.path().join(format!("ledger.damaged-{}", now().as_unix_millis())).exists());
}

#[test]
fn a_failed_write_changes_nothing_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::new(EndAfter::changes(0));
    let mut ledger = Ledger::open(Disk::behind(gate.clone()), &folder.path().join("ledger"), host(1), now()).unwrap();
    assert!(matches!(ledger.accept(directives(1, &[1])), Err(LedgerError::Write { .. })));
    assert_eq!(ledger.generation(), Generation(0));
    gate.set(None);
    assert!(ledger.accept(directives(1, &[1])).unwrap());
}

#[test]
fn a_failure_that_is_owed_is_not_owed_twice() {
    let mut record = RenewalRecord::new(&directive(1));
    let failed = |why: &str| OutcomeResult::Failed { step: RenewalStep::Prove, why: why.to_owned(), retry: true };
    record.owe(failed("no network"), now());
    record.owe(failed("no network at all"), now());
    record.owe(OutcomeResult::Installed { new: Fingerprint::of(b"new") }, now());
    assert_eq!(record.owed.len(), 2);
}

#[test]
fn only_what_is_spooled_in_the_acknowledged_epoch_is_settled() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(&folder.path().join("ledger"));
    let mut record = RenewalRecord::new(&directive(1));
    let owed = |spooled| {
        let result = OutcomeResult::Requested { csr: vec![1] };
        Owed { result, at: now(), spooled }
    };
    record.owed = vec![owed(None), owed(Some((1, 9))), owed(Some((2, 1))), owed(Some((2, 2)))];
    ledger.put_record(record).unwrap();
    ledger.settle(SpoolPosition { epoch: 2, sequence: 1 }).unwrap();
    let left: Vec<_> = ledger.records()[0].owed.iter().map(|owed| owed.spooled).collect();
    assert_eq!(left, [None, Some((1, 9)), Some((2, 2))]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever the server sends and wherever the disk fails, the generation on disk never shrinks, and a restart finds
    /// what memory said.
    #[test]
    fn generations_never_shrink(given in prop::collection::vec((0_u64..6, prop::option::of(0_usize..5)), 0..12)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let mut journaled = Generation(0);
        for (generation, fails_after) in given {
            let gate = Arc::new(EndAfter::never());
            let mut ledger = Ledger::open(Disk::behind(gate.clone()), &path, host(1), now()).unwrap();
            prop_assert!(ledger.generation() >= journaled);
            gate.set(fails_after);
            let accepted = ledger.accept(directives(generation, &[u8::try_from(generation).unwrap()]));
            if let Ok(true) = accepted {
                prop_assert_eq!(ledger.generation(), Generation(generation));
                let reopened = open(&path);
                prop_assert_eq!(reopened.directives(), ledger.directives());
            }
            journaled = ledger.generation();
        }
    }
}
