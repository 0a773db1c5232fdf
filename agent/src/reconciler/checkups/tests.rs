use std::sync::{Arc, Mutex};

use inkan_model::checkup::{Check, worst};
use inkan_model::{CheckupId, Timestamp};

use super::*;
use crate::disk::fake::EndAfter;
use crate::doctor::CheckStatus;
use crate::testing::{FakeServer, NOW, Pc};

/// Finds the clock well, and counts; may end the disk while it is at it.
#[derive(Default)]
struct Counting {
    made: Mutex<Vec<Option<String>>>,
    ends: Option<Arc<EndAfter>>,
}

impl Examiner for Counting {
    fn examine(&self, programme: Option<&Programme>) -> Vec<CheckResult> {
        self.made.lock().unwrap().push(programme.map(|programme| programme.id.to_string()));
        if let Some(gate) = &self.ends {
            gate.set(Some(0));
        }
        vec![CheckResult::well(Check::Clock, "よい", "well")]
    }
}

impl Counting {
    fn count(&self) -> usize {
        self.made.lock().unwrap().len()
    }
}

fn wanted(byte: u8) -> CheckupDirective {
    let text = "[programme]\nid = \"own\"\nnames = { ja = \"自前\", en = \"Own\" }\n";
    let programme = Programme::from_toml("own.toml", text).ok();
    CheckupDirective { checkup: CheckupId::new(NOW, [byte; 10]), programme }
}

fn sync(reconciler: &mut Reconciler, server: &mut FakeServer) {
    crate::reconciler::tests::sync(reconciler, server).unwrap();
}

#[test]
fn a_checkup_is_made_once_told_and_forgotten() {
    let (pc, mut server, examiner) = (Pc::new(), FakeServer::new(), Arc::new(Counting::default()));
    server.want_checkup(wanted(1));
    let mut reconciler = pc.start_well().with_examiner(Arc::clone(&examiner) as Arc<_>);
    for _ in 0..3 {
        sync(&mut reconciler, &mut server);
        reconciler.reconcile().unwrap();
        reconciler.reconcile().unwrap();
    }
    assert_eq!(*examiner.made.lock().unwrap(), [Some("own".to_owned())]);
    assert_eq!(server.examined.len(), 1);
    assert_eq!(
        (server.examined[0].checkup, worst(&server.examined[0].results)),
        (wanted(1).checkup, CheckStatus::Well)
    );
    assert!(reconciler.ledger.checkups().is_empty() && reconciler.pending() == 0);
}

#[test]
fn a_pc_that_was_off_before_it_could_tell_tells_later_and_does_not_examine_again() {
    let (pc, mut server, examiner) = (Pc::new(), FakeServer::new(), Arc::new(Counting::default()));
    server.want_checkup(wanted(1));
    let start = || pc.start_well().with_examiner(Arc::clone(&examiner) as Arc<_>);
    let mut reconciler = start();
    sync(&mut reconciler, &mut server);
    reconciler.reconcile().unwrap();
    drop(reconciler);
    // What lies in the spool may be lost as well: the ledger owes it.
    std::fs::remove_dir_all(pc.path("spool")).unwrap();
    let mut reconciler = start();
    reconciler.reconcile().unwrap();
    sync(&mut reconciler, &mut server);
    assert_eq!((examiner.count(), server.examined.len()), (1, 1));
}

#[test]
fn a_server_that_lost_the_answer_is_told_again_without_another_examination() {
    let (pc, mut server, examiner) = (Pc::new(), FakeServer::new(), Arc::new(Counting::default()));
    server.want_checkup(wanted(1));
    let mut reconciler = pc.start_well().with_examiner(Arc::clone(&examiner) as Arc<_>);
    sync(&mut reconciler, &mut server);
    reconciler.reconcile().unwrap();
    let before = (server.checkups.clone(), server.directives.generation);
    let position = reconciler.spool.last();
    reconciler.acknowledge(position).unwrap();
    // It says the same under a new generation, as after a restored backup.
    server.checkups = before.0;
    server.directives.generation = before.1.next();
    sync(&mut reconciler, &mut server);
    reconciler.reconcile().unwrap();
    sync(&mut reconciler, &mut server);
    assert_eq!((examiner.count(), server.examined.len()), (1, 1));
}

#[test]
fn an_examination_that_ends_the_agent_is_given_up_and_told_as_not_made() {
    let (pc, mut server) = (Pc::new(), FakeServer::new());
    server.want_checkup(wanted(1));
    sync(&mut pc.start_well(), &mut server);
    let mut made = 0;
    for _ in 0..=MOST_BEGUN {
        let gate = Arc::new(EndAfter::never());
        let examiner = Arc::new(Counting { ends: Some(Arc::clone(&gate)), ..Counting::default() });
        let mut reconciler = pc.start(&gate).unwrap().with_examiner(Arc::clone(&examiner) as Arc<_>);
        let ended = reconciler.reconcile().is_err();
        assert_eq!(ended, examiner.count() == 1);
        made += examiner.count();
    }
    assert_eq!(made, usize::from(MOST_BEGUN));
    sync(&mut pc.start_well(), &mut server);
    assert!(server.examined[0].results.is_empty());
}

#[test]
fn an_agent_that_is_killed_between_any_two_changes_tells_once() {
    for changes in 0.. {
        let (pc, mut server) = (Pc::new(), FakeServer::new());
        server.want_checkup(wanted(1));
        sync(&mut pc.start_well(), &mut server);
        let gate = Arc::new(EndAfter::changes(changes));
        let run = || -> Result<(), Box<dyn std::error::Error>> {
            let mut reconciler = pc.start(&gate)?.with_examiner(Arc::new(Counting::default()));
            reconciler.reconcile()?;
            Ok(())
        };
        let ran = run();
        let mut reconciler = pc.start_well().with_examiner(Arc::new(Counting::default()));
        reconciler.reconcile().unwrap();
        sync(&mut reconciler, &mut server);
        reconciler.reconcile().unwrap();
        sync(&mut reconciler, &mut server);
        assert_eq!(server.examined.len(), 1, "after {changes} changes");
        assert!(reconciler.ledger.checkups().is_empty());
        if ran.is_ok() && !gate.has_ended() {
            break;
        }
    }
}

#[test]
fn an_outcome_at_its_limits_fits_the_spool_and_one_sync() {
    let text = || "診".repeat(inkan_model::limits::CHECK_TEXT);
    let both = || inkan_model::locale::Bilingual::new(text(), text());
    let result = || CheckResult::unwell(Check::Locations, CheckStatus::Now, both(), both());
    let results = (0..inkan_model::limits::CHECK_RESULTS).map(|_| result()).collect();
    let outcome = CheckupOutcome { checkup: wanted(1).checkup, examined_at: Timestamp::default(), results };
    let pc = Pc::new();
    let mut reconciler = pc.start_well();
    reconciler.spool.append(inkan_model::sync::Told::Checkup(outcome), NOW).unwrap();
    assert_eq!(reconciler.standing().entries.len(), 1);
}
