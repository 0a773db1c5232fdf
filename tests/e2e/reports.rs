//! Reports: read from the machine, told by digest, written only when they change.

use std::time::Duration;

use inkan_model::Fingerprint;
use inkan_model::store::{Scope, StoreKind};
use inkan_tests::certificates::{SampleCa, subject, system_anchors};
use inkan_tests::deployment::TestDeployment;
use inkan_tests::wait::{Look, wait_until};
use inkan_tests::writes::Writes;

use crate::stage::{SOON, Stage, anchor, directory, simulated, with_key};

#[tokio::test]
async fn what_stands_on_this_machine_is_readable_through_the_api() {
    let stage = Stage::set().await;
    let shown = stage.deployment.host(&stage.host).await.unwrap();
    assert_eq!(shown["state"], "active");
    assert!(shown["facts"]["kernel"].as_str().is_some_and(|kernel| !kernel.is_empty()), "{shown}");

    let locations = stage.of_host("locations").await;
    let trust = locations.iter().find(|location| location["kind"] == "system_trust");
    let mut anchors: Vec<_> = system_anchors().iter().map(|der| Fingerprint::of(der)).collect();
    anchors.sort_unstable();
    anchors.dedup();
    if !anchors.is_empty() {
        assert_eq!(trust.unwrap()["certificates"].as_u64(), Some(anchors.len() as u64), "{locations:?}");
    }
    let own = stage.installations().await;
    assert_eq!(own.len(), 1, "{own:?}");
    assert_eq!(own[0]["certificate"], stage.old.to_string());
    assert_eq!(own[0]["key"], "present");
    assert_eq!(own[0]["days_left"], 19);

    let findings = shown["findings"].as_array().unwrap();
    let rules: Vec<_> = findings.iter().filter_map(|finding| finding["rule"].as_str()).collect();
    assert_eq!(rules, ["certificate_expiring"], "the chain is complete, the key is there: {findings:?}");
}

#[tokio::test]
async fn a_quiet_sync_writes_no_inventory_row() {
    let deployment = TestDeployment::start().await.unwrap();
    let mut pc = simulated(&deployment, 1).await;
    let ca = SampleCa::create("Sample CA").unwrap();
    let anchors = system_anchors();
    let entries = anchors.iter().map(|der| anchor(der)).collect();
    pc.stores.put(directory("/trust"), entries, anchors);
    let own = ca.issue(&subject(["medical", "ishikawa"], "x").unwrap(), DAY, DAY * 200).unwrap().der;
    pc.stores.put(
        directory("/own"),
        vec![with_key(&own), anchor(ca.certificate())],
        vec![own, ca.certificate().to_vec()],
    );
    pc.report().await.unwrap();

    let writes = Writes::watch(&deployment).await.unwrap();
    pc.take_traffic();
    let mut bytes = Vec::new();
    for _ in 0..20 {
        assert!(pc.sync().await.unwrap().lacks.is_nothing());
        let traffic = pc.take_traffic();
        bytes.push(traffic.sent + traffic.received);
    }
    assert_eq!(writes.tables().await.unwrap(), Vec::<(String, i64)>::new());
    assert!(bytes[1..].iter().all(|bytes| *bytes < 700), "a quiet sync is one small message: {bytes:?}");

    // That the watch sees writes at all.
    pc.stores.put(directory("/own"), vec![anchor(ca.certificate())], Vec::new());
    pc.report().await.unwrap();
    let tables = writes.tables().await.unwrap();
    assert!(tables.iter().any(|(table, _)| table == "host_location"), "{tables:?}");
}

#[tokio::test]
async fn one_new_certificate_travels_as_a_change_of_its_set() {
    let deployment = TestDeployment::start().await.unwrap();
    let mut pc = simulated(&deployment, 1).await;
    let ca = SampleCa::create("Sample CA").unwrap();
    let anchors = system_anchors();
    let mut entries: Vec<_> = anchors.iter().map(|der| anchor(der)).collect();
    pc.stores.put(directory("/trust"), entries.clone(), anchors);
    pc.report().await.unwrap();
    let first = pc.take_traffic();
    entries.push(anchor(ca.certificate()));
    pc.stores.put(directory("/trust"), entries, vec![ca.certificate().to_vec()]);
    pc.report().await.unwrap();
    let change = pc.take_traffic();
    assert!(change.sent < 4_000, "{change:?} after {first:?}");
    let shown = deployment.api().await.unwrap();
    let sha256 = Fingerprint::of(ca.certificate()).to_string();
    assert_eq!(shown.list(&format!("/certificates/{sha256}/holders")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_same_set_on_another_pc_brings_no_contents_again() {
    let deployment = TestDeployment::start().await.unwrap();
    let anchors = system_anchors();
    let entries: Vec<_> = anchors.iter().map(|der| anchor(der)).collect();
    let mut sent = Vec::new();
    for number in 1..=2 {
        let mut pc = simulated(&deployment, number).await;
        pc.stores.put(directory("/trust"), entries.clone(), anchors.clone());
        pc.report().await.unwrap();
        sent.push(pc.take_traffic().sent);
    }
    assert!(sent[1] * 10 < sent[0] || sent[0] < 10_000, "{sent:?}");
}

#[tokio::test]
async fn an_agent_that_was_away_tells_what_changed_meanwhile() {
    let mut stage = Stage::set().await;
    stage.agent.kill().unwrap();
    let second = stage.deployment.issue(&subject(["medical", "ishikawa"], "1710119153-02").unwrap(), 100).unwrap();
    stage.agent.install("second", &second).unwrap();
    stage.deployment.kill().unwrap();
    stage.agent.start().unwrap();
    wait_until("the agent to notice that the server is away", SOON, async || {
        let status = stage.agent.status();
        Ok(Look::when(status["trouble"].is_object(), || status.to_string()))
    })
    .await
    .unwrap();
    stage.deployment.restart().await.unwrap();
    wait_until("the second certificate", SOON, async || {
        let found = stage.installations().await;
        Ok(Look::when(found.len() == 2, || format!("{found:?}")))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn words_that_a_newer_agent_knows_survive() {
    let deployment = TestDeployment::start().await.unwrap();
    let mut pc = simulated(&deployment, 1).await;
    let location = inkan_model::store::Location {
        kind: StoreKind::Unrecognized(77),
        scope: Scope::Machine,
        path: "somewhere new".to_owned(),
    };
    pc.stores.put(location, Vec::new(), Vec::new());
    pc.report().await.unwrap();
    let path = format!("/hosts/{}/locations", pc.host);
    let locations = deployment.api().await.unwrap().list(&path).await.unwrap();
    assert!(locations[0]["kind"].as_str().unwrap().contains("77"), "{locations:?}");
}

const DAY: time::Duration = time::Duration::DAY;

#[tokio::test]
async fn the_real_agent_says_what_a_quiet_sync_costs() {
    let stage = Stage::set().await;
    let look = async || {
        let status = stage.agent.status();
        Ok(Look::at(status["quiet_sync_bytes"].as_u64(), || status.to_string()))
    };
    let bytes = wait_until("a quiet sync", Duration::from_secs(90), look).await.unwrap();
    assert!((1..1_000).contains(&bytes), "{bytes}");
}
