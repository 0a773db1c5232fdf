//! Numbering, timing and counting of requests, and what is left of one whose handler panicked.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use inkan_core::Core;
use tokio::time::{Instant, timeout};
use tracing::{Instrument as _, debug, error, info_span};

use crate::telemetry;

static REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// From the end of a request's head to the beginning of its answer. What streams goes on after that.
const LONGEST: Duration = Duration::from_mins(1);

/// What numbers requests.
#[derive(Clone)]
pub(super) struct Numbering {
    core: Core,
    last: Arc<AtomicU64>,
}

impl Numbering {
    pub(super) fn new(core: Core) -> Self {
        Self { core, last: Arc::default() }
    }

    fn next(&self) -> String {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{:x}-{number}", self.core.now().as_unix_seconds())
    }
}

/// Numbers a request, unless something inside does that better, and counts it.
pub(super) async fn number_request(State(numbering): State<Numbering>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = numbering.next();
    let span = info_span!("http", request = id, method = %request.method());
    let answered = timeout(LONGEST, next.run(request)).instrument(span).await;
    let mut response = answered.unwrap_or_else(|_| {
        error!(request = id, "a request took too long");
        (StatusCode::GATEWAY_TIMEOUT, "this took too long\n").into_response()
    });
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().entry(&REQUEST_ID).or_insert(value);
    }
    let seconds = begun.elapsed().as_secs_f64();
    debug!(request = id, status = response.status().as_u16(), seconds, "answered");
    telemetry::count_http(class_of(response.status()), seconds);
    response
}

const fn class_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500..600 => "5xx",
        _ => "1xx",
    }
}

/// Answers for a handler that panicked.
#[expect(clippy::needless_pass_by_value, reason = "the signature is the layer's")]
pub(super) fn answer_panic(panic: Box<dyn Any + Send>) -> Response<Body> {
    let words = panic.downcast_ref::<&str>().copied();
    let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no words");
    error!(panic = words, "a handler panicked");
    (StatusCode::INTERNAL_SERVER_ERROR, "something went wrong in the server\n").into_response()
}
