//! The Windows installer by msiexec under Wine, with the real server where a PC is enrolled.
//!
//! `INKAN_WINDOWS_MSI` names the installer and `INKAN_WINDOWS_MSI_NEXT` a later version of it; `deploy/windows/msi` builds
//! both. What only a real Windows shows (rights, prompts, its own log's wording) is tested nowhere else.
#![expect(clippy::print_stderr, clippy::unwrap_used, reason = "a test fails by panicking")]

mod installed;

use std::time::Duration;

use inkan_tests::deployment::{CLINIC, TestDeployment};
use inkan_tests::wait::{Look, wait_until};

use crate::installed::{Pc, pc};

/// Long enough for Wine on a loaded machine.
const SOON: Duration = Duration::from_mins(2);

#[test]
fn a_pc_that_is_enrolled_later_gets_the_running_service_and_loses_everything_with_it() {
    let Some(pc) = pc() else { return };
    pc.install(&["LATER=1"]).unwrap();
    assert_eq!(pc.service(), "running");
    assert!(pc.data("agent.log").is_file(), "{}", pc.account());
    pc.uninstall().unwrap();
    assert_eq!(pc.traces(), Vec::<String>::new());
}

#[test]
fn an_installation_without_properties_says_what_it_needs_and_leaves_nothing() {
    let Some(pc) = pc() else { return };
    let log = pc.install(&[] as &[&str]).unwrap_err();
    assert!(log.contains("Action ended"), "{log}");
    assert_eq!(pc.traces(), Vec::<String>::new());
}

#[tokio::test]
async fn a_wrong_token_fails_the_installation_and_takes_it_back() {
    let Some(pc) = pc() else { return };
    let deployment = TestDeployment::start().await.unwrap();
    let token = wrong_token();
    let log = pc.install(&properties(&deployment, &token)).unwrap_err();
    assert!(log.contains("could not be enrolled"), "{log}");
    assert_eq!(showing(&log, &token), Vec::<&str>::new());
    assert!(!pc.program().exists() && pc.service() == "not installed", "{:?}", pc.traces());
    assert!(deployment.api().await.unwrap().list("/hosts").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_pc_is_enrolled_by_its_installation_kept_by_an_upgrade_and_clean_after_it_is_removed() {
    let Some(pc) = pc() else { return };
    let deployment = TestDeployment::start_with(&[("sync.interval_seconds", "10")]).await.unwrap();
    let api = deployment.api().await.unwrap();
    let token = api.join_token(CLINIC, 1, true).await.unwrap().reveal();
    let log = pc.install(&properties(&deployment, &token)).unwrap();
    assert_eq!(pc.service(), "running");
    let host = synced(&pc).await;
    assert_eq!(deployment.host(&host).await.unwrap()["state"], "active");
    assert_eq!(pc.holding(&token), Vec::<String>::new(), "the token is in files or the registry");
    assert_eq!(showing(&log, &token), Vec::<&str>::new());
    companion_works(&pc).await;

    let identity = std::fs::read(pc.data("identity/identity.json")).unwrap();
    pc.upgrade().unwrap();
    assert_eq!(pc.service(), "running");
    assert_eq!(std::fs::read(pc.data("identity/identity.json")).unwrap(), identity);
    assert_eq!(synced(&pc).await, host);
    assert_eq!(api.list("/hosts").await.unwrap().len(), 1);

    pc.uninstall().unwrap();
    assert_eq!(pc.traces(), Vec::<String>::new());
}

fn properties(deployment: &TestDeployment, token: &str) -> Vec<String> {
    let addresses = deployment.addresses();
    vec![
        format!("SERVER={}", addresses.enrolment_url()),
        format!("CAPIN={}", addresses.ca_pin),
        format!("TOKEN={token}"),
    ]
}

/// The lines that show a text.
fn showing<'l>(log: &'l str, needle: &str) -> Vec<&'l str> {
    log.lines().filter(|line| line.contains(needle)).collect()
}

/// A token that is well made and that no server gave out.
fn wrong_token() -> String {
    inkan_model::join_token::JoinTokenSecret::new([7; 32]).reveal()
}

/// Waits until the service has synced since it was started; which host it is.
async fn synced(pc: &Pc) -> String {
    let found = wait_until("the service's sync", SOON, async || {
        let status = pc.status();
        let synced = status["last_sync"].is_string() && status["last_sync"].as_str() >= status["started_at"].as_str();
        let host = status["host"].as_str().filter(|_| synced).map(str::to_owned);
        Ok(Look::at(host, || pc.account()))
    });
    found.await.unwrap()
}

/// Waits until the companion of the one user of this PC has been greeted.
async fn companion_works(pc: &Pc) {
    let works = wait_until("a companion", SOON, async || {
        Ok(Look::when(pc.log().contains("a companion works"), || pc.account()))
    });
    works.await.unwrap();
}
