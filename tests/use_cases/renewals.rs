//! One renewal all the way, and what must not happen on it.

use inkan_core::Error;
use inkan_core::ports::{PageRequest, RenewalQuery};
use inkan_core::renewals::RenewalOrder;
use inkan_core::tasks::Task;
use inkan_issuance::key::SoftwareKey;
use inkan_issuance::proof::renewal_message;
use inkan_issuance::request::{build_request, subject_of};
use inkan_model::directive::{Directives, RenewalWant};
use inkan_model::host::HostState;
use inkan_model::renewal::{OutcomeResult, Proof, Renewal, RenewalStep};
use inkan_model::store::KeyPresence;
use inkan_model::sync::HostReport;
use inkan_model::{Certificate, Fingerprint};
use time::Duration;

use crate::stage::{Agent, Stage, certs_location, set, subject, trust_location};

/// A host with one certificate about to expire.
async fn reported(stage: &Stage) -> (Agent<'_>, Certificate, HostReport) {
    let mut agent = stage.enrolled().await;
    let (root, old) = (stage.ca_certificate(), stage.certificate(12));
    let trust = set(&[(&root, KeyPresence::NotExpected)]);
    let certs = set(&[(&old, KeyPresence::Present)]);
    let locations = [(trust_location(), &trust), (certs_location(), &certs)];
    agent.report_all(&locations, &[root, old.clone()]).await;
    (agent, old, Agent::report(&locations))
}

async fn renew(stage: &Stage, agent: &Agent<'_>, old: &Certificate) -> Result<Renewal, Error> {
    let order = RenewalOrder { host: agent.host(), certificate: old.fingerprint, reason: Some("試し".to_owned()) };
    stage.core.request_renewal(&stage.operator, order).await
}

async fn stored(stage: &Stage, renewal: &Renewal) -> Renewal {
    stage.core.view(&stage.operator).unwrap().renewal(renewal.id).await.unwrap()
}

async fn told(agent: &mut Agent<'_>, report: &HostReport) -> Directives {
    let directives = agent.sync(report, false).await.unwrap().directives.unwrap();
    agent.generation = directives.generation;
    directives
}

fn installed(directives: &Directives) -> (Vec<Vec<u8>>, Vec<u8>) {
    match &directives.renewals[0].want {
        RenewalWant::Install { chain, challenge, .. } => (chain.clone(), challenge.clone()),
        other => panic!("install is expected, not {other:?}"),
    }
}

#[tokio::test]
async fn a_renewal_goes_from_the_operators_wish_to_closed_and_keeps_both_ous() {
    let stage = Stage::set().await;
    let (mut agent, old, report) = reported(&stage).await;
    let renewal = renew(&stage, &agent, &old).await.unwrap();
    assert_eq!(renewal.state.name(), "directed");

    let directives = told(&mut agent, &report).await;
    assert_eq!(directives.renewals[0].want, RenewalWant::Request);
    let key = SoftwareKey::generate().unwrap();
    let csr = build_request(&subject(), &key).unwrap();
    let directives = agent.say(&report, Agent::outcome(&directives, OutcomeResult::Requested { csr })).await.unwrap();

    let (chain, challenge) = installed(&directives);
    assert_eq!(subject_of(&chain[0]).unwrap(), subject());
    let new = Fingerprint::of(&chain[0]);
    assert!(agent.say(&report, Agent::outcome(&directives, OutcomeResult::Installed { new })).await.is_none());
    let signature = key.sign_message(&renewal_message(&challenge)).unwrap();
    let proof = Proof { signature, probe: None };
    let directives =
        agent.say(&report, Agent::outcome(&directives, OutcomeResult::Proven { new, proof })).await.unwrap();
    assert_eq!(directives.renewals[0].want, RenewalWant::ArchiveOld { new });
    agent.say(&report, Agent::outcome(&directives, OutcomeResult::OldArchived { new })).await;
    assert_eq!(stored(&stage, &renewal).await.state.name(), "closed");
}

#[tokio::test]
async fn a_proof_by_another_key_does_not_archive_the_old_certificate() {
    let stage = Stage::set().await;
    let (mut agent, old, report) = reported(&stage).await;
    let renewal = renew(&stage, &agent, &old).await.unwrap();
    let directives = told(&mut agent, &report).await;
    let csr = build_request(&subject(), &SoftwareKey::generate().unwrap()).unwrap();
    let directives = agent.say(&report, Agent::outcome(&directives, OutcomeResult::Requested { csr })).await.unwrap();
    let (chain, challenge) = installed(&directives);
    let new = Fingerprint::of(&chain[0]);
    agent.say(&report, Agent::outcome(&directives, OutcomeResult::Installed { new })).await;
    let signature = SoftwareKey::generate().unwrap().sign_message(&renewal_message(&challenge)).unwrap();
    let proof = Proof { signature, probe: None };
    agent.say(&report, Agent::outcome(&directives, OutcomeResult::Proven { new, proof })).await;
    assert_eq!(stored(&stage, &renewal).await.state.name(), "failed");
}

#[tokio::test]
async fn asking_twice_answers_with_the_same_renewal() {
    let stage = Stage::set().await;
    let (agent, old, _) = reported(&stage).await;
    let first = renew(&stage, &agent, &old).await.unwrap();
    assert_eq!(renew(&stage, &agent, &old).await.unwrap().id, first.id);
    let view = stage.core.view(&stage.operator).unwrap();
    let listed = view.renewals(&RenewalQuery::default(), &PageRequest::first(10)).await.unwrap();
    assert_eq!(listed.items.len(), 1);
}

