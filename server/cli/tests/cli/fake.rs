//! A server that answers what a test laid out for it, and remembers what it was asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

/// Answers laid out by "METHOD /path", and what was asked.
#[derive(Clone, Default)]
pub(crate) struct Fake {
    inner: Arc<Mutex<Inner>>,
    address: String,
}

#[derive(Default)]
struct Inner {
    answers: HashMap<String, VecDeque<Laid>>,
    asked: Vec<Asked>,
}

#[derive(Clone)]
struct Laid {
    status: StatusCode,
    kind: &'static str,
    body: String,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// "METHOD /path?query", without the API's prefix.
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Fake {
    /// Starts to listen on a free port of this PC.
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let fake = Self { inner: Arc::default(), address };
        let router = Router::new().fallback(answer).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Lays out an answer; several for one request are given one after the other, and the last one again and again.
    pub(crate) fn lay(&self, request: &str, status: u16, body: &Value) -> &Self {
        let kind = if status < 400 { "application/json" } else { "application/problem+json" };
        self.lay_text(request, status, kind, &body.to_string())
    }

    pub(crate) fn lay_text(&self, request: &str, status: u16, kind: &'static str, body: &str) -> &Self {
        let laid = Laid { status: StatusCode::from_u16(status).unwrap(), kind, body: body.to_owned() };
        self.inner.lock().unwrap().answers.entry(request.to_owned()).or_default().push_back(laid);
        self
    }

    /// Lays out a problem.
    pub(crate) fn refuse(&self, request: &str, status: u16, name: &str, title: &str, detail: &str) -> &Self {
        let problem = json!({
            "type": format!("urn:inkan:problem:{name}"), "title": title, "status": status, "detail": detail,
            "request": "69201a-7",
        });
        self.lay(request, status, &problem)
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inner.lock().unwrap().asked.clone()
    }
}

async fn answer(State(fake): State<Fake>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
    let path = parts.uri.path().trim_start_matches("/api/v1");
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let key = format!("{} {path}", parts.method);
    let mut inner = fake.inner.lock().unwrap();
    inner.asked.push(Asked { line: format!("{key}{query}"), headers: parts.headers, body });
    let laid = inner
        .answers
        .get_mut(&key)
        .and_then(|answers| if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() });
    let Some(Laid { status, kind, body }) = laid else {
        return (StatusCode::IM_A_TEAPOT, format!("nothing was laid out for {key}")).into_response();
    };
    (status, [(header::CONTENT_TYPE, kind)], Body::from(body)).into_response()
}
