//! `kill -9` of either side at many moments of a renewal: each time it ends with exactly one usable certificate in place,
//! and with a record that says so.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use inkan_model::Fingerprint;

use crate::stage::{SOON, Stage};

/// Renewals that are disturbed, of each kind.
const ROUNDS: u32 = 6;
/// Changes of the directory's files that a renewal makes, about.
const CHANGES: usize = 7;
/// Longer than a renewal takes to get to its last change.
const A_WHILE: Duration = Duration::from_secs(10);
/// A disturbed renewal may wait for a back-off or two.
const PATIENCE: Duration = Duration::from_secs(150);

enum Victim {
    Agent,
    Server,
    Both,
}

/// When to strike.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So long after the renewal was asked for.
    After(Duration),
    /// As soon as the files in the PC's directory have changed so often.
    AtChange(usize),
}

impl Moment {
    /// Waits for it. Nothing is polled with pauses here: what is wanted is the very moment.
    async fn come(self, stage: &Stage) {
        match self {
            Self::After(time) => tokio::time::sleep(time).await,
            Self::AtChange(wanted) => {
                let deadline = Instant::now() + A_WHILE;
                let (mut before, mut changes) = (stage.agent.files(), 0);
                while changes < wanted && Instant::now() < deadline {
                    tokio::task::yield_now().await;
                    let now = stage.agent.files();
                    changes += usize::from(now != before);
                    before = now;
                }
            }
        }
    }
}

/// One renewal from beginning to end, with a kill at the moment given.
async fn disturbed(stage: &mut Stage, moment: Moment, victim: &Victim) -> String {
    let old = stage.agent.usable_certificate(&stage.ca).unwrap();
    stage.wait_until_only(Fingerprint::of(&old)).await;
    let asked = stage.deployment.renew(&stage.host, &Fingerprint::of(&old).to_string()).await.unwrap();
    let id = asked["id"].as_str().unwrap().to_owned();
    let asked_at = Instant::now();
    moment.come(stage).await;
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
    format!("{moment:?}: {between} usable when killed, known to all after {:.1?}", asked_at.elapsed())
}

/// How many certificates with their key stand there: one, or old and new beside each other, but never none.
fn usable(stage: &Stage) -> usize {
    let found = stage.agent.usable_certificates(&stage.ca).unwrap();
    // By content: a file that is on its way to its name is the same certificate once more.
    let found: BTreeSet<_> = found.into_iter().map(|(_, der)| der).collect();
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
        told.push(disturbed(&mut stage, Moment::After(whole.mul_f64(1.1) * round / (ROUNDS - 1)), &victim).await);
    }
    for change in 1..=CHANGES {
        told.push(disturbed(&mut stage, Moment::AtChange(change), &victim).await);
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
