//! Letting people in, once and every day.

use inkan_core::operators::{LogIn, LoggedIn};
use inkan_core::ports::SessionKind;
use inkan_core::{Error, totp};
use inkan_model::operator::Role;
use time::Duration;

use crate::stage::{HERE, PASSWORD, SEED, Stage, person};

fn code(stage: &Stage) -> String {
    totp::code_of(&SEED, totp::step_at(stage.core.now()))
}

async fn log_in(stage: &Stage, mail: &str, password: &str, code: String) -> Result<LoggedIn, Error> {
    let attempt = LogIn { mail: mail.to_owned(), password: password.to_owned().into(), code, source: HERE };
    stage.core.log_in(attempt, SessionKind::Browser).await
}

#[tokio::test]
async fn a_session_lasts_until_it_ends() {
    let stage = Stage::set().await;
    let session = log_in(&stage, "Hanako@Vendor.test", PASSWORD, code(&stage)).await.unwrap();
    let find = |kind| stage.core.find_operator(session.secret.reveal(), kind);
    assert_eq!(find(SessionKind::Browser).await.unwrap(), Some(stage.operator.clone()));
    assert_eq!(find(SessionKind::Token).await.unwrap(), None);
    stage.clock.advance(Duration::hours(13));
    assert_eq!(find(SessionKind::Browser).await.unwrap(), None);
}

#[tokio::test]
async fn a_code_works_once() {
    let stage = Stage::set().await;
    let code = code(&stage);
    log_in(&stage, "hanako@vendor.test", PASSWORD, code.clone()).await.unwrap();
    assert!(matches!(log_in(&stage, "hanako@vendor.test", PASSWORD, code).await, Err(Error::WrongCredentials)));
}

#[tokio::test]
async fn guessing_passwords_has_to_wait() {
    let stage = Stage::set().await;
    for _ in 0..5 {
        let refused = log_in(&stage, "hanako@vendor.test", "wrong password", code(&stage)).await;
        assert!(matches!(refused, Err(Error::WrongCredentials)));
    }
    let refused = log_in(&stage, "hanako@vendor.test", PASSWORD, code(&stage)).await;
    assert!(matches!(refused, Err(Error::TooManyTries)));
}

#[tokio::test]
async fn setup_is_gone_once_an_operator_exists() {
    let stage = Stage::set().await;
    assert_eq!(stage.core.create_setup_link(Duration::DAY).await.unwrap(), None);
    assert!(!stage.core.is_setup_link("anything").await.unwrap());
    let refused = stage.core.complete_setup("anything", "V", person("x@y.test"), &code(&stage)).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn an_operator_cannot_make_operators() {
    let stage = Stage::set().await;
    let mut new = person("taro@vendor.test");
    new.role = Role::Operator;
    let taro = stage.core.create_operator(&stage.operator, new).await.unwrap();
    let refused = stage.core.create_operator(&taro, person("jiro@vendor.test")).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })));
}

#[tokio::test]
async fn a_mail_address_belongs_to_one_operator() {
    let stage = Stage::set().await;
    let refused = stage.core.create_operator(&stage.operator, person("HANAKO@vendor.test")).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })));
}
