//! The Windows installer by msiexec under Wine, with the real server where a PC is enrolled.
//!
//! `INKAN_WINDOWS_MSI` names the installer and `INKAN_WINDOWS_MSI_NEXT` a later version of it; `deploy/windows/msi` builds
//! both. What only a real Windows shows (rights, prompts, its own log's wording) is tested nowhere else.
#![expect(clippy::print_stderr, clippy::unwrap_used, reason = "a test fails by panicking")]

mod installed;
#[path = "../windows/pkcs12.rs"]
mod pkcs12;

use std::time::Duration;

use inkan_model::Fingerprint;
use inkan_tests::certificates::certificates_in;
use inkan_tests::deployment::{CLINIC, TestDeployment};
use inkan_tests::wait::{Look, wait_until};

use crate::installed::{Pc, pc};
use crate::pkcs12::{Pkcs12, rsa_request};

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

#[tokio::test]
async fn a_certificate_in_a_users_store_is_renewed_by_that_users_companion() {
    let Some(pc) = pc() else { return };
    let deployment = TestDeployment::start_with(&[("sync.interval_seconds", "10")]).await.unwrap();
    let token = deployment.api().await.unwrap().join_token(CLINIC, 1, true).await.unwrap().reveal();
    pc.install(&properties(&deployment, &token)).unwrap();
    let host = synced(&pc).await;
    companion_works(&pc).await;
    let old = import(&pc, &deployment).to_string();
    // It is seen by the next scan, and there is one at each start.
    for order in ["stop", "start"] {
        pc.command(&["service", order]).unwrap();
    }
    wait_until_only(&pc, &deployment, &host, &old).await;

    let asked = deployment.renew(&host, &old).await.unwrap();
    let over = deployment.wait_until_over(asked["id"].as_str().unwrap(), SOON).await;
    let over = over.unwrap_or_else(|error| panic!("{error:#}\n{}", pc.account()));
    assert_eq!(over["state"], "closed", "{over}\n{}", pc.account());
    wait_until_only(&pc, &deployment, &host, over["new_certificate"].as_str().unwrap()).await;
    for operation in ["ensure_key", "sign", "install_beside", "archive_old"] {
        let asked = format!("asking a companion operation=\"{operation}\"");
        assert!(pc.log().contains(&asked), "no {operation}: {}", pc.account());
    }
}

/// Has the vendor's private CA issue a certificate for an RSA key, and imports both into the store of the PC's user, as
/// that user would; the certificate.
fn import(pc: &Pc, deployment: &TestDeployment) -> Fingerprint {
    let request = rsa_request(deployment.folder(), &format!("/C=JP/OU=medical/OU=ishikawa/CN={CLINIC}")).unwrap();
    let chain = certificates_in(&deployment.issue_chain(&request.csr, 20).unwrap());
    let file = Pkcs12 { key: &request.key, chain: &chain, password: "1234" }.write(deployment.folder()).unwrap();
    pc.put(&file, "client.p12");
    let password = deployment.folder().join("pin.txt");
    std::fs::write(&password, "1234").unwrap();
    pc.put(&password, "pin.txt");
    // The installed service has the agent's own folder; a person has another.
    let import = ["import", r"C:\client.p12", "--password-file", r"C:\pin.txt", "--json", "--data-dir", r"C:\person"];
    let imported = pc.command(&import).unwrap();
    assert!(imported.contains("\"changed\""), "{imported}");
    Fingerprint::of(&chain[0])
}

/// Waits until the server knows exactly this client certificate in a Windows store of the host.
async fn wait_until_only(pc: &Pc, deployment: &TestDeployment, host: &str, certificate: &str) {
    let api = deployment.api().await.unwrap();
    let look = async || {
        let mut found = api.list(&format!("/hosts/{host}/certificates")).await?;
        found.retain(|one| one["location"]["kind"] == "windows_store");
        let is_only = found.len() == 1 && found[0]["certificate"] == certificate;
        Ok(Look::when(is_only, || format!("{found:?}\n{}", pc.account())))
    };
    wait_until("the report of the client certificate", SOON, look).await.unwrap();
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
