//! What each resource shows and does.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};

use super::stage::{Answer, BEGIN, CLINIC_CODE, CLINIC_NAME, HOST_NAME, Stage, credentials};

fn items(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()["items"].as_array().unwrap().clone()
}

fn csv(body: impl Into<Body>) -> Request<Body> {
    let request = Request::post("/api/v1/clinics/import").header(header::CONTENT_TYPE, "text/csv; charset=utf-8");
    request.body(body.into()).unwrap()
}

#[tokio::test]
async fn a_list_is_paged_by_cursor_without_gap_or_repetition() {
    let stage = Stage::set().await;
    for number in 0..5 {
        let clinic =
            json!({ "code": format!("171000000{number}"), "name": "x", "kind": "medical", "prefecture": "17" });
        stage.ours.post("/clinics", &clinic).await;
    }
    let (mut codes, mut next) = (Vec::new(), String::new());
    loop {
        let page = stage.ours.get(&format!("/clinics?limit=2{next}")).await.json();
        codes.extend(page["items"].as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    let mut sorted = codes.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!((codes.len(), &codes), (6, &sorted));
}

#[tokio::test]
async fn clinics_are_created_then_changed_and_found_by_code_or_identifier() {
    let stage = Stage::set().await;
    let clinic = json!({ "code": CLINIC_CODE, "name": "さくら医院", "kind": "医科", "prefecture": "ishikawa" });
    let changed = stage.ours.post("/clinics", &clinic).await;
    assert_eq!((changed.status, &changed.json()["id"]), (StatusCode::OK, &json!(stage.clinic)));
    for name in [CLINIC_CODE, &stage.clinic] {
        let shown = stage.ours.get(&format!("/clinics/{name}")).await.json();
        assert_eq!(shown["name"], "さくら医院");
        assert_eq!(shown["prefecture"], json!({ "number": 17, "name": "石川県", "romaji": "ishikawa" }));
    }
    let found = items(&stage.ours.get("/clinics?search=%E3%82%B5%E3%82%AF%E3%83%A9&kind=medical&prefecture=17").await);
    assert_eq!((found.len(), &found[0]["hosts"]), (1, &json!(1)));
    assert!(items(&stage.ours.get("/clinics?kind=dental").await).is_empty());
}

#[tokio::test]
async fn a_list_of_clinics_goes_in_and_out_and_wrong_lines_are_told() {
    let stage = Stage::set().await;
    let exported = stage.ours.get("/clinics/export.csv").await;
    assert_eq!(exported.header("content-type"), "text/csv; charset=utf-8");
    assert!(exported.text.contains(CLINIC_NAME));
    let list = format!("{}1610000001,山の手歯科医院,歯科,富山,,,\n", exported.text);
    let imported = stage.ours.send(csv(list)).await;
    assert_eq!(imported.json(), json!({ "created": 1, "changed": 0, "unchanged": 1 }));
    let refused = stage.ours.send(csv("code,name,kind,prefecture\n1,x,医科,石川\n1710119153,x,医科,加賀\n")).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let lines: Vec<_> =
        refused.json()["errors"].as_array().unwrap().iter().map(|error| error["line"].clone()).collect();
    assert_eq!(lines, [2, 3]);
}

#[tokio::test]
async fn an_import_may_be_larger_than_other_bodies() {
    let stage = Stage::set().await;
    let name = "x".repeat(250);
    let lines: Vec<_> = (0..5_000).map(|number| format!("17{number:08},{name},medical,17\n")).collect();
    let list = format!("code,name,kind,prefecture\n{}", lines.concat());
    assert!(list.len() > 1024 * 1024);
    let imported = stage.ours.send(csv(list)).await;
    assert_eq!(imported.json()["created"], 5_000, "{}", imported.text);
    assert_eq!(stage.ours.send(csv("x".repeat(8 * 1024 * 1024 + 1))).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn join_tokens_are_listed_without_their_secret_and_withdrawn() {
    let stage = Stage::set().await;
    let listed = stage.ours.get("/join-tokens").await;
    assert!(!listed.text.contains(&stage.secret));
    let token = items(&listed).remove(0);
    assert_eq!((&token["state"], &token["clinic"]["name"]), (&json!("open"), &json!(CLINIC_NAME)));
    assert_eq!(token["used_by"], json!([stage.host]));
    assert_eq!(stage.ours.delete(&format!("/join-tokens/{}", stage.join_token)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(items(&stage.ours.get("/join-tokens").await)[0]["state"], "revoked");
}

#[tokio::test]
async fn hosts_are_filtered_and_shown_in_detail() {
    let stage = Stage::set().await;
    let found =
        items(&stage.ours.get(&format!("/hosts?search=sakura&clinic={CLINIC_CODE}&rule=certificate_expiring")).await);
    assert_eq!((found.len(), &found[0]["name"], &found[0]["worst"]), (1, &json!(HOST_NAME), &json!("soon")));
    assert_eq!(found[0]["next_expiry"], "2026-12-02T05:05:00Z");
    for none in
        ["state=retired", "urgency=watch", "prefecture=%E5%AF%8C%E5%B1%B1", "silent_since=2026-11-01T00:00:00%2B09:00"]
    {
        assert!(items(&stage.ours.get(&format!("/hosts?{none}")).await).is_empty(), "{none}");
    }
    let host = stage.ours.get(&format!("/hosts/{}", stage.host)).await.json();
    assert_eq!((&host["state"], &host["clinic"]["phone"]), (&json!("active"), &json!("076-000-0000")));
    assert!(host["findings"][0]["statement"].as_str().unwrap().contains("あと12日"), "{host}");
}

#[tokio::test]
async fn a_hosts_stores_certificates_and_timeline_are_listed() {
    let stage = Stage::set().await;
    let host = stage.host;
    let locations = items(&stage.ours.get(&format!("/hosts/{host}/locations")).await);
    assert_eq!((&locations[0]["kind"], &locations[0]["path"]), (&json!("directory"), &json!("/clinic/certs")));
    let entries = stage.ours.get(&format!("/hosts/{host}/locations/entries?kind=directory&path=/clinic/certs")).await;
    let entry = items(&entries).remove(0);
    assert_eq!(
        (&entry["entry"], &entry["name"], &entry["key"]),
        (&json!("certificate"), &json!("clinic.pem"), &json!("present"))
    );
    let installation = items(&stage.ours.get(&format!("/hosts/{host}/certificates")).await).remove(0);
    assert_eq!((&installation["days_left"], &installation["live_renewal"]), (&json!(12), &json!(stage.renewal)));
    let events = items(&stage.ours.get(&format!("/hosts/{host}/events")).await);
    let happened: Vec<_> = events.iter().map(|event| event["what"].as_str().unwrap()).collect();
    for expected in ["enrolled", "certificate_appeared", "finding_opened", "renewal_moved"] {
        assert!(happened.contains(&expected), "{happened:?}");
    }
}

#[tokio::test]
async fn a_hosts_state_is_changed_and_shown() {
    let stage = Stage::set().await;
    let path = format!("/hosts/{}/state", stage.host);
    let suspended = stage.ours.post(&path, &json!({ "state": "suspended" })).await;
    assert_eq!((suspended.status, &suspended.json()["state"]), (StatusCode::OK, &json!("suspended")));
    stage.ours.post(&path, &json!({ "state": "banned" })).await;
    let back = stage.ours.post(&path, &json!({ "state": "active" })).await;
    assert_eq!(back.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn certificates_are_listed_shown_downloaded_and_traced() {
    let stage = Stage::set().await;
    let (sha256, host) = (stage.certificate, stage.host);
    assert_eq!(items(&stage.ours.get("/certificates?expiring_within_days=13").await).len(), 1);
    assert!(items(&stage.ours.get("/certificates?expiring_within_days=11").await).is_empty());
    assert_eq!(items(&stage.ours.get(&format!("/certificates?host={host}&search=0110119153")).await).len(), 1);
    let shown = stage.ours.get(&format!("/certificates/{sha256}")).await.json();
    assert_eq!(shown["facts"]["common_name"], "0110119153");
    assert_eq!(shown["facts"]["key_algorithm"], "EC 256");
    let der = stage.ours.get(&format!("/certificates/{sha256}/der")).await;
    assert_eq!(der.header("content-type"), "application/pkix-cert");
    assert!(!der.text.is_empty());
    let holders = items(&stage.ours.get(&format!("/certificates/{sha256}/holders")).await);
    assert_eq!(holders[0]["host"], json!({ "id": host, "name": HOST_NAME }));
}

#[tokio::test]
async fn findings_speak_the_language_that_is_asked_for() {
    let stage = Stage::set().await;
    let asked = |lang: &str, accept: Option<&str>| {
        let mut request = Request::get(format!("/api/v1/findings?rule=certificate_expiring{lang}"));
        if let Some(accept) = accept {
            request = request.header(header::ACCEPT_LANGUAGE, accept);
        }
        request.body(Body::empty()).unwrap()
    };
    for (lang, accept, tag, words) in [
        ("", None, "ja", "あと12日"),
        ("", Some("en-GB, ja;q=0.5"), "en", "in 12 days"),
        ("&lang=ja", Some("en"), "ja", "あと12日"),
        ("&lang=en", None, "en", "in 12 days"),
    ] {
        let answer = stage.ours.send(asked(lang, accept)).await;
        assert_eq!(answer.header("content-language"), tag);
        let finding = items(&answer).remove(0);
        assert!(finding["statement"].as_str().unwrap().contains(words), "{finding}");
        assert_eq!(finding["live_renewal"], json!(stage.renewal));
    }
}

#[tokio::test]
async fn a_renewal_is_asked_for_watched_and_given_up() {
    let stage = Stage::set().await;
    let order = json!({ "host": stage.host, "certificate": stage.certificate });
    let again = stage.ours.post("/renewals", &order).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_eq!(again.json()["id"], json!(stage.renewal), "one is under way already");
    assert_eq!(again.header("location"), format!("/api/v1/renewals/{}", stage.renewal));
    let shown = stage.ours.get(&format!("/renewals/{}", stage.renewal)).await.json();
    assert_eq!(
        (&shown["state"], &shown["progress"], &shown["host"]["name"]),
        (&json!("directed"), &json!(1), &json!(HOST_NAME))
    );
    let listed = items(&stage.ours.get(&format!("/renewals?over=false&certificate={}", stage.certificate)).await);
    assert_eq!((listed.len(), &listed[0]["certificate_name"]), (1, &json!("0110119153")));
    let path = format!("/renewals/{}/abandon", stage.renewal);
    let abandoned = stage.ours.post(&path, &json!({ "why": "間違い" })).await.json();
    assert_eq!(
        (&abandoned["state"], &abandoned["why"], &abandoned["over"]),
        (&json!("abandoned"), &json!("間違い"), &json!(true))
    );
    assert_eq!(stage.ours.post(&path, &json!({ "why": "x" })).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn figures_count_days_in_japans_calendar() {
    let stage = Stage::set().await;
    let expiry = stage.ours.get("/expiry?days=30").await.json();
    assert_eq!(expiry["first_day"], "2026-11-20");
    assert_eq!(expiry["items"], json!([{ "day": "2026-12-02", "installations": 1 }]));
    let prefectures = items(&stage.ours.get("/prefectures").await);
    assert_eq!((prefectures.len(), &prefectures[0]["prefecture"]["romaji"]), (1, &json!("ishikawa")));
}

#[tokio::test]
async fn who_signed_in_is_told_without_secrets() {
    let stage = Stage::set().await;
    let me = stage.ours.get("/me").await;
    assert_eq!((&me.json()["mail"], &me.json()["role"]), (&json!("hanako@ours.test"), &json!("owner")));
    assert_eq!(me.header("cache-control"), "no-store");
    stage.clock.advance(time::Duration::minutes(1));
    let now = BEGIN.plus(time::Duration::minutes(1));
    let session = stage.ours.nobody().post("/sessions", &credentials("hanako@ours.test", now)).await.json();
    assert_eq!(session["expires_at"], "2026-12-20T05:06:00Z");
    assert!(!items(&stage.ours.get("/operators").await).is_empty());
}
