//! `kill -9` of either side at many moments of a renewal: each time it ends with exactly one usable certificate in place,
//! and with a record that says so.

use std::time::{Duration, Instant};

use inkan_model::Fingerprint;

use crate::stage::{SOON, Stage};

/// Renewals that are disturbed, of each kind.
const ROUNDS: u32 = 25;
/// A disturbed renewal may wait for a back-off or two.
const PATIENCE: Duration = Duration::from_secs(40);

enum Victim {
    Agent,
    Server,
    Both,
}

/// One renewal from beginning to end, with a kill at `moment` after it was asked for.
async fn disturbed(stage: &mut Stage, moment: Duration, victim: &Victim) -> String {
    let old = stage.agent.usable_certificate(&stage.ca).unwrap();
    stage.wait_until_only(Fingerprint::of(&old)).await;
    let asked = stage.deployment.renew(&stage.host, &Fingerprint::of(&old).to_string()).await.unwrap();
    let id = asked["id"].as_str().unwrap().to_owned();
    // The moment itself is what is tested, so this is a time and not a condition.
    tokio::time::sleep(moment).await;
    if matches!(victim, Victim::Server | Victim::Both) {
        stage.deployment.kill().unwrap();
    }
    if matches!(victim, Victim::Agent | Victim::Both) {
        stage.agent.kill().unwrap();
    }
    // Whatever the moment was, the PC could work on with what it has.
    let between = usable(stage);
    if matches!(victim, Victim::Server | Victim::Both) {
        stage.deployment.restart().await.unwrap();
    }
    if matches!(victim, Victim::Agent | Victim::Both) {
        stage.agent.start().unwrap();
    }
    let over = stage.deployment.wait_until_over(&id, PATIENCE).await;
    let over = over.unwrap_or_else(|error| panic!("killed after {moment:?}: {error:#}\n{}", stage.agent.account()));
    assert_eq!(over["state"], "closed", "{over}");
    let new = stage.agent.usable_certificate(&stage.ca).unwrap();
    assert_eq!(over["new_certificate"], Fingerprint::of(&new).to_string());
    assert_ne!(new, old);
    stage.wait_until_only(Fingerprint::of(&new)).await;
    format!("{moment:?}: {between} usable when killed")
}

/// How many certificates with their key stand there: one, or old and new beside each other, but never none.
fn usable(stage: &Stage) -> usize {
    let found = stage.agent.usable_certificates(&stage.ca).unwrap();
    assert!((1..=2).contains(&found.len()), "{} usable certificates; {:?}", found.len(), stage.agent.files());
    found.len()
}

async fn disturb(victim: Victim) {
    let mut stage = Stage::set().await;
    let began = Instant::now();
    let asked = stage.deployment.renew(&stage.host, &stage.old.to_string()).await.unwrap();
    stage.deployment.wait_until_over(asked["id"].as_str().unwrap(), SOON).await.unwrap();
    let whole = began.elapsed();
    let mut told = Vec::new();
    for round in 0..ROUNDS {
        // Spread over the whole of a renewal and a little beyond.
        let moment = whole.mul_f64(1.1) * round / (ROUNDS - 1);
        told.push(disturbed(&mut stage, moment, &victim).await);
    }
    println!("an undisturbed renewal took {whole:?}; {told:#?}");
}

#[tokio::test]
async fn killing_the_agent_at_any_moment_leaves_one_usable_certificate_and_a_closed_record() {
    disturb(Victim::Agent).await;
}

#[tokio::test]
async fn killing_the_server_at_any_moment_leaves_one_usable_certificate_and_a_closed_record() {
    disturb(Victim::Server).await;
}

#[tokio::test]
async fn killing_both_at_any_moment_leaves_one_usable_certificate_and_a_closed_record() {
    disturb(Victim::Both).await;
}
