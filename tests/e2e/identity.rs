//! Who an agent is: renewed before it expires, recovered after, and held back when it is in two places.

use inkan_issuance::identity_ca::{AgentCa, verify_identity};
use inkan_model::identity::RECOVERY_LIMIT;
use inkan_tests::certificates::now;
use inkan_tests::deployment::TestDeployment;
use inkan_tests::simulated::refusal;
use time::Duration;

use crate::stage::simulated;

#[tokio::test]
async fn a_renewed_identity_counts_once_it_is_used() {
    let deployment = TestDeployment::start().await.unwrap();
    let mut pc = simulated(&deployment, 1).await;
    pc.report().await.unwrap();
    let first = pc.identity_chain();
    pc.renew_identity().await.unwrap();
    let second = pc.identity_chain();
    // The answer was lost: the old one still speaks.
    pc.restore_identity(first);
    pc.sync().await.unwrap();
    pc.restore_identity(second);
    pc.sync().await.unwrap();
}

#[tokio::test]
async fn an_identity_in_two_places_holds_back_the_host_until_a_person_decides() {
    let deployment = TestDeployment::start().await.unwrap();
    let mut pc = simulated(&deployment, 1).await;
    pc.report().await.unwrap();
    let cloned = pc.identity_chain();
    pc.renew_identity().await.unwrap();
    pc.sync().await.unwrap();
    let current = pc.identity_chain();
    pc.restore_identity(cloned);
    let error = pc.sync().await.unwrap_err();
    assert!(refusal(&error).is_some(), "{error:#}");
    let host = pc.host.to_string();
    let shown = deployment.host(&host).await.unwrap();
    assert_eq!(shown["state"], "suspended", "{shown}");
    // The one that was renewed goes on reporting.
    pc.restore_identity(current);
    pc.sync().await.unwrap();
    let events = deployment.api().await.unwrap().list(&format!("/hosts/{host}/events")).await.unwrap();
    assert!(events.iter().any(|event| event["what"] == "identity_conflict"), "{events:?}");
}

/// The same identity, but long over: what a PC has that was switched off for weeks.
fn expired(deployment: &TestDeployment, chain: &[Vec<u8>]) -> Vec<u8> {
    let folder = deployment.data_dir().join("deployment");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let ca = AgentCa::load(&read("agent-ca.pem"), &read("agent-ca.key")).unwrap();
    let issued = verify_identity(&chain[0], &chain[1]).unwrap();
    let (from, to) = (now().minus(Duration::hours(20)), now().minus(Duration::hours(1)));
    ca.issue_agent(&issued.identity, &issued.spki_der, issued.serial, from, to).unwrap()
}

#[tokio::test]
async fn an_expired_identity_is_refused_and_recovers_by_its_key_a_few_times() {
    let deployment = TestDeployment::start().await.unwrap();
    let doors = deployment.addresses().doors();
    let mut pc = simulated(&deployment, 1).await;
    pc.report().await.unwrap();
    for _ in 0..RECOVERY_LIMIT {
        let chain = pc.identity_chain();
        pc.restore_identity(vec![expired(&deployment, &chain), chain[1].clone()]);
        assert!(pc.sync().await.is_err(), "an expired identity must not speak");
        pc.recover(&doors).await.unwrap();
        pc.sync().await.unwrap();
    }
    let chain = pc.identity_chain();
    pc.restore_identity(vec![expired(&deployment, &chain), chain[1].clone()]);
    let error = pc.recover(&doors).await.unwrap_err();
    assert!(refusal(&error).is_some_and(|status| status.message().contains("too often")), "{error:#}");
}
