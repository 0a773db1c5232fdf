//! Joining, and staying who one is.

use inkan_core::AgentRefusal;
use inkan_core::ports::{TokenRefusal, VerifiedIdentity};
use inkan_issuance::identity_ca::verify_identity;
use inkan_issuance::key::SoftwareKey;
use inkan_issuance::request::build_request;
use inkan_model::host::HostState;
use inkan_model::identity::RECOVERY_LIMIT;
use inkan_model::join_token::JoinTokenSecret;
use time::Duration;

use crate::stage::{Agent, Stage, subject};

fn peer(chain: &[Vec<u8>]) -> VerifiedIdentity {
    let found = verify_identity(&chain[0], &chain[1]).unwrap();
    VerifiedIdentity {
        vendor: found.identity.vendor,
        host: found.identity.host,
        serial: found.serial,
        spki: found.spki_der,
        not_after: found.not_after,
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_yields_the_same_host() {
    let stage = Stage::set().await;
    let (token, key) = (stage.token(1).await, SoftwareKey::generate().unwrap());
    let first = stage.enroll(&token, &key).await.unwrap();
    stage.clock.advance(Duration::minutes(9));
    assert_eq!(stage.enroll(&token, &key).await.unwrap(), first);
}

#[tokio::test]
async fn another_key_cannot_use_a_token_that_is_used_up() {
    let stage = Stage::set().await;
    let token = stage.token(1).await;
    stage.enroll(&token, &SoftwareKey::generate().unwrap()).await.unwrap();
    let refused = stage.enroll(&token, &SoftwareKey::generate().unwrap()).await.unwrap_err();
    assert!(matches!(refused, AgentRefusal::Token(TokenRefusal::UsedUp)), "{refused}");
}

#[tokio::test]
async fn a_token_expires() {
    let stage = Stage::set().await;
    let token = stage.token(1).await;
    stage.clock.advance(Duration::hours(5));
    let refused = stage.enroll(&token, &SoftwareKey::generate().unwrap()).await.unwrap_err();
    assert!(matches!(refused, AgentRefusal::Token(TokenRefusal::Expired)), "{refused}");
}

#[tokio::test]
async fn guessing_tokens_ends_after_five_tries_in_a_minute() {
    let stage = Stage::set().await;
    let key = SoftwareKey::generate().unwrap();
    for guess in 0..5 {
        let refused = stage.enroll(&JoinTokenSecret::new([guess; 32]), &key).await.unwrap_err();
        assert!(matches!(refused, AgentRefusal::Token(TokenRefusal::Unknown)), "{refused}");
    }
    let good = stage.token(1).await;
    assert!(matches!(stage.enroll(&good, &key).await.unwrap_err(), AgentRefusal::TooManyTries));
    stage.clock.advance(Duration::minutes(1));
    stage.enroll(&good, &key).await.unwrap();
}

#[tokio::test]
async fn a_new_identity_counts_once_it_is_used_and_the_old_one_then_tells_a_clone() {
    let stage = Stage::set().await;
    let agent = stage.enrolled().await;
    let old = peer(&agent.enrolled.chain);
    let csr = build_request(&subject(), &agent.key).unwrap();
    let new = stage.core.renew_identity(agent.host(), &agent.session().await, &csr).await.unwrap();
    // The answer may have been lost: the old one still works.
    stage.core.authenticate(&old).await.unwrap();
    stage.core.authenticate(&peer(&new)).await.unwrap();
    assert!(stage.core.authenticate(&old).await.is_err());
    assert_eq!(agent.session().await.state, HostState::Suspended);
}

async fn recover(agent: &Agent<'_>, chain: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, AgentRefusal> {
    let core = &agent.stage.core;
    let nonce = core.begin_recovery(&chain[0]).unwrap();
    let message = inkan_issuance::proof::recovery_message(&nonce);
    let signature = agent.key.sign_message(&message).unwrap();
    Ok(core.recover(&chain[0], &nonce, &signature).await?.chain)
}

#[tokio::test]
async fn an_expired_identity_comes_back_by_its_key_as_often_as_it_may() {
    let stage = Stage::set().await;
    let agent = stage.enrolled().await;
    let mut chain = agent.enrolled.chain.clone();
    for _ in 0..RECOVERY_LIMIT {
        stage.clock.advance(Duration::days(40));
        chain = recover(&agent, &chain).await.unwrap();
        stage.core.authenticate(&peer(&chain)).await.unwrap();
    }
    stage.clock.advance(Duration::days(40));
    assert!(matches!(recover(&agent, &chain).await, Err(AgentRefusal::NotAccepted { .. })));
}

#[tokio::test]
async fn a_recovery_needs_the_key_and_a_fresh_nonce() {
    let stage = Stage::set().await;
    let agent = stage.enrolled().await;
    let leaf = &agent.enrolled.chain[0];
    let nonce = stage.core.begin_recovery(leaf).unwrap();
    let message = inkan_issuance::proof::recovery_message(&nonce);
    let forged = SoftwareKey::generate().unwrap().sign_message(&message).unwrap();
    assert!(stage.core.recover(leaf, &nonce, &forged).await.is_err());
    let signature = agent.key.sign_message(&message).unwrap();
    stage.clock.advance(Duration::minutes(3));
    assert!(stage.core.recover(leaf, &nonce, &signature).await.is_err());
}
