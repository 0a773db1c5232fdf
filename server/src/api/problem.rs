//! Refusals as RFC 9457 problem details: the one map from what a use case answers to HTTP.
//!
//! A [`Problem`] is only a value until [`super::correlation`] gives it the request's number and writes it out, so that
//! what an operator reads on the screen and what the log says carry the same number. What went wrong inside is logged
//! and never part of the answer.

use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use inkan_core::Error;
use inkan_core::clinics::LineError;
use inkan_core::ports::DbError;
use inkan_model::operator::Permission;
use serde::Serialize;
use utoipa::ToSchema;

/// A handler's result.
pub(super) type Answer<T> = Result<T, Problem>;

/// Why a request was not served.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    kind: Kind,
    detail: String,
    field: Option<String>,
    errors: Vec<LineError>,
    /// What went wrong inside, for the log.
    cause: Option<String>,
}

/// The kinds of problem; each has a status, a type and a title that never change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Authority,
    Conflict,
    Forbidden,
    IdempotencyMismatch,
    IdempotencyUnderWay,
    Internal,
    InvalidField,
    InvalidList,
    MediaType,
    MethodNotAllowed,
    NotFound,
    NotSignedIn,
    TooLarge,
    TooManyTries,
    Unavailable,
    Unreadable,
    WrongCredentials,
}

impl Kind {
    const fn facts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Authority => {
                (StatusCode::BAD_GATEWAY, "authority", "The certification authority did not do its work")
            }
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "This does not fit what is there"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "Your role does not allow this"),
            Self::IdempotencyMismatch => {
                (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-mismatch", "The key was used for another request")
            }
            Self::IdempotencyUnderWay => {
                (StatusCode::CONFLICT, "idempotency-under-way", "The same request is still under way")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong in the server"),
            Self::InvalidField => (StatusCode::UNPROCESSABLE_ENTITY, "invalid-field", "A value was refused"),
            Self::InvalidList => (StatusCode::UNPROCESSABLE_ENTITY, "invalid-list", "The list has wrong lines"),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "This kind of body is not taken"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "No such method here"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "No such thing"),
            Self::NotSignedIn => (StatusCode::UNAUTHORIZED, "not-signed-in", "A token is needed"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large"),
            Self::TooManyTries => (StatusCode::TOO_MANY_REQUESTS, "too-many-tries", "Too many tries"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The server is stopping"),
            Self::Unreadable => (StatusCode::BAD_REQUEST, "unreadable", "The request could not be read"),
            Self::WrongCredentials => (StatusCode::UNAUTHORIZED, "wrong-credentials", "You were not let in"),
        }
    }

    /// Seconds after which trying again can help.
    const fn retry_after(self) -> Option<&'static str> {
        match self {
            Self::IdempotencyUnderWay | Self::TooManyTries => Some("60"),
            Self::Unavailable => Some("10"),
            _ => None,
        }
    }
}

/// Problem details (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody {
    /// Which kind of problem, as `urn:inkan:problem:…`; never changes for one kind.
    #[serde(rename = "type")]
    #[schema(example = "urn:inkan:problem:invalid-field")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// HTTP status.
    status: u16,
    /// What is wrong this time, and what to do.
    detail: String,
    /// The field, parameter or header that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// The wrong lines of a list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<LineProblem>,
    /// The request's number, as in the header `Request-Id` and in the server's log.
    request: String,
}

/// A line of a list that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LineProblem {
    /// The line, counted from 1, the head included.
    line: u64,
    /// The field and what is wrong with it.
    why: String,
}

impl Problem {
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), field: None, errors: Vec::new(), cause: None }
    }

    /// A value that was refused, by its field.
    pub(super) fn invalid(field: impl Into<String>, why: impl ToString) -> Self {
        Self { field: Some(field.into()), ..Self::new(Kind::InvalidField, why.to_string()) }
    }

    /// A list with wrong lines.
    pub(super) fn invalid_list(errors: Vec<LineError>) -> Self {
        let detail = "nothing was stored: correct these lines and send the whole list again";
        Self { errors, ..Self::new(Kind::InvalidList, detail) }
    }

    /// Nobody is signed in.
    pub(super) fn not_signed_in(detail: &'static str) -> Self {
        Self::new(Kind::NotSignedIn, detail)
    }

    /// Something that nobody outside can do anything about; `cause` goes to the log only.
    pub(super) fn internal(kind: Kind, cause: String) -> Self {
        let detail = "tell the server's administrator this request's number; the log says more";
        Self { cause: Some(cause), ..Self::new(kind, detail) }
    }

    /// The refused field, so that a handler can give it the name that its own body uses.
    #[must_use]
    pub(super) fn rename_field(mut self, from: &str, to: &str) -> Self {
        if self.field.as_deref() == Some(from) {
            self.field = Some(to.to_owned());
        }
        self
    }

    /// What went wrong inside.
    pub(super) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// Writes the answer out, with the request's number.
    pub(super) fn render(self, request: &str) -> Response {
        let Self { kind, detail, field, errors, cause: _ } = self;
        let (status, name, title) = kind.facts();
        let errors = errors.into_iter().map(|LineError { line, why }| LineProblem { line, why }).collect();
        let body = ProblemBody {
            kind: format!("urn:inkan:problem:{name}"),
            title,
            status: status.as_u16(),
            detail,
            field,
            errors,
            request: request.to_owned(),
        };
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = kind.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Leaves the problem in the response's extensions, for [`super::correlation`] to write out.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.kind.facts().0.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Authority(_) => Self::internal(Kind::Authority, chain_of(&error)),
            Error::Conflict { why } => Self::new(Kind::Conflict, why),
            Error::Db(DbError::Closed) => Self::new(Kind::Unavailable, "try again in a moment"),
            Error::Db(_) => Self::internal(Kind::Internal, chain_of(&error)),
            Error::Forbidden { needs } => Self::new(Kind::Forbidden, format!("needs the right to {}", in_words(needs))),
            Error::Invalid { field, why } => Self::invalid(field, why),
            Error::NotFound { .. } => Self::new(Kind::NotFound, error.to_string()),
            Error::TooManyTries => Self::new(Kind::TooManyTries, error.to_string()),
            Error::WrongCredentials => Self::new(Kind::WrongCredentials, error.to_string()),
        }
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Self::new(Kind::TooLarge, "1 MiB is the most, 8 MiB for a list of clinics")
        } else {
            Self::new(Kind::Unreadable, "the body ended too early")
        }
    }
}

const fn in_words(needs: Permission) -> &'static str {
    match needs {
        Permission::ReadFleet => "see clinics, PCs and certificates",
        Permission::ChangeFleet => "change clinics and PCs",
        Permission::RequestRenewal => "ask for renewals",
        Permission::ManageOperators => "manage operators",
    }
}

/// An error with all its causes.
fn chain_of(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_went_wrong_inside_is_not_part_of_the_answer() {
        let cause = Box::new(std::io::Error::other("secret path /var/lib/x"));
        let problem = Problem::from(Error::Db(DbError::Query { step: "list hosts", cause }));
        assert!(problem.cause().unwrap().contains("secret path"));
        let response = problem.render("7");
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(
            !text.contains("secret") && !text.contains("list hosts") && text.contains("\"request\":\"7\""),
            "{text}"
        );
    }
}
