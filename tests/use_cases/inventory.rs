//! Reports: digest first, findings that open and close by themselves, and nobody else's business.

use inkan_core::ports::{FindingQuery, HostQuery, InstallationQuery, PageRequest};
use inkan_core::tasks::Task;
use inkan_model::finding::Rule;
use inkan_model::store::{KeyPresence, StoreSet};
use time::Duration;

use crate::stage::{Agent, Stage, certs_location, person, set, trust_location};

async fn rules(stage: &Stage) -> Vec<Rule> {
    let view = stage.core.view(&stage.operator).unwrap();
    let found = view.findings(&FindingQuery::default(), &PageRequest::first(50)).await.unwrap();
    let mut rules: Vec<_> = found.items.iter().map(|row| row.diagnosis.subject.rule()).collect();
    rules.sort_unstable();
    rules
}

#[tokio::test]
async fn the_first_report_is_asked_for_piece_by_piece_and_the_next_is_quiet() {
    let stage = Stage::set().await;
    let mut agent = stage.enrolled().await;
    let (root, client) = (stage.ca_certificate(), stage.certificate(400));
    let trust = set(&[(&root, KeyPresence::NotExpected)]);
    let certs = set(&[(&client, KeyPresence::Present)]);
    let locations = [(trust_location(), &trust), (certs_location(), &certs)];
    let report = Agent::report(&locations);
    assert!(agent.sync(&report, false).await.unwrap().lacks.report);
    let answer = agent.sync(&report, true).await.unwrap();
    assert_eq!(answer.lacks.sets.len(), 2);
    agent.report_all(&locations, &[root, client]).await;
    let quiet = agent.sync(&report, false).await.unwrap();
    assert!(quiet.lacks.is_nothing() && quiet.directives.is_none());
    let view = stage.core.view(&stage.operator).unwrap();
    assert_eq!(view.installation_count(&InstallationQuery::default()).await.unwrap(), 1);
    assert_eq!(rules(&stage).await, []);
}

#[tokio::test]
async fn a_one_certificate_change_travels_as_a_delta() {
    let stage = Stage::set().await;
    let mut agent = stage.enrolled().await;
    let (root, client) = (stage.ca_certificate(), stage.certificate(400));
    let before = set(&[(&root, KeyPresence::NotExpected)]);
    agent.report_all(&[(trust_location(), &before)], std::slice::from_ref(&root)).await;
    let after = set(&[(&root, KeyPresence::NotExpected), (&client, KeyPresence::NotExpected)]);
    let contents = inkan_core::intake::Contents {
        certificates: vec![client],
        sets: Vec::new(),
        deltas: vec![(after.digest(), after.delta_from(&before))],
    };
    assert!(stage.core.take_contents(contents).await.unwrap().is_nothing());
    let report = Agent::report(&[(trust_location(), &after)]);
    assert!(agent.sync(&report, true).await.unwrap().lacks.is_nothing());
}

#[tokio::test]
async fn a_delta_to_an_unknown_set_is_asked_for_whole() {
    let stage = Stage::set().await;
    let (root, client) = (stage.ca_certificate(), stage.certificate(400));
    let before = set(&[(&client, KeyPresence::Present)]);
    let after = set(&[(&root, KeyPresence::NotExpected)]);
    let deltas = vec![(after.digest(), after.delta_from(&before))];
    let contents = inkan_core::intake::Contents { deltas, ..inkan_core::intake::Contents::default() };
    assert_eq!(stage.core.take_contents(contents).await.unwrap().sets, [after.digest()]);
}

#[tokio::test]
async fn findings_open_with_time_and_close_when_the_cause_is_gone() {
    let stage = Stage::set().await;
    let mut agent = stage.enrolled().await;
    let (root, client) = (stage.ca_certificate(), stage.certificate(100));
    let trust = set(&[(&root, KeyPresence::NotExpected)]);
    let certs = set(&[(&client, KeyPresence::Present)]);
    agent.report_all(&[(trust_location(), &trust), (certs_location(), &certs)], &[root, client]).await;
    assert_eq!(rules(&stage).await, []);
    stage.clock.advance(Duration::days(11));
    while Task::ReviewHosts.activate(&stage.core).await.unwrap() > 0 {}
    assert_eq!(rules(&stage).await, [Rule::CertificateExpiring, Rule::HostSilent]);
    let gone = StoreSet::default();
    agent.report_all(&[(trust_location(), &trust), (certs_location(), &gone)], &[]).await;
    assert_eq!(rules(&stage).await, []);
}

#[tokio::test]
async fn a_host_that_comes_back_is_no_longer_silent() {
    let stage = Stage::set().await;
    let mut agent = stage.enrolled().await;
    let empty = StoreSet::default();
    agent.report_all(&[(certs_location(), &empty)], &[]).await;
    stage.clock.advance(Duration::days(8));
    while Task::ReviewHosts.activate(&stage.core).await.unwrap() > 0 {}
    assert_eq!(rules(&stage).await, [Rule::HostSilent]);
    agent.sync(&Agent::report(&[(certs_location(), &empty)]), false).await.unwrap();
    assert_eq!(rules(&stage).await, []);
}

#[tokio::test]
async fn another_vendor_sees_nothing_of_it() {
    let stage = Stage::set().await;
    let mut agent = stage.enrolled().await;
    let client = stage.certificate(3);
    let certs = set(&[(&client, KeyPresence::Present)]);
    agent.report_all(&[(certs_location(), &certs)], std::slice::from_ref(&client)).await;
    let other = stage.core.create_vendor("別のベンダー").await.unwrap();
    let stranger = stage.core.create_operator_of(other.id, person("jiro@other.test")).await.unwrap();
    let view = stage.core.view(&stranger).unwrap();
    let page = PageRequest::first(10);
    assert!(view.hosts(&HostQuery::default(), &page).await.unwrap().items.is_empty());
    assert!(view.host(agent.host()).await.is_err());
    assert!(view.certificate(client.fingerprint).await.is_err());
    assert!(view.findings(&FindingQuery::default(), &page).await.unwrap().items.is_empty());
    assert!(view.events(agent.host(), &page).await.unwrap().items.is_empty());
    assert!(view.locations(agent.host()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_digest_that_is_not_the_reports_is_refused_by_name() {
    let stage = Stage::set().await;
    let agent = stage.enrolled().await;
    let report = Agent::report(&[]);
    let message = inkan_model::sync::SyncReport {
        epoch: 1,
        entries: Vec::new(),
        state: inkan_model::StateDigest::from_bytes([0; 32]),
        report: Some(report),
        generation: agent.generation,
        clock: stage.core.now(),
    };
    let refused = stage.core.sync(agent.host(), &agent.session().await, message).await.unwrap_err();
    assert!(refused.to_string().starts_with("state:"), "{refused}");
}
