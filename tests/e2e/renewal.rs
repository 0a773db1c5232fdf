//! One renewal all the way: asked for by an operator, done on the PC, proven, and only then the old one archived.

use std::process::Command;

use inkan_model::Fingerprint;
use inkan_tests::certificates::{SampleCa, certificate_pem, subject};
use inkan_tests::process::run;
use inkan_tests::wait::{Look, wait_until};
use time::Duration;

use crate::stage::{SOON, Stage};

/// The subject as openssl reads it.
fn subject_by_openssl(stage: &Stage, der: &[u8]) -> String {
    let file = stage.deployment.folder().join("shown.pem");
    std::fs::write(&file, certificate_pem(der)).unwrap();
    let mut command = Command::new("openssl");
    command.args(["x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in"]).arg(&file);
    run(command).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_renewal_ends_with_the_new_certificate_in_place_and_both_organisational_units() {
    let stage = Stage::set().await;
    let old = stage.agent.usable_certificate(&stage.ca).unwrap();
    assert_eq!(Fingerprint::of(&old), stage.old);

    let asked = stage.deployment.renew(&stage.host, &stage.old.to_string()).await.unwrap();
    let id = asked["id"].as_str().unwrap();
    let over = stage.deployment.wait_until_over(id, SOON).await.unwrap();
    assert_eq!(over["state"], "closed", "{over}");

    let new = stage.agent.usable_certificate(&stage.ca).unwrap();
    assert_eq!(over["new_certificate"], Fingerprint::of(&new).to_string());
    assert_ne!(new, old);
    let named = subject_by_openssl(&stage, &new);
    assert_eq!(named, "subject=CN=1710119153,OU=ishikawa,OU=medical,O=Sample Receipt Online,C=JP");
    assert_eq!(named, subject_by_openssl(&stage, &old));

    // The old one is kept, but not where a program would take it.
    let archived = stage.agent.files().into_iter().filter(|file| file.contains('/')).collect::<Vec<_>>();
    assert!(!archived.is_empty(), "{:?}", stage.agent.files());
    stage.wait_until_only(Fingerprint::of(&new)).await;
    wait_until("the finding to close by itself", SOON, async || {
        let host = stage.deployment.host(&stage.host).await?;
        Ok(Look::when(host["findings"].as_array().is_some_and(Vec::is_empty), || host["findings"].to_string()))
    })
    .await
    .unwrap();
    let events = stage.of_host("events").await;
    let states: Vec<_> = events.iter().filter(|event| event["what"] == "renewal_moved").collect();
    let states: Vec<_> = states.iter().rev().filter_map(|event| event["state"].as_str()).collect();
    assert_eq!(states, ["planned", "directed", "requested", "issued", "installed", "proven", "closed"]);
}

#[tokio::test]
async fn asking_twice_is_one_renewal() {
    let mut stage = Stage::set().await;
    stage.agent.kill().unwrap();
    let first = stage.deployment.renew(&stage.host, &stage.old.to_string()).await.unwrap();
    let second = stage.deployment.renew(&stage.host, &stage.old.to_string()).await.unwrap();
    assert_eq!(first["id"], second["id"]);
    // The agent was off when it was asked for, and does it when it is back.
    stage.agent.start().unwrap();
    let over = stage.deployment.wait_until_over(first["id"].as_str().unwrap(), SOON).await.unwrap();
    assert_eq!(over["state"], "closed", "{over}");
}

#[tokio::test]
async fn a_certificate_of_somebody_elses_authority_is_not_promised() {
    let mut stage = Stage::set().await;
    let other = SampleCa::create("Somebody Else's CA").unwrap();
    let foreign = other.issue(&subject(["medical", "ishikawa"], "foreign").unwrap(), Duration::DAY, Duration::DAY * 9);
    let foreign = foreign.unwrap();
    stage.agent.install("foreign", &foreign).unwrap();
    stage.agent.restart().unwrap();
    let sha256 = Fingerprint::of(&foreign.der).to_string();
    wait_until("the foreign certificate", SOON, async || {
        let found = stage.installations().await;
        Ok(Look::when(found.iter().any(|one| one["certificate"] == sha256.as_str()), || format!("{found:?}")))
    })
    .await
    .unwrap();
    let error = format!("{:#}", stage.deployment.renew(&stage.host, &sha256).await.unwrap_err());
    assert!(error.contains("409") && error.contains("Somebody Else's CA"), "{error}");
}

#[tokio::test]
async fn a_renewal_that_is_given_up_leaves_the_old_certificate_as_it_was() {
    let mut stage = Stage::set().await;
    stage.agent.kill().unwrap();
    let asked = stage.deployment.renew(&stage.host, &stage.old.to_string()).await.unwrap();
    let id = asked["id"].as_str().unwrap();
    let api = stage.deployment.api().await.unwrap();
    api.post(&format!("/renewals/{id}/abandon"), &serde_json::json!({ "why": "a test" })).await.unwrap();
    let before = stage.agent.files();
    stage.agent.start().unwrap();
    stage.agent.wait_until_synced(SOON).await.unwrap();
    assert_eq!(stage.agent.files(), before);
    let still = stage.agent.usable_certificate(&stage.ca).unwrap();
    assert_eq!(Fingerprint::of(&still), stage.old);
}
