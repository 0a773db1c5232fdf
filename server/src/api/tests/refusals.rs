//! What is refused, and that it is refused by name.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};

use super::stage::{CLINIC_CODE, PASSWORD, Stage, credentials};

fn refused(answer: &super::stage::Answer) -> (u16, Value) {
    let body = answer.json();
    assert_eq!(answer.header("content-type"), "application/problem+json", "{body}");
    assert_eq!(body["status"], answer.status.as_u16());
    assert_eq!(body["request"], answer.header("request-id"), "{body}");
    (answer.status.as_u16(), body["field"].clone())
}

#[tokio::test]
async fn parameters_that_are_wrong_or_not_known_are_refused_by_name() {
    let stage = Stage::set().await;
    for (path, field) in [
        ("/hosts?serach=x", "serach"),
        ("/hosts?limit=0", "limit"),
        ("/hosts?limit=501", "limit"),
        ("/hosts?limit=many", "limit"),
        ("/hosts?urgency=later", "urgency"),
        ("/hosts?state=sleeping", "state"),
        ("/hosts?prefecture=加賀", "prefecture"),
        ("/hosts?clinic=x", "clinic"),
        ("/hosts?silent_since=yesterday", "silent_since"),
        ("/hosts?cursor=made-up", "cursor"),
        ("/certificates?expiring_within_days=4000", "expiring_within_days"),
        ("/expiry?days=0", "days"),
        ("/renewals?state=done", "state"),
        ("/renewals?over=maybe", "over"),
        ("/findings?lang=fr", "lang"),
        ("/overview?x=1", "x"),
        ("/certificates/abc", "sha256"),
        ("/hosts/abc", "id"),
    ] {
        let encoded = path.replace("加賀", "%E5%8A%A0%E8%B3%80");
        assert_eq!(refused(&stage.ours.get(&encoded).await), (422, json!(field)), "{path}");
    }
}

#[tokio::test]
async fn fields_that_are_wrong_or_not_known_are_refused_by_name() {
    let stage = Stage::set().await;
    let clinic = json!({ "code": "1610000001", "name": "x", "kind": "dental", "prefecture": "富山" });
    let with = |field: &str, value: Value| {
        let mut body = clinic.clone();
        body[field] = value;
        body
    };
    for (path, body, field) in [
        ("/clinics", with("nam", json!("x")), "nam"),
        ("/clinics", with("code", json!("1")), "code"),
        ("/clinics", with("kind", json!("hospital")), "kind"),
        ("/clinics", with("prefecture", json!("加賀")), "prefecture"),
        ("/clinics", with("phone", json!("call me")), "phone"),
        ("/clinics", with("name", json!(7)), "name"),
        ("/join-tokens", json!({}), "clinic_code"),
        ("/join-tokens", json!({ "clinic_code": CLINIC_CODE, "uses": 21 }), "uses"),
        ("/join-tokens", json!({ "clinic_code": CLINIC_CODE, "lifetime_minutes": 1441 }), "lifetime_minutes"),
        ("/renewals", json!({ "host": "x", "certificate": "0".repeat(64) }), "host"),
        ("/operators", json!({ "mail": "x", "name": "x", "password": PASSWORD, "role": "owner" }), "mail"),
        ("/operators", json!({ "mail": "x@y.test", "name": "x", "password": "short", "role": "owner" }), "password"),
        ("/operators", json!({ "mail": "x@y.test", "name": "x", "password": PASSWORD, "role": "king" }), "role"),
    ] {
        assert_eq!(refused(&stage.ours.post(path, &body).await), (422, json!(field)), "{path} {body}");
    }
}

#[tokio::test]
async fn bodies_that_are_not_json_or_too_large_or_of_another_kind_are_refused() {
    let stage = Stage::set().await;
    let post = |kind: &str, body: String| {
        Request::post("/api/v1/clinics").header(header::CONTENT_TYPE, kind).body(Body::from(body)).unwrap()
    };
    let not_json = stage.ours.send(post("application/json", "{".to_owned())).await;
    assert_eq!(refused(&not_json).0, 400);
    let form = stage.ours.send(post("application/x-www-form-urlencoded", "code=1".to_owned())).await;
    assert_eq!(refused(&form).0, 415);
    let large = stage.ours.send(post("application/json", format!("\"{}\"", "x".repeat(1024 * 1024)))).await;
    assert_eq!(refused(&large).0, 413);
    let mut keyed = post("application/json", format!("\"{}\"", "x".repeat(1024 * 1024)));
    keyed.headers_mut().insert("idempotency-key", "k".parse().unwrap());
    assert_eq!(refused(&stage.ours.send(keyed).await).0, 413);
}

#[tokio::test]
async fn pages_and_methods_that_are_not_there_are_problems_too() {
    let stage = Stage::set().await;
    assert_eq!(refused(&stage.ours.get("/nothing/here").await).0, 404);
    assert_eq!(refused(&stage.ours.delete("/overview").await).0, 405);
    assert_eq!(refused(&stage.ours.get("/renewals/019a9f3c-7a10-7cc0-8000-5b1f0a3f2c11").await).0, 404);
}

#[tokio::test]
async fn a_wrong_password_is_not_told_from_a_wrong_code_and_tries_are_counted() {
    let stage = Stage::set().await;
    let nobody = stage.ours.nobody();
    let right = credentials("hanako@ours.test", super::stage::BEGIN);
    let mut said = Vec::new();
    for (field, value) in [("password", "not the password"), ("code", "000000"), ("mail", "who@ours.test")] {
        let mut wrong = right.clone();
        wrong[field] = json!(value);
        let answer = nobody.post("/sessions", &wrong).await;
        assert_eq!(refused(&answer), (401, Value::Null));
        said.push(answer.json()["detail"].clone());
    }
    assert!(said.iter().all(|words| *words == said[0]));
    let mut last = StatusCode::UNAUTHORIZED;
    for _ in 0..10 {
        last = nobody.post("/sessions", &json!({ "mail": "who@ours.test", "password": "x", "code": "1" })).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_token_is_good_until_it_is_signed_out_or_its_time_is_over() {
    let stage = Stage::set().await;
    assert_eq!(stage.ours.delete("/sessions/current").await.status, StatusCode::NO_CONTENT);
    assert_eq!(stage.ours.get("/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(stage.theirs.get("/me").await.status, StatusCode::OK);
    stage.clock.advance(time::Duration::days(31));
    assert_eq!(stage.theirs.get("/me").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_operator_who_is_not_an_owner_does_not_see_operators() {
    let stage = Stage::set().await;
    let person = json!({ "mail": "jiro@ours.test", "name": "次郎", "password": PASSWORD, "role": "operator" });
    let made = stage.ours.post("/operators", &person).await.json();
    let seed = inkan_core::totp::parse_seed(made["totp_seed"].as_str().unwrap()).unwrap();
    let code = inkan_core::totp::code_of(&seed, inkan_core::totp::step_at(super::stage::BEGIN));
    let entry = json!({ "mail": "jiro@ours.test", "password": PASSWORD, "code": code });
    let session = stage.ours.nobody().post("/sessions", &entry).await.json();
    let jiro = stage.ours.with_token(session["token"].as_str().map(str::to_owned));
    let answer = jiro.get("/operators").await;
    assert_eq!(refused(&answer), (403, Value::Null));
    assert_eq!(answer.json()["detail"], "needs the right to manage operators");
    assert_eq!(jiro.get("/hosts").await.status, StatusCode::OK);
}
