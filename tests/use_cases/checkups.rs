//! A checkup from the operator's button to the page, with a PC that is off, and one that never answers.

use inkan_core::Error;
use inkan_model::checkup::{Check, CheckResult, CheckupOutcome};
use inkan_model::host::HostState;
use inkan_model::sync::{SpoolEntry, Told};
use time::Duration;

use crate::stage::{Agent, Stage};

fn found() -> Vec<CheckResult> {
    vec![CheckResult::well(Check::Clock, "時計は合っています。", "The clock is right.")]
}

#[tokio::test]
async fn a_checkup_waits_for_a_pc_that_is_off_and_is_answered_once() {
    let stage = Stage::set().await;
    let mut agent = stage.enrolled().await;
    let host = agent.host();
    agent.generation = agent.report_all(&[], &[]).await.directives.map_or(agent.generation, |told| told.generation);
    let asked = stage.core.request_checkup(&stage.operator, host, Some("common-ca")).await.unwrap();
    let again = stage.core.request_checkup(&stage.operator, host, Some("common-ca")).await.unwrap();
    assert_eq!(again.id, asked.id, "asking again is the same");

    stage.clock.advance(Duration::days(40));
    let view = stage.core.view(&stage.operator).unwrap();
    let seen = view.checkups(host).await.unwrap();
    assert_eq!((seen.waiting.len(), seen.last), (1, None));

    let report = Agent::report(&[]);
    let directives = agent.sync(&report, false).await.unwrap().directives.unwrap();
    assert_eq!(directives.checkups.len(), 1);
    assert_eq!(directives.checkups[0].programme.as_ref().unwrap().id.as_str(), "common-ca");
    agent.generation = directives.generation;
    assert_eq!(agent.sync(&report, false).await.unwrap().directives, None, "told once");

    let outcome = CheckupOutcome { checkup: asked.id, examined_at: stage.core.now(), results: found() };
    agent.entries = vec![SpoolEntry { sequence: 1, at: stage.core.now(), told: Told::Checkup(outcome) }];
    let answer = agent.sync(&report, false).await.unwrap();
    assert_eq!(answer.acknowledged.sequence, 1);
    let directives = answer.directives.unwrap();
    assert!(directives.checkups.is_empty() && directives.generation > agent.generation);
    agent.generation = directives.generation;
    // A repetition changes nothing.
    assert_eq!(agent.sync(&report, false).await.unwrap().directives, None);
    let seen = view.checkups(host).await.unwrap();
    assert!(seen.waiting.is_empty());
    assert_eq!(seen.last.unwrap().finding.unwrap().results, found());
}

#[tokio::test]
async fn a_checkup_wakes_the_pc_that_watches() {
    let stage = Stage::set().await;
    let mut agent = stage.enrolled().await;
    agent.report_all(&[], &[]).await;
    let mut nudges = stage.core.nudges().subscribe(agent.host());
    stage.core.request_checkup(&stage.operator, agent.host(), None).await.unwrap();
    assert!(nudges.has_changed().unwrap());
    assert_eq!(*nudges.borrow_and_update(), agent.session().await.generation);
}

#[tokio::test]
async fn a_checkup_that_cannot_be_is_refused_in_words() {
    let stage = Stage::set().await;
    let agent = stage.enrolled().await;
    let host = agent.host();
    let ask = async |programme| stage.core.request_checkup(&stage.operator, host, programme).await;
    assert!(matches!(ask(Some("netscape")).await, Err(Error::NotFound { what: "programme" })));
    stage.core.set_host_state(&stage.operator, host, HostState::Suspended).await.unwrap();
    assert!(matches!(ask(None).await, Err(Error::Conflict { .. })));
    let stranger = stage.core.create_vendor("他社").await.unwrap();
    let stranger = stage.core.create_operator_of(stranger.id, crate::stage::person("taro@other.test")).await.unwrap();
    let refused = stage.core.request_checkup(&stranger, host, None).await;
    assert!(matches!(refused, Err(Error::NotFound { what: "host" })));
    assert!(stage.core.view(&stranger).unwrap().checkups(host).await.unwrap().waiting.is_empty());
}

#[tokio::test]
async fn a_renewal_and_a_checkup_do_not_lose_each_other() {
    let stage = Stage::set().await;
    let agent = stage.enrolled().await;
    for programme in [None, Some("common-ca"), Some("rokin-cjs")] {
        stage.core.request_checkup(&stage.operator, agent.host(), programme).await.unwrap();
    }
    let directives = agent.sync(&Agent::report(&[]), false).await.unwrap().directives.unwrap();
    assert_eq!(directives.checkups.len(), 3);
}
