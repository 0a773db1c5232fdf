//! Requests that must not take effect twice: a POST with an `Idempotency-Key` is carried out once, and a repetition gets
//! the first one's status and body.
//!
//! Secrets that are shown once are not stored: a handler leaves [`StoredBody`] beside its answer, and a repetition gets
//! that. A failure of the server itself is not stored either, so that trying again can succeed.

use axum::RequestExt as _;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use inkan_core::Core;
use inkan_core::ports::{IdempotentRequest, IdempotentState};
use inkan_model::OperatorId;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tracing::error;

use super::caller::Caller;
use super::correlation::{RequestId, render_problem};
use super::problem::{Answer, Kind, Problem};

/// The header that carries the key.
pub(super) const HEADER: &str = "idempotency-key";
static REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const LONGEST_KEY: usize = 128;

/// What a repetition is answered with in place of the body, because the body holds a secret.
#[derive(Clone)]
pub(super) struct StoredBody(pub(super) String);

/// What to store in place of an answer: `answer` must hold no secret.
pub(super) fn stored_as(answer: &impl Serialize) -> StoredBody {
    // These values always serialise; were one not to, a repetition would get an empty body, never the secret.
    StoredBody(serde_json::to_string(answer).unwrap_or_default())
}

/// Carries out a POST once for each key.
pub(super) async fn once_for_each_key(State(core): State<Core>, request: Request, next: Next) -> Response {
    match key_of(&request) {
        Ok(None) => next.run(request).await,
        Ok(Some(key)) => carry_out(core, key, request, next).await.unwrap_or_else(Problem::into_response),
        Err(problem) => problem.into_response(),
    }
}

fn key_of(request: &Request) -> Answer<Option<String>> {
    if request.method() != Method::POST {
        return Ok(None);
    }
    let Some(value) = request.headers().get(HEADER) else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=LONGEST_KEY).contains(&key.len()));
    let refused = || Problem::invalid("Idempotency-Key", "1 to 128 visible ASCII characters are possible");
    key.map(|key| Some(key.to_owned())).ok_or_else(refused)
}

async fn carry_out(core: Core, key: String, request: Request, next: Next) -> Answer<Response> {
    let caller = request.extensions().get::<Caller>().map(|caller| caller.operator.id);
    let operator = caller.ok_or_else(|| Problem::not_signed_in("a token is needed"))?;
    let (request, request_sha256) = digest_of(request).await?;
    let id = request.extensions().get::<RequestId>().cloned();
    let begun = IdempotentRequest { operator, key: key.clone(), request_sha256, now: core.now() };
    match core.db().begin_idempotent(&begun).await.map_err(inkan_core::Error::from)? {
        IdempotentState::New => {}
        IdempotentState::Answered { status, body } => return Ok(replay(status, body)),
        IdempotentState::Mismatch => {
            let detail = "this Idempotency-Key came with another request before: make a new key for each request";
            return Err(Problem::new(Kind::IdempotencyMismatch, detail));
        }
        IdempotentState::UnderWay => {
            return Err(Problem::new(Kind::IdempotencyUnderWay, "ask again with the same key in a minute"));
        }
    }
    // A task of its own: a caller who hangs up must not leave a request begun and never finished.
    let work = tokio::spawn(async move {
        let response = next.run(request).await;
        let response = match id {
            Some(id) => render_problem(response, &id),
            None => response,
        };
        remember(&core, operator, &key, response).await
    });
    match work.await {
        Ok(response) => Ok(response),
        Err(error) => Err(Problem::internal(Kind::Internal, format!("a request's task ended: {error}"))),
    }
}

/// What tells two requests apart: method, path and body.
async fn digest_of(request: Request) -> Answer<(Request, [u8; 32])> {
    let (parts, body) = request.with_limited_body().into_parts();
    let body = Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await?;
    let mut hasher = Sha256::new();
    hasher.update(parts.method.as_str());
    hasher.update([0]);
    hasher.update(parts.uri.to_string());
    hasher.update([0]);
    hasher.update(&body);
    Ok((Request::from_parts(parts, Body::from(body)), hasher.finalize().into()))
}

/// Stores the answer, and passes it on.
async fn remember(core: &Core, operator: OperatorId, key: &str, response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let status = parts.status;
    if !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS {
        let stored = parts.extensions.remove::<StoredBody>();
        let stored = stored.map_or_else(|| String::from_utf8_lossy(&body).into_owned(), |StoredBody(body)| body);
        // The work is done and its answer goes out either way; only a repetition within the day would do it again.
        if let Err(error) = core.db().finish_idempotent(operator, key, status.as_u16(), &stored).await {
            error!(%error, "could not store an answer");
        }
    }
    Response::from_parts(parts, Body::from(body))
}

fn replay(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(REPLAYED.clone(), HeaderValue::from_static("true"));
    (status, headers, body).into_response()
}
