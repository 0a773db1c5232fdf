//! What a Windows PC trusts: changed by the agent's own program, seen by the server.

use inkan_model::Fingerprint;
use inkan_tests::certificates::{SampleCa, certificate_pem};
use inkan_tests::wait::{Look, wait_until};

use crate::stage::{SOON, Stage};

/// What the server knows of the machine's store Root.
const ROOT: &str = "locations/entries?kind=windows_store&path=Root";

async fn wait_until_trusts(stage: &mut Stage, root: &str, trusts: bool) {
    // A scan at once, in place of the next one in a minute.
    stage.agent.kill().unwrap();
    stage.agent.start().unwrap();
    let what = format!("the report that {root} is trusted: {trusts}");
    let look = async || {
        let entries = stage.of_host(ROOT).await;
        let found = entries.iter().any(|entry| entry["certificate"] == root);
        Ok(Look::when(found == trusts, || format!("{} entries\n{}", entries.len(), stage.agent.account())))
    };
    wait_until(&what, SOON, look).await.unwrap();
}

#[tokio::test]
async fn a_root_is_added_to_the_machine_and_taken_away_again() {
    let Some(mut stage) = Stage::set().await else { return };
    let ca = SampleCa::create("Sample root of the tests").unwrap();
    let root = Fingerprint::of(ca.certificate()).to_string();
    std::fs::write(stage.agent.windows().on_drive_c("root.pem"), certificate_pem(ca.certificate())).unwrap();

    let added = stage.agent.command(&["anchor", "add", r"C:\root.pem", "--json"]).unwrap();
    assert!(added.contains("\"changed\"") && added.contains(&root), "{added}");
    wait_until_trusts(&mut stage, &root, true).await;

    // A second time there is nothing to do.
    let again = stage.agent.command(&["anchor", "add", r"C:\root.pem", "--json"]).unwrap();
    assert!(!again.contains("\"changed\""), "{again}");

    let removed = stage.agent.command(&["anchor", "remove", &root, "--json"]).unwrap();
    assert!(removed.contains("\"changed\""), "{removed}");
    wait_until_trusts(&mut stage, &root, false).await;
}
