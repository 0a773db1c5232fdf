use inkan_core::ports::{CheckupCreation, DbError, KEPT_CHECKUPS, RenewalChange};
use inkan_model::checkup::{Check, CheckResult, Checkup, CheckupFinding, CheckupOutcome};
use inkan_model::directive::Generation;
use inkan_model::programme::Programme;
use inkan_model::sync::SpoolPosition;

use crate::kit::{DAY, MINUTE, Member, Stage, new_id, noon};

fn programme(id: &str) -> Programme {
    let text = format!("[programme]\nid = \"{id}\"\nnames = {{ ja = \"自前\", en = \"Own\" }}\n");
    Programme::from_toml("own.toml", &text).unwrap()
}

fn checkup(member: Member, programme: Option<Programme>) -> Checkup {
    Checkup {
        id: new_id(),
        vendor: member.vendor,
        host: member.host,
        programme,
        requested_by: new_id(),
        requested_at: noon(),
        finding: None,
    }
}

async fn generation(stage: &Stage, member: Member) -> Generation {
    stage.db.find_session(member.host).await.unwrap().unwrap().generation
}

async fn create(stage: &Stage, checkup: &Checkup, member: Member) -> CheckupCreation {
    let now = generation(stage, member).await;
    stage.db.create_checkup(checkup, (now, now.next())).await.unwrap()
}

fn results() -> Vec<CheckResult> {
    vec![CheckResult::well(Check::Clock, "時計は合っています。", "The clock is right.")]
}

fn answered(checkup: &Checkup) -> CheckupOutcome {
    CheckupOutcome { checkup: checkup.id, examined_at: noon().plus(MINUTE), results: results() }
}

pub(crate) async fn a_checkup_waits_once_for_each_programme(stage: Stage) {
    let member = stage.member().await;
    let first = checkup(member, Some(programme("own")));
    assert_eq!(create(&stage, &first, member).await, CheckupCreation::Created);
    let moved = generation(&stage, member).await;
    let again = checkup(member, Some(programme("own")));
    assert_eq!(create(&stage, &again, member).await, CheckupCreation::Waiting(first.clone()));
    assert_eq!(generation(&stage, member).await, moved, "nothing new is to be told");
    let (other, general) = (checkup(member, Some(programme("other"))), checkup(member, None));
    for checkup in [&other, &general] {
        assert_eq!(create(&stage, checkup, member).await, CheckupCreation::Created);
    }
    assert_eq!(stage.db.list_waiting_checkups(member.host).await.unwrap(), [first, other, general]);
}

pub(crate) async fn a_checkup_is_stored_with_the_generation_or_not_at_all(stage: Stage) {
    let member = stage.member().await;
    let now = generation(&stage, member).await;
    let wrong = (now.next(), now.next().next());
    let refused = stage.db.create_checkup(&checkup(member, None), wrong).await;
    assert!(matches!(refused, Err(DbError::Conflict { .. })));
    let foreign = Checkup { vendor: new_id(), ..checkup(member, None) };
    let refused = stage.db.create_checkup(&foreign, (now, now.next())).await;
    assert!(matches!(refused, Err(DbError::Conflict { .. })));
    assert_eq!(stage.db.list_waiting_checkups(member.host).await.unwrap(), []);
    assert_eq!(generation(&stage, member).await, now);
}

pub(crate) async fn an_answer_counts_once_and_for_its_host_alone(stage: Stage) {
    let member = stage.member().await;
    let neighbour = stage.host(member.vendor, member.clinic, "UKETSUKE-2").await;
    let asked = checkup(member, None);
    create(&stage, &asked, member).await;
    let record = async |host, now, results| {
        let outcome = CheckupOutcome { results, ..answered(&asked) };
        let acknowledged = Some(SpoolPosition { epoch: 1, sequence: 1 });
        let change = RenewalChange { checkups: vec![outcome], acknowledged, now, ..RenewalChange::default() };
        stage.db.record_renewals(host, &change).await.unwrap();
    };
    record(neighbour.host, noon(), results()).await;
    assert_eq!(stage.db.list_waiting_checkups(member.host).await.unwrap(), std::slice::from_ref(&asked));
    record(member.host, noon().plus(DAY), results()).await;
    record(member.host, noon().plus(2 * DAY), Vec::new()).await;
    let finding =
        CheckupFinding { examined_at: noon().plus(MINUTE), received_at: noon().plus(DAY), results: results() };
    let listed = stage.db.list_checkups(member.vendor, member.host, 10).await.unwrap();
    assert_eq!(listed, [Checkup { finding: Some(finding), ..asked.clone() }]);
    assert_eq!(stage.db.list_waiting_checkups(member.host).await.unwrap(), []);
    assert_eq!(stage.db.list_checkups(new_id(), member.host, 10).await.unwrap(), [], "another vendor sees nothing");
    let session = stage.db.find_session(member.host).await.unwrap().unwrap();
    assert_eq!(session.spool, SpoolPosition { epoch: 1, sequence: 1 });
}

pub(crate) async fn the_newest_answers_are_kept_and_those_that_wait_always(stage: Stage) {
    let member = stage.member().await;
    let waiting = checkup(member, Some(programme("own")));
    create(&stage, &waiting, member).await;
    let mut newest = Vec::new();
    for _ in 0..KEPT_CHECKUPS + 3 {
        let asked = checkup(member, None);
        create(&stage, &asked, member).await;
        let change = RenewalChange { checkups: vec![answered(&asked)], now: noon(), ..RenewalChange::default() };
        stage.db.record_renewals(member.host, &change).await.unwrap();
        newest.insert(0, asked.id);
    }
    let mut expected: Vec<_> = newest.into_iter().take(KEPT_CHECKUPS.into()).collect();
    expected.push(waiting.id);
    let listed = stage.db.list_checkups(member.vendor, member.host, 100).await.unwrap();
    assert_eq!(listed.iter().map(|checkup| checkup.id).collect::<Vec<_>>(), expected);
    let few = stage.db.list_checkups(member.vendor, member.host, 2).await.unwrap();
    assert_eq!(few.iter().map(|checkup| checkup.id).collect::<Vec<_>>(), expected[..2]);
}
