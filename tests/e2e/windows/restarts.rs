//! Killed at any moment, the agent goes on as the same host.

use inkan_tests::wait::{Look, wait_until};

use crate::stage::{SOON, Stage};

#[tokio::test]
async fn an_agent_that_is_killed_and_started_again_is_the_same_host() {
    let Some(mut stage) = Stage::set().await else { return };
    for _ in 0..3 {
        stage.agent.kill().unwrap();
        stage.agent.start().unwrap();
        assert_eq!(stage.agent.wait_until_synced(SOON).await.unwrap(), stage.host);
    }
    let hosts = stage.hosts().await;
    assert_eq!(hosts.len(), 1, "{hosts:?}");
}

#[tokio::test]
async fn an_agent_that_is_killed_as_soon_as_it_works_loses_nothing() {
    let Some(mut stage) = Stage::set().await else { return };
    stage.agent.kill().unwrap();
    for _ in 0..5 {
        let begun = stage.agent.begun();
        stage.agent.start().unwrap();
        let look = async || Ok(Look::when(stage.agent.begun() > begun, || stage.agent.account()));
        wait_until("the agent's first word", SOON, look).await.unwrap();
        stage.agent.kill().unwrap();
    }
    stage.agent.start().unwrap();
    assert_eq!(stage.agent.wait_until_synced(SOON).await.unwrap(), stage.host);
}

#[tokio::test]
async fn a_server_that_was_killed_is_found_again() {
    let Some(mut stage) = Stage::set().await else { return };
    stage.deployment.kill().unwrap();
    stage.agent.kill().unwrap();
    stage.agent.start().unwrap();
    stage.deployment.restart().await.unwrap();
    assert_eq!(stage.agent.wait_until_synced(SOON).await.unwrap(), stage.host);
}
