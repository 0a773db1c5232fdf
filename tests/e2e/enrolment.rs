//! Joining: with the real agent, and message by message.

use inkan_model::join_token::JoinTokenSecret;
use inkan_tests::agent::TestAgent;
use inkan_tests::deployment::TestDeployment;
use inkan_tests::simulated::refusal;
use reqwest::Method;

use crate::stage::{candidate, token};

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_yields_the_same_host() {
    let deployment = TestDeployment::start().await.unwrap();
    let (doors, token) = (deployment.addresses().doors(), token(&deployment, 1).await);
    let candidate = candidate(1);
    let lost = candidate.ask(&doors, &token).await.unwrap();
    let again = candidate.ask(&doors, &token).await.unwrap();
    assert_eq!(lost.chain, again.chain);
    let mut pc = candidate.joined(again).unwrap();
    pc.report().await.unwrap();
    assert_eq!(deployment.api().await.unwrap().list("/hosts").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_that_was_used_up_or_withdrawn_or_never_made_enrols_nobody() {
    let deployment = TestDeployment::start().await.unwrap();
    let (doors, api) = (deployment.addresses().doors(), deployment.api().await.unwrap());
    let used = token(&deployment, 1).await;
    candidate(1).ask(&doors, &used).await.unwrap();
    let withdrawn = token(&deployment, 1).await;
    let newest = api.get("/join-tokens?limit=1").await.unwrap();
    let path = format!("/join-tokens/{}", newest["items"][0]["id"].as_str().unwrap());
    api.ask(Method::DELETE, &path, None).await.unwrap().success().unwrap();
    for (number, token) in [(2, used), (3, withdrawn), (4, JoinTokenSecret::new([7; 32]))] {
        let error = candidate(number).ask(&doors, &token).await.unwrap_err();
        let status = refusal(&error).unwrap_or_else(|| panic!("{error:#}"));
        assert!(!matches!(status.code(), tonic::Code::Internal | tonic::Code::Unknown), "{status:?}");
    }
    assert_eq!(api.list("/hosts").await.unwrap().len(), 1);
}

#[tokio::test]
async fn wrong_tokens_from_one_address_are_slowed_down() {
    let deployment = TestDeployment::start().await.unwrap();
    let (doors, candidate) = (deployment.addresses().doors(), candidate(1));
    let mut codes = Vec::new();
    for number in 0..7 {
        let error = candidate.ask(&doors, &JoinTokenSecret::new([number; 32])).await.unwrap_err();
        codes.push(refusal(&error).unwrap_or_else(|| panic!("{error:#}")).code());
    }
    assert_eq!(codes[5..], [tonic::Code::ResourceExhausted; 2], "{codes:?}");
}

#[tokio::test]
async fn an_agent_tells_a_mistyped_token_and_a_wrong_pin_from_a_server_that_is_away() {
    let deployment = TestDeployment::start().await.unwrap();
    let agent = TestAgent::prepare().unwrap();
    let token = token(&deployment, 1).await.reveal();
    let (url, pin) = (deployment.addresses().enrolment_url(), deployment.addresses().ca_pin.to_string());
    let enroll = |url: &str, token: &str, pin: &str| {
        let arguments = ["enroll", "--server", url, "--token", token, "--ca-pin", pin];
        agent.command(&arguments).unwrap_err().to_string()
    };
    let mistyped = token.replacen(&token[..1], if token.starts_with('A') { "B" } else { "A" }, 1);
    let words = enroll(&url, &mistyped, &pin);
    assert!(words.contains("mistyped"), "{words}");
    let other = format!("sha256:{}", "00".repeat(32));
    let words = enroll(&url, &token, &other);
    assert!(words.to_lowercase().contains("pin"), "{words}");
    // Nothing of this has used the token up.
    agent.enroll(&deployment, &token.parse().unwrap()).unwrap();
}
