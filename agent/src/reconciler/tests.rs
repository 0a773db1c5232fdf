use std::sync::Arc;

use inkan_model::RenewalId;
use inkan_model::digest::StateDigest;
use inkan_model::directive::ProbeTarget;
use inkan_model::renewal::{OutcomeResult, RenewalStep};
use inkan_model::store::KeyPresence;
use inkan_model::sync::SyncReport;

use super::*;
use crate::disk::fake::EndAfter;
use crate::testing::{FakeServer, NOW, Pc};

type Death = Box<dyn std::error::Error>;

/// One Sync, as far as directives and outcomes go.
pub(super) fn sync(reconciler: &mut Reconciler, server: &mut FakeServer) -> Result<(), Death> {
    let Standing { epoch, entries, generation } = reconciler.standing();
    let state = StateDigest::from_bytes([0; 32]);
    let answer = server.sync(SyncReport { epoch, entries, state, report: None, generation, clock: NOW });
    reconciler.acknowledge(answer.acknowledged)?;
    if let Some(directives) = answer.directives {
        reconciler.accept(directives)?;
    }
    Ok(())
}

/// Reconciles and syncs until the server has closed the renewal and is owed nothing, or until the agent dies.
fn live(pc: &Pc, server: &mut FakeServer, gate: &Arc<EndAfter>, renewal: RenewalId) -> Result<(), Death> {
    let mut reconciler = pc.start(gate)?;
    for _ in 0..12 {
        reconciler.reconcile()?;
        sync(&mut reconciler, server)?;
        if server.state_of(renewal) == "closed" && reconciler.pending() == 0 {
            reconciler.reconcile()?;
            return Ok(());
        }
    }
    Err("it never came to its end".into())
}

fn pc_and_server() -> (Pc, FakeServer, RenewalId, inkan_model::Fingerprint) {
    let (pc, mut server) = (Pc::new(), FakeServer::new());
    let old = pc.hold(&server.issue_old());
    let renewal = server.want_renewal(&pc.location, old);
    (pc, server, renewal, old)
}

fn assert_renewed(pc: &Pc, server: &FakeServer, renewal: RenewalId, old: inkan_model::Fingerprint) {
    assert_eq!(server.state_of(renewal), "closed");
    assert_eq!(server.keys[&renewal].len(), 1, "one key for one renewal");
    assert_eq!(pc.store.archived(), [old]);
    let held = pc.held();
    assert_eq!(held.len(), 1, "only the new certificate is left");
    assert_ne!(held[0], old);
}

#[test]
fn a_renewal_goes_from_its_directive_to_an_archived_old_certificate() {
    let (pc, mut server, renewal, old) = pc_and_server();
    live(&pc, &mut server, &Arc::new(EndAfter::never()), renewal).unwrap();
    assert_renewed(&pc, &server, renewal, old);
    let told: Vec<_> = server.outcomes.iter().map(|outcome| std::mem::discriminant(&outcome.result)).collect();
    assert_eq!(told.len(), 4, "each outcome counted once");
    assert!(pc.start_well().ledger.records().is_empty());
}

#[test]
fn an_agent_that_is_killed_after_any_effect_brings_the_renewal_to_its_end_when_it_is_started_again() {
    let mut effects = 0;
    loop {
        let (pc, mut server, renewal, old) = pc_and_server();
        let gate = Arc::new(EndAfter::changes(effects));
        let first = live(&pc, &mut server, &gate, renewal);
        if first.is_err() {
            live(&pc, &mut server, &Arc::new(EndAfter::never()), renewal)
                .unwrap_or_else(|error| panic!("killed after {effects} effects: {error}"));
        }
        assert_renewed(&pc, &server, renewal, old);
        if first.is_ok() && !gate.has_ended() {
            break;
        }
        effects += 1;
    }
    assert!(effects > 60, "only {effects} effects were tried");
}

#[test]
fn an_agent_that_is_killed_again_and_again_still_gets_there() {
    for every in [25, 40, 57] {
        let (pc, mut server, renewal, old) = pc_and_server();
        let mut lives = 0;
        while live(&pc, &mut server, &Arc::new(EndAfter::changes(every)), renewal).is_err() {
            lives += 1;
            // A step that failed because the agent was ended waits like any other.
            pc.clock.advance(RETRY_AFTER);
            assert!(lives < 50, "killed every {every} effects, it never got there");
        }
        assert_renewed(&pc, &server, renewal, old);
    }
}

#[test]
fn a_spool_that_is_lost_or_damaged_costs_no_outcome() {
    for lose in [|pc: &Pc| std::fs::remove_dir_all(pc.path("spool")).unwrap(), damage_spool] {
        let (pc, mut server, renewal, old) = pc_and_server();
        let mut reconciler = pc.start_well();
        sync(&mut reconciler, &mut server).unwrap();
        reconciler.reconcile().unwrap();
        assert_eq!(reconciler.pending(), 1, "a request is under way");
        drop(reconciler);
        lose(&pc);
        live(&pc, &mut server, &Arc::new(EndAfter::never()), renewal).unwrap();
        assert_renewed(&pc, &server, renewal, old);
    }
}

