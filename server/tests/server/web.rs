//! The third listener: health, figures, headers, and who may look at the protocol.

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::stage::Stage;

async fn send(request: Request<Full<Bytes>>) -> Response<String> {
    let http2 = request.version() == Version::HTTP_2;
    let client = Client::builder(TokioExecutor::new()).http2_only(http2).build_http();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response::from_parts(head, String::from_utf8_lossy(&body).into_owned())
}

async fn get(stage: &Stage, path: &str) -> Response<String> {
    let url = format!("{}{path}", stage.addresses.web);
    send(Request::get(url).body(Full::default()).unwrap()).await
}

/// A call of gRPC with one message; the status that it ends with.
async fn call(stage: &Stage, path: &str, token: Option<&str>, message: &[u8]) -> (String, String) {
    let frame = [&[0, 0, 0, 0, u8::try_from(message.len()).unwrap()], message].concat();
    let url = format!("{}{path}", stage.addresses.web);
    let mut request = Request::post(url).version(Version::HTTP_2).header("content-type", "application/grpc");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let answer = client.request(request.body(Full::new(Bytes::from(frame))).unwrap()).await.unwrap();
    let in_head = answer.headers().get("grpc-status").cloned();
    let collected = answer.into_body().collect().await.unwrap();
    let status = in_head.or_else(|| collected.trailers()?.get("grpc-status").cloned()).unwrap();
    (status.to_str().unwrap().to_owned(), String::from_utf8_lossy(&collected.to_bytes()).into_owned())
}

#[tokio::test]
async fn health_is_told_by_http_and_by_grpc() {
    let stage = Stage::start().await;
    assert_eq!(get(&stage, "/livez").await.status(), StatusCode::OK);
    let ready = get(&stage, "/readyz").await;
    assert_eq!((ready.status(), ready.body().contains("\"database\":\"ok\"")), (StatusCode::OK, true));
    let (status, body) = call(&stage, "/grpc.health.v1.Health/Check", None, b"").await;
    assert_eq!((status.as_str(), body.as_bytes().last()), ("0", Some(&1)), "SERVING");

    std::fs::remove_file(stage.deployment().join("agent-ca.pem")).unwrap();
    assert_eq!(get(&stage, "/readyz").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    stage.stop().await;
}

#[tokio::test]
async fn figures_have_the_names_that_alerts_are_made_of() {
    let stage = Stage::start().await;
    get(&stage, "/livez").await;
    let body = get(&stage, "/metrics").await.into_body();
    for name in [
        "inkan_hosts",
        "inkan_agents_connected",
        "inkan_http_requests_total",
        "inkan_tls_certificate_not_after_seconds",
    ] {
        assert!(body.contains(&format!("# TYPE {name} ")), "{name} is not in:\n{body}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn every_answer_protects_the_browser_and_has_a_number() {
    let stage = Stage::start().await;
    for path in ["/livez", "/api/v1/no-such-thing"] {
        let answer = get(&stage, path).await;
        for name in
            ["content-security-policy", "x-content-type-options", "referrer-policy", "cache-control", "request-id"]
        {
            assert!(answer.headers().contains_key(name), "{path} has no {name}");
        }
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let stage = Stage::start().await;
    let url = format!("{}/api/v1/sessions", stage.addresses.web);
    let body = Full::new(Bytes::from(vec![b' '; 2 * 1024 * 1024]));
    let request = Request::post(url).header("content-type", "application/json").body(body).unwrap();
    assert_eq!(send(request).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    stage.stop().await;
}

#[tokio::test]
async fn the_protocol_is_shown_to_signed_in_operators_only() {
    let stage = Stage::start().await;
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    // list_services = ""
    let list = b"\x3a\x00";
    assert_eq!(call(&stage, path, None, list).await.0, "16");
    assert_eq!(call(&stage, path, Some("wrong"), list).await.0, "16");
    let token = stage.operator_token().await;
    let (status, body) = call(&stage, path, Some(&token), list).await;
    assert_eq!(status, "0");
    assert!(body.contains("inkan.v1.Agent"), "{body}");
    stage.stop().await;
}

#[tokio::test]
async fn the_first_owner_gets_a_link_until_there_is_one() {
    let stage = Stage::start().await;
    let link = stage.setup_link.clone().unwrap();
    let secret = link.rsplit('/').next().unwrap();
    assert_eq!(link, format!("{}/setup/{secret}", stage.addresses.web));
    assert!(stage.core.is_setup_link(secret).await.unwrap());
    stage.owner("Vendor").await;
    assert!(!stage.core.is_setup_link(secret).await.unwrap(), "an owner made at the console ends the setup, too");
    stage.stop().await;
}
