//! The stream of a PC's page.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use inkan_model::host::HostState;

use crate::stage::fleet::Fleet;
use crate::visitor::Visitor;

const DEADLINE: Duration = Duration::from_secs(20);

/// The next event of a stream, as text; `None` at its end.
async fn next_event(body: &mut Body) -> Option<String> {
    let frame = tokio::time::timeout(DEADLINE, body.frame()).await.expect("an event comes in time")?;
    let data = frame.expect("a frame").into_data().expect("data");
    Some(String::from_utf8(data.to_vec()).expect("a text"))
}

#[tokio::test]
async fn the_stream_begins_with_how_it_is_tells_changes_and_ends_with_the_session() {
    let fleet = Fleet::play().await;
    let visitor = Visitor::signed_in(&fleet.stage).await;
    let host = fleet.agent("TATEYAMA-01").host;
    let request = visitor.request("GET", &format!("/hosts/{host}/live?lang=ja")).body(Body::empty()).unwrap();
    let response = visitor.open(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    let first = next_event(&mut body).await.unwrap();
    assert!(first.contains("<hx-partial hx-target=\"#host-status\"") && first.contains("承認待ち"), "{first}");

    // A change of another PC is not told here; one of this PC is.
    let (core, operator) = (&fleet.stage.core, &fleet.operator);
    core.set_host_state(operator, fleet.agent("NOTO-01").host, HostState::Suspended).await.unwrap();
    core.set_host_state(operator, host, HostState::Active).await.unwrap();
    let second = next_event(&mut body).await.unwrap();
    assert!(!second.contains("承認を待っています") && second.contains("状態が「稼働中」になりました"), "{second}");

    core.log_out(visitor.secret.as_deref().unwrap()).await.unwrap();
    core.set_host_state(operator, host, HostState::Suspended).await.unwrap();
    assert_eq!(next_event(&mut body).await, None);
}

#[tokio::test]
async fn changes_that_come_together_are_told_together() {
    let fleet = Fleet::play().await;
    let visitor = Visitor::signed_in(&fleet.stage).await;
    let host = fleet.agent("TATEYAMA-01").host;
    let request = visitor.request("GET", &format!("/hosts/{host}/live")).body(Body::empty()).unwrap();
    let mut body = visitor.open(request).await.into_body();
    next_event(&mut body).await.unwrap();
    for to in [HostState::Active, HostState::Suspended, HostState::Active] {
        fleet.stage.core.set_host_state(&fleet.operator, host, to).await.unwrap();
    }
    let told = next_event(&mut body).await.unwrap();
    assert_eq!(told.matches("状態が「").count(), 3, "{told}");
    let quiet = tokio::time::timeout(Duration::from_millis(1_200), body.frame()).await;
    assert!(quiet.is_err(), "nothing more happened");
}
