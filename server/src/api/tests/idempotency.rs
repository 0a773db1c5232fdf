//! A repetition with the same key takes no effect.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::stage::{CLINIC_CODE, Stage};

#[tokio::test]
async fn a_repetition_gets_the_first_answer_and_takes_no_effect() {
    let stage = Stage::set().await;
    let clinic = json!({ "code": "1610000001", "name": "山の手歯科医院", "kind": "dental", "prefecture": "16" });
    let first = stage.ours.post_with_key("key-1", "/clinics", &clinic).await;
    let again = stage.ours.post_with_key("key-1", "/clinics", &clinic).await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(first.text, again.text);
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    assert_eq!(again.header("content-type"), "application/json");
}

#[tokio::test]
async fn a_join_token_is_made_once_and_its_secret_is_not_stored() {
    let stage = Stage::set().await;
    let order = json!({ "clinic_code": CLINIC_CODE });
    let first = stage.ours.post_with_key("key-1", "/join-tokens", &order).await.json();
    let again = stage.ours.post_with_key("key-1", "/join-tokens", &order).await.json();
    assert!(first["token"].is_string());
    assert_eq!(again["token"], Value::Null);
    assert_eq!(first["id"], again["id"]);
    // One of the stage, and one of this test.
    assert_eq!(stage.ours.get("/join-tokens").await.json()["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_operators_seed_is_not_stored_either() {
    let stage = Stage::set().await;
    let person = json!({ "mail": "jiro@ours.test", "name": "次郎", "password": "twelve or more", "role": "operator" });
    let first = stage.ours.post_with_key("key-1", "/operators", &person).await;
    let again = stage.ours.post_with_key("key-1", "/operators", &person).await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED), "{first:?}");
    assert!(first.json()["totp_uri"].as_str().unwrap().starts_with("otpauth://totp/"));
    assert_eq!((&again.json()["totp_seed"], &again.json()["totp_uri"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_key_that_was_used_for_something_else_is_refused() {
    let stage = Stage::set().await;
    stage.ours.post_with_key("key-1", "/join-tokens", &json!({ "clinic_code": CLINIC_CODE })).await;
    let other =
        stage.ours.post_with_key("key-1", "/join-tokens", &json!({ "clinic_code": CLINIC_CODE, "uses": 3 })).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(other.json()["type"], "urn:inkan:problem:idempotency-mismatch");
}

#[tokio::test]
async fn a_refusal_is_repeated_with_the_number_of_the_first_request() {
    let stage = Stage::set().await;
    let wrong = json!({ "clinic_code": "12" });
    let first = stage.ours.post_with_key("key-1", "/join-tokens", &wrong).await;
    let again = stage.ours.post_with_key("key-1", "/join-tokens", &wrong).await;
    assert_eq!(first.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(again.header("content-type"), "application/problem+json");
    assert_ne!(again.header("request-id"), first.header("request-id"));
}

#[tokio::test]
async fn keys_of_two_operators_do_not_meet_and_a_key_that_is_too_long_is_refused() {
    let stage = Stage::set().await;
    let clinic = json!({ "code": "1610000001", "name": "山の手歯科医院", "kind": "dental", "prefecture": "富山" });
    let ours = stage.ours.post_with_key("key-1", "/clinics", &clinic).await;
    let theirs = stage.theirs.post_with_key("key-1", "/clinics", &clinic).await;
    assert_eq!((ours.status, theirs.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_ne!(ours.json()["id"], theirs.json()["id"]);
    let long = stage.ours.post_with_key(&"k".repeat(129), "/clinics", &clinic).await;
    assert_eq!((long.status, &long.json()["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("Idempotency-Key")));
}
