//! What a page answers when it cannot do what was asked: one designed page, in the operator's language, with an
//! identifier that leads to the log.
//!
//! A handler returns a [`Fault`]; the page is drawn further out, by [`render`], which knows the language by then.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use inkan_core::Error;
use inkan_model::locale::Locale;

use crate::Site;
use crate::words::Words;

/// Why a page was not drawn.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A use case refused.
    Core(Error),
    /// A form came from another site, or from nowhere that can be told.
    ForeignForm,
    /// There is no such page.
    NoSuchPage,
    /// A form's token does not belong to this session.
    StaleForm,
    /// A template could not be printed.
    Template(askama::Error),
    /// A form or an address could not be read.
    Unreadable,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<askama::Error> for Fault {
    fn from(error: askama::Error) -> Self {
        Self::Template(error)
    }
}

impl Fault {
    fn status(&self) -> StatusCode {
        match self {
            Self::Core(error) => match error {
                Error::Authority(_) | Error::Db(_) => StatusCode::INTERNAL_SERVER_ERROR,
                Error::Conflict { .. } => StatusCode::CONFLICT,
                Error::Forbidden { .. } => StatusCode::FORBIDDEN,
                Error::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
                Error::NotFound { .. } => StatusCode::NOT_FOUND,
                Error::TooManyTries => StatusCode::TOO_MANY_REQUESTS,
                Error::WrongCredentials => StatusCode::UNAUTHORIZED,
            },
            Self::ForeignForm | Self::StaleForm => StatusCode::FORBIDDEN,
            Self::NoSuchPage => StatusCode::NOT_FOUND,
            Self::Template(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unreadable => StatusCode::BAD_REQUEST,
        }
    }

    /// What happened, and what to do next.
    fn words(&self, words: Words) -> (String, String) {
        match self.status() {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
                (words.say("fault.unreadable"), words.say("fault.unreadable_next"))
            }
            StatusCode::CONFLICT => (words.say("fault.conflict"), words.say("fault.conflict_next")),
            StatusCode::FORBIDDEN if matches!(self, Self::Core(_)) => {
                (words.say("fault.forbidden"), words.say("fault.forbidden_next"))
            }
            StatusCode::FORBIDDEN => (words.say("fault.stale"), words.say("fault.stale_next")),
            StatusCode::NOT_FOUND => (words.say("fault.not_found"), words.say("fault.not_found_next")),
            StatusCode::TOO_MANY_REQUESTS => (words.say("fault.too_many"), words.say("fault.too_many_next")),
            _ => (words.say("fault.internal"), words.say("fault.internal_next")),
        }
    }

    /// A core's own words for the reason, which are in English; shown small, below ours.
    fn detail(&self) -> Option<String> {
        match self {
            Self::Core(error @ (Error::Conflict { .. } | Error::Invalid { .. })) => Some(error.to_string()),
            _ => None,
        }
    }
}

/// Carries the fault outwards to [`render`].
#[derive(Clone)]
struct Carried(Arc<Mutex<Option<Fault>>>);

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Carried(Arc::new(Mutex::new(Some(self)))));
        response
    }
}

/// The language of the answer, told by whoever finds out first who asks.
#[derive(Clone, Default)]
pub(crate) struct Spoken(Arc<OnceLock<Locale>>);

impl Spoken {
    pub(crate) fn tell(&self, words: Words) {
        // Only the first one counts; a second would be told the same.
        let _ = self.0.set(words.0);
    }
}

/// The language that an address asks for by `?lang=`.
pub(crate) fn locale_of_query(query: Option<&str>) -> Option<Locale> {
    query?.split('&').find_map(|pair| pair.strip_prefix("lang=")).and_then(Locale::from_tag)
}

#[derive(Template)]
#[template(path = "fault.html")]
struct FaultPage {
    w: Words,
    what: String,
    next: String,
    detail: Option<String>,
    correlation: String,
}

#[derive(Template)]
#[template(path = "fault_fragment.html")]
struct FaultFragment {
    what: String,
    next: String,
    correlation: String,
}

/// Draws the page of a fault.
pub(crate) async fn render(State(site): State<Site>, mut request: Request, next: Next) -> Response {
    let spoken = Spoken::default();
    let asked_for = locale_of_query(request.uri().query());
    let wants_fragment = is_fragment(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    request.extensions_mut().insert(spoken.clone());
    let response = next.run(request).await;
    let carried = response.extensions().get::<Carried>();
    let fault = carried.and_then(|carried| carried.0.lock().ok()?.take());
    let Some(fault) = fault.or_else(|| fault_of_bare(&response)) else { return response };
    let words = Words(spoken.0.get().copied().or(asked_for).unwrap_or_default());
    let correlation = new_correlation(&site);
    let status = fault.status();
    if status.is_server_error() {
        let cause = match &fault {
            Fault::Core(error) => chain_of(error),
            Fault::Template(error) => chain_of(error),
            other => format!("{other:?}"),
        };
        tracing::error!(correlation, %method, path, cause, "page failed");
    } else {
        tracing::debug!(correlation, %method, path, status = status.as_u16(), "page refused");
    }
    let (what, next) = fault.words(words);
    let detail = fault.detail();
    let page = if wants_fragment {
        FaultFragment { what, next, correlation }.render()
    } else {
        FaultPage { w: words, what, next, detail, correlation }.render()
    };
    let mut drawn = (status, Html(page.unwrap_or_default())).into_response();
    drawn.headers_mut().insert(header::VARY, HeaderValue::from_static("HX-Request"));
    drawn
}

/// Whether htmx asks for a part of a page.
pub(crate) fn is_fragment(headers: &HeaderMap) -> bool {
    headers.contains_key("hx-request")
}

/// Refusals that axum makes itself (a body that is too large, a method that is not served) have no page yet.
fn fault_of_bare(response: &Response) -> Option<Fault> {
    let is_page =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    match response.status() {
        StatusCode::NOT_FOUND if !is_page => Some(Fault::NoSuchPage),
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
            if !is_page =>
        {
            Some(Fault::Unreadable)
        }
        _ => None,
    }
}

/// Finds this answer in the log again. It need not be unguessable, only different from the others.
fn new_correlation(site: &Site) -> String {
    static ANSWERS: AtomicU32 = AtomicU32::new(0);
    let count = ANSWERS.fetch_add(1, Ordering::Relaxed) % 0x1000;
    format!("{:X}-{count:03X}", site.core().now().as_unix_millis())
}

/// An error with all its causes, for the log.
fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