fn damage_spool(pc: &Pc) {
    let path = pc.path("spool").join("0000000000000001.spool");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_server_that_knows_a_later_spool_is_told_everything_under_a_new_epoch() {
    let (pc, mut server, renewal, old) = pc_and_server();
    server.forget_spool(SpoolPosition { epoch: 4, sequence: 9 });
    live(&pc, &mut server, &Arc::new(EndAfter::never()), renewal).unwrap();
    assert_renewed(&pc, &server, renewal, old);
    assert_eq!(pc.start_well().standing().epoch, 5);
}

#[test]
fn a_full_disk_stops_the_work_and_nothing_else() {
    let (pc, mut server, renewal, old) = pc_and_server();
    let gate = Arc::new(EndAfter::never());
    let mut reconciler = pc.start(&gate).unwrap();
    sync(&mut reconciler, &mut server).unwrap();
    gate.set(Some(0));
    assert!(matches!(reconciler.reconcile(), Err(ReconcileError::Ledger(LedgerError::Write { .. }))));
    gate.set(None);
    for _ in 0..6 {
        reconciler.reconcile().unwrap();
        sync(&mut reconciler, &mut server).unwrap();
    }
    assert_renewed(&pc, &server, renewal, old);
}

#[test]
fn a_site_that_refuses_is_asked_again_after_ten_minutes_and_told_to_the_server_once() {
    let (pc, mut server, renewal, old) = pc_and_server();
    server.probe = Some(ProbeTarget { host: "claims.test".to_owned(), port: 443, anchor: None });
    *pc.prober.refusal.lock().unwrap() = Some("alert: certificate unknown".to_owned());
    let mut reconciler = pc.start_well();
    let mut turn = |reconciler: &mut Reconciler| {
        let done = reconciler.reconcile().unwrap();
        sync(reconciler, &mut server).unwrap();
        done
    };
    for _ in 0..6 {
        turn(&mut reconciler);
    }
    let waits = reconciler.reconcile().unwrap().retry_at;
    assert_eq!(waits, Some(NOW.plus(RETRY_AFTER)));
    assert_eq!(*pc.prober.probes.lock().unwrap(), 1);
    assert!(pc.held().contains(&old), "the old certificate stays until the new one is proven");
    *pc.prober.refusal.lock().unwrap() = None;
    pc.clock.advance(RETRY_AFTER);
    for _ in 0..4 {
        turn(&mut reconciler);
    }
    let failures: Vec<_> = server
        .outcomes
        .iter()
        .filter(|outcome| matches!(&outcome.result, OutcomeResult::Failed { step: RenewalStep::Prove, retry: true, why } if why.contains("claims.test")))
        .collect();
    assert_eq!(failures.len(), 1);
    assert_renewed(&pc, &server, renewal, old);
}

#[test]
fn a_store_that_cannot_be_changed_is_told_and_left_alone() {
    let (pc, mut server, _, _) = pc_and_server();
    pc.store.refuse_changes(Some("it is a read-only medium"));
    let mut reconciler = pc.start_well();
    for _ in 0..4 {
        sync(&mut reconciler, &mut server).unwrap();
        reconciler.reconcile().unwrap();
        pc.clock.advance(RETRY_AFTER);
    }
    let told: Vec<_> = server.outcomes.iter().map(|outcome| outcome.result.clone()).collect();
    assert!(
        matches!(&told[..], [OutcomeResult::Failed { step: RenewalStep::Request, retry: false, why }] if why.contains("read-only medium")),
        "{told:?}"
    );
}

#[test]
fn a_renewal_that_is_given_up_leaves_the_pc_as_it_was() {
    let (pc, mut server, renewal, old) = pc_and_server();
    *pc.prober.refusal.lock().unwrap() = Some("no".to_owned());
    server.probe = Some(ProbeTarget { host: "claims.test".to_owned(), port: 443, anchor: None });
    let mut reconciler = pc.start_well();
    for _ in 0..5 {
        reconciler.reconcile().unwrap();
        sync(&mut reconciler, &mut server).unwrap();
    }
    assert_eq!(pc.held().len(), 2, "the new certificate stands beside the old one");
    server.abandon(renewal);
    sync(&mut reconciler, &mut server).unwrap();
    assert!(reconciler.reconcile().unwrap().changed_stores);
    assert_eq!(pc.held(), [old]);
    assert!(reconciler.ledger.records().is_empty());
}

#[test]
fn a_certificate_for_another_subject_is_not_installed() {
    let (pc, mut server, renewal, old) = pc_and_server();
    let mut reconciler = pc.start_well();
    sync(&mut reconciler, &mut server).unwrap();
    reconciler.reconcile().unwrap();
    // The server answers with somebody else's certificate.
    let other = server.issue_old();
    let mut directives = server.directives.clone();
    directives.generation = Generation(9);
    directives.renewals[0].want =
        inkan_model::directive::RenewalWant::Install { chain: vec![other], challenge: vec![1], probe: None };
    reconciler.accept(directives).unwrap();
    reconciler.reconcile().unwrap();
    let Told::Renewal(told) = reconciler.standing().entries.pop().unwrap().told else { panic!("not of a renewal") };
    assert_eq!(told.renewal, renewal);
    assert!(matches!(told.result, OutcomeResult::Failed { step: RenewalStep::Install, retry: false, .. }));
    assert_eq!(pc.held(), [old]);
}

#[test]
fn two_renewals_of_one_store_do_not_get_into_each_others_way() {
    let (pc, mut server, first, _) = pc_and_server();
    let other = server.issue_old();
    pc.store.put(&pc.location, &other, KeyPresence::Present, Some("other.pem"));
    let second = server.want_renewal(&pc.location, inkan_model::Fingerprint::of(&other));
    let mut reconciler = pc.start_well();
    for _ in 0..8 {
        reconciler.reconcile().unwrap();
        sync(&mut reconciler, &mut server).unwrap();
    }
    assert_eq!((server.state_of(first), server.state_of(second)), ("closed", "closed"));
    assert_eq!(pc.held().len(), 2);
    let keys: Vec<_> = server.keys.values().flatten().collect();
    assert_eq!(keys.len(), 2);
}
