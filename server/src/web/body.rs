//! How large a request's body may be: 1 MiB, and 8 MiB for a list of clinics. Counted while it is read, whatever the
//! headers say.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::Limited;
use inkan_core::clinics::LARGEST_LIST;

const LARGEST: usize = 1024 * 1024;
/// Beside the list itself, for the form that carries it.
const FORM: usize = 64 * 1024;
/// Where lists of clinics are taken, by page and by REST.
const IMPORT: &str = "/clinics/import";

/// Refuses a body that says that it is too large, and cuts off one that turns out to be.
pub(super) async fn limit_body(request: Request, next: Next) -> Response {
    let most = if request.uri().path().ends_with(IMPORT) { LARGEST_LIST + FORM } else { LARGEST };
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|text| text.parse::<u64>().ok()).is_some_and(|length| length > most as u64) {
        return (StatusCode::PAYLOAD_TOO_LARGE, format!("{most} bytes are the most\n")).into_response();
    }
    next.run(request.map(|body| Body::new(Limited::new(body, most)))).await
}