#[tokio::test]
async fn a_request_for_another_subject_is_not_certified() {
    let stage = Stage::set().await;
    let (mut agent, old, report) = reported(&stage).await;
    let renewal = renew(&stage, &agent, &old).await.unwrap();
    let directives = told(&mut agent, &report).await;
    let mut other = subject();
    *other.last_mut().unwrap() = b'9';
    let csr = build_request(&other, &SoftwareKey::generate().unwrap()).unwrap();
    agent.say(&report, Agent::outcome(&directives, OutcomeResult::Requested { csr })).await;
    assert_eq!(stored(&stage, &renewal).await.state.name(), "needs_person");
}

#[tokio::test]
async fn a_failed_step_is_tried_again_when_its_time_has_come() {
    let stage = Stage::set().await;
    let (mut agent, old, report) = reported(&stage).await;
    let renewal = renew(&stage, &agent, &old).await.unwrap();
    let directives = told(&mut agent, &report).await;
    let failed = OutcomeResult::Failed { step: RenewalStep::Request, why: "disk full".to_owned(), retry: true };
    agent.say(&report, Agent::outcome(&directives, failed)).await;
    assert_eq!(stored(&stage, &renewal).await.state.name(), "failed");
    stage.clock.advance(Duration::minutes(2));
    assert_eq!(Task::AdvanceRenewals.activate(&stage.core).await.unwrap(), 1);
    assert_eq!(stored(&stage, &renewal).await.state.name(), "directed");
    let again = told(&mut agent, &report).await;
    assert!(again.generation > directives.generation);
}

#[tokio::test]
async fn a_host_that_is_not_approved_is_not_told_anything() {
    let stage = Stage::set().await;
    let (agent, old, report) = reported(&stage).await;
    stage.core.set_host_state(&stage.operator, agent.host(), HostState::Suspended).await.unwrap();
    assert!(matches!(renew(&stage, &agent, &old).await, Err(Error::Conflict { .. })));
    assert!(agent.sync(&report, false).await.unwrap().directives.is_none());
}

#[tokio::test]
async fn a_certificate_of_somebody_elses_ca_is_refused_in_words() {
    let stage = Stage::set().await;
    let mut agent = stage.enrolled().await;
    let elsewhere = Stage::set().await.certificate(12);
    let certs = set(&[(&elsewhere, KeyPresence::Present)]);
    agent.report_all(&[(certs_location(), &certs)], std::slice::from_ref(&elsewhere)).await;
    let refused = renew(&stage, &agent, &elsewhere).await.unwrap_err();
    assert!(refused.to_string().contains("apply there"), "{refused}");
}

/// A certificate that only says that the vendor's CA issued it: the same issuer name, another key.
#[tokio::test]
async fn a_certificate_that_only_names_our_ca_is_not_renewed() {
    let stage = Stage::set().await;
    let mut agent = stage.enrolled().await;
    let named = |name: &str| {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.not_after = stage.core.now().plus(Duration::days(12)).to_utc();
        params
    };
    let impostor = rcgen::Issuer::new(named("Test private CA"), rcgen::KeyPair::generate().unwrap());
    let leaf = named("1310000001-victim").signed_by(&rcgen::KeyPair::generate().unwrap(), &impostor).unwrap();
    let forged = Certificate::read(leaf.der().to_vec());
    let ours = stage.ca_certificate().facts.unwrap();
    assert!(forged.facts.as_ref().unwrap().may_be_issued_by(&ours), "by its name it is ours");
    let certs = set(&[(&forged, KeyPresence::Present)]);
    agent.report_all(&[(certs_location(), &certs)], std::slice::from_ref(&forged)).await;
    assert!(matches!(renew(&stage, &agent, &forged).await, Err(Error::Conflict { .. })));
}

#[tokio::test]
async fn asking_again_begins_again_what_waited_for_a_person() {
    let stage = Stage::set().await;
    let (mut agent, old, report) = reported(&stage).await;
    let renewal = renew(&stage, &agent, &old).await.unwrap();
    let directives = told(&mut agent, &report).await;
    let refused = OutcomeResult::Failed { step: RenewalStep::Install, why: "read-only".to_owned(), retry: false };
    agent.say(&report, Agent::outcome(&directives, refused)).await;
    assert_eq!(stored(&stage, &renewal).await.state.name(), "needs_person");
    let again = renew(&stage, &agent, &old).await.unwrap();
    assert_eq!((again.id, again.state.name(), again.failures), (renewal.id, "directed", 0));
}

#[tokio::test]
async fn an_abandoned_renewal_is_no_longer_among_the_directives() {
    let stage = Stage::set().await;
    let (mut agent, old, report) = reported(&stage).await;
    let renewal = renew(&stage, &agent, &old).await.unwrap();
    told(&mut agent, &report).await;
    stage.core.abandon_renewal(&stage.operator, renewal.id, "間違い".to_owned()).await.unwrap();
    assert!(told(&mut agent, &report).await.renewals.is_empty());
    assert!(stage.core.abandon_renewal(&stage.operator, renewal.id, "再び".to_owned()).await.is_err());
}
