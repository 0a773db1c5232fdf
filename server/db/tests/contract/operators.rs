use inkan_core::ports::{DbError, IdempotentRequest, IdempotentState, NewOperator, Session, SessionKind};
use inkan_model::locale::Locale;
use inkan_model::operator::{Operator, Role, Vendor};
use inkan_model::{OperatorId, VendorId};
use time::Duration;

use crate::kit::{DAY, MINUTE, Stage, new_id, noon};

fn operator(vendor: VendorId, mail: &str) -> NewOperator {
    let operator = Operator {
        id: new_id(),
        vendor,
        mail: mail.to_owned(),
        name: "山田".to_owned(),
        role: Role::Owner,
        locale: Locale::Ja,
    };
    NewOperator { operator, password_hash: "$argon2id$…".to_owned(), totp_sealed: vec![1, 2, 3] }
}

async fn with_operator(stage: &Stage) -> OperatorId {
    let vendor = stage.vendor().await;
    let new = operator(vendor, "a@example.test");
    stage.db.create_operator(&new, noon()).await.unwrap();
    new.operator.id
}

pub(crate) async fn setup_happens_once(stage: Stage) {
    let vendor = Vendor { id: new_id(), name: "ベンダー".to_owned() };
    let owner = operator(vendor.id, "owner@example.test");
    let (old, link) = ([1; 32], [2; 32]);
    assert!(!stage.db.is_set_up().await.unwrap());
    assert!(stage.db.record_setup_link(old, noon().plus(DAY)).await.unwrap());
    assert!(stage.db.record_setup_link(link, noon().plus(DAY)).await.unwrap());
    assert!(!stage.db.is_setup_link(old, noon()).await.unwrap(), "it was replaced");
    assert!(stage.db.is_setup_link(link, noon()).await.unwrap());
    assert!(!stage.db.is_setup_link(link, noon().plus(DAY)).await.unwrap(), "its time is over");

    assert!(!stage.db.complete_setup(old, &vendor, &owner, noon()).await.unwrap());
    assert!(stage.db.complete_setup(link, &vendor, &owner, noon()).await.unwrap());
    assert!(!stage.db.complete_setup(link, &vendor, &owner, noon()).await.unwrap());
    assert!(stage.db.is_set_up().await.unwrap());
    assert!(!stage.db.record_setup_link(link, noon().plus(DAY)).await.unwrap());
    assert!(!stage.db.is_setup_link(link, noon()).await.unwrap());
    assert_eq!(stage.db.list_vendors().await.unwrap(), std::slice::from_ref(&vendor));
    assert_eq!(stage.db.find_vendor(vendor.id).await.unwrap(), Some(vendor));
    let login = stage.db.find_login("Owner@Example.test").await.unwrap().unwrap();
    assert_eq!((login.operator, login.totp_sealed), (owner.operator, vec![1, 2, 3]));
}

pub(crate) async fn a_mail_address_belongs_to_one_operator(stage: Stage) {
    let vendor = stage.vendor().await;
    for mail in ["b@example.test", "a@example.test"] {
        stage.db.create_operator(&operator(vendor, mail), noon()).await.unwrap();
    }
    let again = stage.db.create_operator(&operator(vendor, "A@example.test"), noon()).await;
    assert!(matches!(again, Err(DbError::Conflict { .. })));
    let mails: Vec<_> = stage.db.list_operators(vendor).await.unwrap().into_iter().map(|one| one.mail).collect();
    assert_eq!(mails, ["a@example.test", "b@example.test"]);
    let id = stage.db.find_login("a@example.test").await.unwrap().unwrap().operator.id;
    stage.db.set_locale(id, Locale::En).await.unwrap();
    assert_eq!(stage.db.find_login("a@example.test").await.unwrap().unwrap().operator.locale, Locale::En);
    assert!(stage.db.find_login("nobody@example.test").await.unwrap().is_none());
}

pub(crate) async fn a_one_time_password_counts_once(stage: Stage) {
    let operator = with_operator(&stage).await;
    for (step, counts) in [(100, true), (100, false), (99, false), (101, true)] {
        assert_eq!(stage.db.use_totp_step(operator, step).await.unwrap(), counts, "{step}");
    }
    assert!(!stage.db.use_totp_step(new_id(), 1).await.unwrap());
}

pub(crate) async fn a_session_ends(stage: Stage) {
    let operator = with_operator(&stage).await;
    let session =
        Session { hash: [5; 32], operator, kind: SessionKind::Token, created_at: noon(), expires_at: noon().plus(DAY) };
    stage.db.create_session(&session).await.unwrap();
    let (found, whose) = stage.db.find_operator_session([5; 32], noon()).await.unwrap().unwrap();
    assert_eq!((found, whose.id), (session, operator));
    assert!(stage.db.find_operator_session([5; 32], noon().plus(DAY)).await.unwrap().is_none());
    assert!(stage.db.find_operator_session([6; 32], noon()).await.unwrap().is_none());
    for _ in 0..2 {
        stage.db.delete_session([5; 32]).await.unwrap();
    }
    assert!(stage.db.find_operator_session([5; 32], noon()).await.unwrap().is_none());
}

pub(crate) async fn an_idempotent_request_takes_effect_once(stage: Stage) {
    let operator = with_operator(&stage).await;
    let request = |sha: u8, after: Duration| IdempotentRequest {
        operator,
        key: "key".to_owned(),
        request_sha256: [sha; 32],
        now: noon().plus(after),
    };
    let begin = async |request: IdempotentRequest| stage.db.begin_idempotent(&request).await.unwrap();
    assert_eq!(begin(request(1, Duration::ZERO)).await, IdempotentState::New);
    assert_eq!(begin(request(1, Duration::SECOND)).await, IdempotentState::UnderWay);
    assert_eq!(begin(request(2, Duration::SECOND)).await, IdempotentState::Mismatch);
    // Whoever began it died; after a minute somebody else may.
    assert_eq!(begin(request(1, MINUTE)).await, IdempotentState::New);
    assert_eq!(begin(request(1, MINUTE)).await, IdempotentState::UnderWay);
    stage.db.finish_idempotent(operator, "key", 201, "{}").await.unwrap();
    let answered = IdempotentState::Answered { status: 201, body: "{}".to_owned() };
    assert_eq!(begin(request(1, 2 * MINUTE)).await, answered);
    assert_eq!(begin(request(2, 2 * MINUTE)).await, IdempotentState::Mismatch);
}
