//! Client certificates of a Windows PC: imported from a PKCS#12 file, and renewed with a new key.
//!
//! RSA only: Wine has no EC keys.

use inkan_model::Fingerprint;
use inkan_tests::certificates::certificates_in;
use inkan_tests::deployment::CLINIC;
use inkan_tests::wait::{Look, wait_until};
use serde_json::Value;

use crate::pkcs12::{Pkcs12, rsa_request};
use crate::stage::{SOON, Stage};

/// What clinics get on paper: four digits.
const PASSWORD: &str = "1234";
/// With two organisational units, as those of the real systems have; the clinic's code follows.
const SUBJECT: &str = "/C=JP/O=Sample Receipt Online/OU=medical/OU=ishikawa/CN=";

/// Has the vendor's private CA issue a certificate for an RSA key, and imports both into the store of whoever runs the
/// agent; the certificate.
fn import(stage: &Stage) -> Fingerprint {
    let folder = stage.deployment.folder();
    let request = rsa_request(folder, &format!("{SUBJECT}{CLINIC}")).unwrap();
    let chain = certificates_in(&stage.deployment.issue_chain(&request.csr, 20).unwrap());
    let file = Pkcs12 { key: &request.key, chain: &chain, password: PASSWORD }.write(folder).unwrap();
    std::fs::copy(file, stage.agent.windows().on_drive_c("client.p12")).unwrap();
    std::fs::write(stage.agent.windows().on_drive_c("pin.txt"), PASSWORD).unwrap();
    let imported = ["import", r"C:\client.p12", "--password-file", r"C:\pin.txt", "--json"];
    let imported = stage.agent.command(&imported).unwrap();
    assert!(imported.contains("\"changed\""), "{imported}");
    Fingerprint::of(&chain[0])
}

/// Waits until the server knows exactly this client certificate in a Windows store; its installation.
async fn wait_until_only(stage: &mut Stage, certificate: &str) -> Value {
    let look = async || {
        let mut found = stage.of_host("certificates").await;
        found.retain(|one| one["location"]["kind"] == "windows_store");
        let is_only = found.len() == 1 && found[0]["certificate"] == certificate;
        Ok(Look::at(is_only.then(|| found[0].clone()), || format!("{found:?}\n{}", stage.agent.account())))
    };
    wait_until("the report of the client certificate", SOON, look).await.unwrap()
}

fn restart(stage: &mut Stage) {
    stage.agent.kill().unwrap();
    stage.agent.start().unwrap();
}

#[tokio::test]
async fn a_pkcs12_file_is_imported_with_a_key_that_cannot_be_taken_out() {
    let Some(mut stage) = Stage::set().await else { return };
    let certificate = import(&stage).to_string();
    restart(&mut stage);
    let installed = wait_until_only(&mut stage, &certificate).await;
    assert_eq!(installed["key"], "present", "{installed}");
    assert_eq!(installed["location"]["path"], "MY", "{installed}");

    let scan: Value = serde_json::from_str(&stage.agent.command(&["scan", "--json"]).unwrap()).unwrap();
    let stores = scan["locations"].as_array().unwrap().iter();
    let mut entries = stores.flat_map(|store| store["entries"].as_array().into_iter().flatten());
    let entry = entries.find(|entry| entry.to_string().contains(&certificate)).unwrap();
    assert!(entry.to_string().contains("\"key_exportable\":false"), "{entry}");
}

#[tokio::test]
async fn a_renewal_of_an_rsa_certificate_in_the_users_store_is_closed() {
    let Some(mut stage) = Stage::set().await else { return };
    let old = import(&stage).to_string();
    restart(&mut stage);
    wait_until_only(&mut stage, &old).await;

    let asked = stage.deployment.renew(&stage.host, &old).await.unwrap();
    let over = stage.deployment.wait_until_over(asked["id"].as_str().unwrap(), SOON).await;
    let over = over.unwrap_or_else(|error| panic!("{error:#}\n{}", stage.agent.account()));
    assert_eq!(over["state"], "closed", "{over}\n{}", stage.agent.account());
    let new = over["new_certificate"].as_str().unwrap().to_owned();
    assert_ne!(new, old);
    let installed = wait_until_only(&mut stage, &new).await;
    assert_eq!(installed["key"], "present", "{installed}");
}

#[tokio::test]
async fn a_renewal_is_closed_though_the_agent_is_killed_again_and_again() {
    let Some(mut stage) = Stage::set().await else { return };
    let old = import(&stage).to_string();
    restart(&mut stage);
    wait_until_only(&mut stage, &old).await;

    let asked = stage.deployment.renew(&stage.host, &old).await.unwrap();
    for _ in 0..4 {
        let begun = stage.agent.begun();
        restart(&mut stage);
        let look = async || Ok(Look::when(stage.agent.begun() > begun, || stage.agent.account()));
        wait_until("the agent's first word", SOON, look).await.unwrap();
    }
    let over = stage.deployment.wait_until_over(asked["id"].as_str().unwrap(), SOON * 2).await;
    let over = over.unwrap_or_else(|error| panic!("{error:#}\n{}", stage.agent.account()));
    assert_eq!(over["state"], "closed", "{over}");
    let new = over["new_certificate"].as_str().unwrap().to_owned();
    wait_until_only(&mut stage, &new).await;
}
