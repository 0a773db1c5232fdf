//! A browser's part, as far as the pages need it: a cookie, the headers of a form of our own, the form token.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::stage::{MAIL, Stage};

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a readable header"))
    }

    pub(crate) fn location(&self) -> &str {
        self.header("location")
    }

    /// Fails with the page unless all of these stand in it.
    pub(crate) fn assert_has(&self, texts: &[&str]) {
        for text in texts {
            assert!(self.body.contains(text), "{text:?} is not in\n{}", self.body);
        }
    }

    pub(crate) fn assert_lacks(&self, texts: &[&str]) {
        for text in texts {
            assert!(!self.body.contains(text), "{text:?} is in\n{}", self.body);
        }
    }

    /// The first thing between two texts.
    pub(crate) fn between(&self, before: &str, after: &str) -> &str {
        let (_, rest) = self.body.split_once(before).unwrap_or_else(|| panic!("{before:?} is not in\n{}", self.body));
        rest.split_once(after).map_or(rest, |(found, _)| found)
    }
}

/// Somebody who looks at the pages.
#[derive(Clone)]
pub(crate) struct Visitor {
    router: Router,
    pub(crate) secret: Option<String>,
}

impl Visitor {
    pub(crate) fn stranger(stage: &Stage) -> Self {
        Self { router: stage.router(), secret: None }
    }

    pub(crate) async fn signed_in(stage: &Stage) -> Self {
        Self { router: stage.router(), secret: Some(stage.log_in(MAIL).await) }
    }

    pub(crate) fn over_https(stage: &Stage) -> Self {
        Self { router: stage.router_with(true), secret: None }
    }

    /// The status alone, for answers that never end.
    pub(crate) async fn get_head(&self, path: &str) -> StatusCode {
        self.open(self.request("GET", path).body(Body::empty()).expect("a request")).await.status()
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let request = Request::builder().method(method).uri(path).header(header::HOST, "inkan.example");
        match &self.secret {
            Some(secret) => request.header(header::COOKIE, format!("inkan={secret}")),
            None => request,
        }
    }

    pub(crate) async fn open(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.expect("a router answers")
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.open(request).await.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let body = String::from_utf8(body.to_vec()).expect("a text");
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path).body(Body::empty()).expect("a request")).await
    }

    /// A page, which has to be there.
    pub(crate) async fn page(&self, path: &str) -> Answer {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}\n{}", answer.body);
        answer
    }

    /// Asks as htmx does.
    pub(crate) async fn fragment(&self, path: &str) -> Answer {
        self.send(self.request("GET", path).header("hx-request", "true").body(Body::empty()).expect("a request")).await
    }

    /// Sends a form of one of our own pages.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self.request("POST", path).header("sec-fetch-site", "same-origin");
        self.send(form(request, fields)).await
    }

    /// Sends it with the token that stands in the page at `from`.
    pub(crate) async fn post_from(&self, from: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.token(from).await;
        let mut fields = fields.to_vec();
        fields.insert(0, ("token", &token));
        self.post(path, &fields).await
    }

    /// The form token that stands in a page.
    pub(crate) async fn token(&self, path: &str) -> String {
        self.page(path).await.between("name=\"token\" value=\"", "\"").to_owned()
    }
}

/// A form as a browser encodes it.
pub(crate) fn form(request: axum::http::request::Builder, fields: &[(&str, &str)]) -> Request<Body> {
    let encode = |text: &str| {
        let hex = |byte: &u8| format!("%{byte:02X}");
        text.as_bytes().iter().map(hex).collect::<String>()
    };
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    request.body(Body::from(pairs.join("&"))).expect("a request")
}
