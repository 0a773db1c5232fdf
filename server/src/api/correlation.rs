//! Numbers requests, and writes problems out with that number, so that an answer and the log can be put side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use inkan_core::Core;
use tracing::{Instrument as _, debug, error, info_span};

use super::problem::{Kind, Problem};

static REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// The number of one request: when it came, and which one it was since the server started. It is not a secret, and
/// short enough to be read out on the phone. The letter tells it from the numbers that pages have.
#[derive(Clone, Debug)]
pub(super) struct RequestId(String);

impl RequestId {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

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

    fn next(&self) -> RequestId {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        RequestId(format!("{:x}-a{number}", self.core.now().as_unix_seconds()))
    }
}

/// Numbers the request, and writes out the problem that it may end in.
pub(super) async fn number_requests(State(numbering): State<Numbering>, mut request: Request, next: Next) -> Response {
    let id = numbering.next();
    request.extensions_mut().insert(id.clone());
    let span = info_span!("api", request = id.as_str(), method = %request.method());
    let response = next.run(request).instrument(span).await;
    let mut response = render_problem(response, &id);
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert(REQUEST_ID.clone(), value);
    }
    // Answers hold tokens and whom to call; no cache between here and the caller may keep them.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Writes out the problem that a response carries, if it carries one.
pub(super) fn render_problem(mut response: Response, id: &RequestId) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    if let Some(cause) = problem.cause() {
        error!(request = id.as_str(), cause, "could not serve a request");
    } else {
        debug!(request = id.as_str(), ?problem, "refused a request");
    }
    problem.render(id.as_str())
}

/// What a handler that panicked answers.
pub(super) fn answer_panic(panic: Box<dyn std::any::Any + Send>) -> Response {
    let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
    let cause = format!("panicked: {}", words.unwrap_or_default());
    Problem::internal(Kind::Internal, cause).into_response()
}
