//! Having a PC examined, over the API.

use axum::http::StatusCode;
use inkan_model::checkup::{Check, CheckResult, CheckStatus, CheckupOutcome};
use inkan_model::locale::Bilingual;
use inkan_model::sync::{SpoolEntry, SpoolPosition, SyncReport, Told};
use serde_json::{Value, json};

use super::stage::Stage;

/// What the PC's agent says.
async fn answer(stage: &Stage, checkup: &str, results: Vec<CheckResult>) {
    let session = stage.core.db().find_session(stage.host).await.unwrap().unwrap();
    let SpoolPosition { epoch, sequence } = session.spool;
    let now = stage.core.now();
    let told = Told::Checkup(CheckupOutcome { checkup: checkup.parse().unwrap(), examined_at: now, results });
    let report = SyncReport {
        epoch: epoch.max(1),
        entries: vec![SpoolEntry { sequence: sequence + 1, at: now, told }],
        state: session.state_digest.unwrap(),
        report: None,
        generation: session.generation,
        clock: now,
    };
    stage.core.sync(stage.host, &session, report).await.unwrap();
}

#[tokio::test]
async fn a_checkup_is_asked_for_waits_and_shows_what_was_found() {
    let stage = Stage::set().await;
    let path = format!("/hosts/{}/checkup", stage.host);
    assert_eq!(stage.ours.get(&path).await.json(), json!({ "waiting": [], "last": null }));
    let asked = stage.ours.post(&path, &json!({ "programme": "common-ca" })).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.text);
    let asked = asked.json();
    assert_eq!((&asked["programme"], &asked["worst"]), (&json!("common-ca"), &Value::Null));
    let again = stage.ours.post(&path, &json!({ "programme": "common-ca" })).await.json();
    assert_eq!(again["id"], asked["id"]);
    assert_eq!(stage.ours.get(&path).await.json()["waiting"][0]["id"], asked["id"]);

    let statement = Bilingual::new("時計が遅れています。", "The clock is behind.");
    let remedy = Bilingual::new("時計を合わせてください。", "Set the clock.");
    let result = CheckResult::unwell(Check::Clock, CheckStatus::Now, statement, remedy);
    answer(&stage, asked["id"].as_str().unwrap(), vec![result]).await;
    let found = stage.ours.get(&format!("{path}?lang=en")).await.json();
    assert_eq!(found["waiting"], json!([]));
    assert_eq!(found["last"]["worst"], "now");
    let expected = json!({
        "check": "clock", "title": "Clock", "status": "now", "statement": "The clock is behind.",
        "remedy": "Set the clock.",
    });
    assert_eq!(found["last"]["results"], json!([expected]));
}

#[tokio::test]
async fn systems_are_listed_and_one_that_is_not_among_them_is_refused() {
    let stage = Stage::set().await;
    let listed = stage.ours.get("/programmes?lang=ja").await.json();
    let ids: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["common-ca", "iij-renrakucho", "online-billing", "rokin-cjs", "secom-passport"]);
    assert!(listed["items"][0]["name"].as_str().unwrap().contains("共通認証局"));
    let path = format!("/hosts/{}/checkup", stage.host);
    assert_eq!(stage.ours.post(&path, &json!({ "programme": "x" })).await.status, StatusCode::NOT_FOUND);
    let refused = stage.ours.post(&path, &json!({ "program": "common-ca" })).await;
    assert!(refused.status.is_client_error() && refused.text.contains("program"), "{}", refused.text);
}
