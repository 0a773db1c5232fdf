//! What holds for every route that the OpenAPI document lists: it needs a token, and shows no other tenant's things.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use super::stage::{CLINIC_CODE, CLINIC_NAME, Caller, HOST_NAME, Stage};

/// Every operation of the document: method and path.
async fn operations(caller: &Caller) -> Vec<(Method, String)> {
    let document = caller.get("/openapi.json").await;
    assert_eq!(document.status, StatusCode::OK);
    let document = document.json();
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let methods: Vec<_> = item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        methods.into_iter().map(|method| (method.parse().unwrap(), path.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

/// A path with our identifiers in the place of its variables.
fn filled(path: &str, stage: &Stage) -> String {
    let id = match path.split('/').nth(3).unwrap() {
        "hosts" => stage.host.to_string(),
        "join-tokens" => stage.join_token.clone(),
        "renewals" => stage.renewal.clone(),
        _ => String::new(),
    };
    let filled = path.replace("{id}", &id).replace("{clinic}", &stage.clinic);
    let filled = filled.replace("{sha256}", &stage.certificate.to_string());
    let query = if path.ends_with("/entries") { "?kind=directory&path=/clinic/certs" } else { "" };
    assert!(!filled.contains('{'), "{filled}");
    format!("{filled}{query}")
}

/// A body that would do something, were the caller allowed to.
fn body_for(path: &str, stage: &Stage) -> Value {
    match path.trim_start_matches("/api/v1") {
        "/hosts/{id}/state" => json!({ "state": "retired" }),
        "/renewals/{id}/abandon" => json!({ "why": "x" }),
        "/renewals" => json!({ "host": stage.host, "certificate": stage.certificate }),
        "/join-tokens" => json!({ "clinic_id": stage.clinic }),
        _ => json!({}),
    }
}

fn request(method: &Method, path: &str, stage: &Stage) -> Request<Body> {
    let request = Request::builder().method(method).uri(filled(path, stage));
    if method == Method::POST {
        let body = body_for(path, stage).to_string();
        return request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body)).unwrap();
    }
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn without_a_token_every_route_but_signing_in_answers_401() {
    let stage = Stage::set().await;
    let mut checked = 0;
    for (method, path) in operations(&stage.ours.nobody()).await {
        if path == "/api/v1/sessions" {
            continue;
        }
        for token in [None, Some("not-a-token".to_owned())] {
            let caller = stage.ours.with_token(token);
            let answer = caller.send(request(&method, &path, &stage)).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
            checked += 1;
        }
    }
    assert!(checked >= 2 * 30, "{checked}");
}

#[tokio::test]
async fn with_another_vendors_token_nothing_of_ours_is_found_or_changed() {
    let stage = Stage::set().await;
    let ours = [
        stage.host.to_string(),
        stage.clinic.clone(),
        stage.renewal.clone(),
        stage.join_token.clone(),
        CLINIC_CODE.to_owned(),
        CLINIC_NAME.to_owned(),
        HOST_NAME.to_owned(),
        "hanako".to_owned(),
        "clinic.pem".to_owned(),
    ];
    let before = overview_and_host(&stage).await;
    for (method, path) in operations(&stage.theirs).await {
        if path == "/api/v1/sessions" || path == "/api/v1/sessions/current" {
            continue;
        }
        let answer = stage.theirs.send(request(&method, &path, &stage)).await;
        for thing in &ours {
            assert!(!answer.text.contains(thing), "{method} {path} shows {thing}: {}", answer.text);
        }
        let names_ours = path.contains('{') || (method == Method::POST && body_for(&path, &stage) != json!({}));
        if names_ours && !path.ends_with("/holders") {
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}: {}", answer.text);
        } else if method == Method::GET && answer.header("content-type") == "application/json" {
            let listed = answer.json()["items"].as_array().map_or(0, Vec::len);
            // Themselves, and what is the same for everybody.
            let theirs = ["/api/v1/operators", "/api/v1/programmes"].contains(&path.as_str());
            assert!(listed == 0 || theirs, "{path}: {}", answer.text);
        }
    }
    assert_eq!(overview_and_host(&stage).await, before);
}

async fn overview_and_host(stage: &Stage) -> (Value, Value, Value) {
    let overview = stage.ours.get("/overview").await.json();
    let host = stage.ours.get(&format!("/hosts/{}", stage.host)).await.json();
    (overview, host, stage.ours.get("/join-tokens").await.json())
}

#[tokio::test]
async fn what_the_overview_of_a_vendor_without_anything_counts_is_nothing() {
    let stage = Stage::set().await;
    let overview = stage.theirs.get("/overview").await.json();
    assert!(overview.as_object().unwrap().values().all(|figure| figure == 0), "{overview}");
    assert_eq!(stage.ours.get("/overview").await.json()["within_30"], 1);
}

/// The routes, as other programs know them: one that goes missing breaks somebody.
#[tokio::test]
async fn the_document_lists_exactly_these_routes() {
    let stage = Stage::set().await;
    let mut listed: Vec<_> = operations(&stage.ours).await;
    listed.sort_by(|a, b| (&a.1, a.0.as_str()).cmp(&(&b.1, b.0.as_str())));
    let listed: Vec<_> =
        listed.iter().map(|(method, path)| format!("{method} {}", path.trim_start_matches("/api/v1"))).collect();
    let expected = [
        "GET /certificates",
        "GET /certificates/{sha256}",
        "GET /certificates/{sha256}/der",
        "GET /certificates/{sha256}/holders",
        "GET /clinics",
        "POST /clinics",
        "GET /clinics/export.csv",
        "POST /clinics/import",
        "GET /clinics/{clinic}",
        "GET /expiry",
        "GET /findings",
        "GET /hosts",
        "GET /hosts/{id}",
        "GET /hosts/{id}/certificates",
        "GET /hosts/{id}/checkup",
        "POST /hosts/{id}/checkup",
        "GET /hosts/{id}/events",
        "GET /hosts/{id}/locations",
        "GET /hosts/{id}/locations/entries",
        "POST /hosts/{id}/state",
        "GET /join-tokens",
        "POST /join-tokens",
        "DELETE /join-tokens/{id}",
        "GET /me",
        "GET /operators",
        "POST /operators",
        "GET /overview",
        "GET /prefectures",
        "GET /programmes",
        "GET /renewals",
        "POST /renewals",
        "GET /renewals/{id}",
        "POST /renewals/{id}/abandon",
        "POST /sessions",
        "DELETE /sessions/current",
    ];
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn every_schema_that_the_document_refers_to_is_in_it() {
    fn collect<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|field| collect(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let stage = Stage::set().await;
    let document = stage.ours.get("/openapi.json").await.json();
    let mut referred = Vec::new();
    collect(&document, &mut referred);
    assert!(!referred.is_empty());
    for reference in referred {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn every_post_but_signing_in_takes_an_idempotency_key_and_every_operation_says_how_it_refuses() {
    let stage = Stage::set().await;
    let document = stage.ours.get("/openapi.json").await.json();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["responses"]["default"].is_object(), "{method} {path}");
            let takes_key = operation["parameters"]
                .as_array()
                .is_some_and(|parameters| parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key"));
            assert_eq!(takes_key, method == "post" && path != "/api/v1/sessions", "{method} {path}");
        }
    }
}
