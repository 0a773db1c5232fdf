//! The REST API, as an operator's program uses it: JSON in, JSON out, every refusal with its status and its words.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use inkan_core::totp;
use inkan_model::Timestamp;
use inkan_model::join_token::JoinTokenSecret;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// An operator's way into the API.
#[derive(Clone, Debug)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body; null where there is none or it is not JSON.
    pub body: Value,
}

/// What an operator signs in with.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Mail address.
    pub mail: String,
    /// Password.
    pub password: String,
    /// The TOTP seed, as people type it.
    pub totp_seed: String,
}

impl Credentials {
    /// The code of the step that `now` falls into, or of one `steps` away from it. The server takes one step early or
    /// late, and each step once.
    ///
    /// # Errors
    /// When the seed is not one.
    pub fn code(&self, now: Timestamp, steps: i64) -> Result<String> {
        let seed = totp::parse_seed(&self.totp_seed).context("not a TOTP seed")?;
        let step = totp::step_at(now).checked_add_signed(steps).context("no such step")?;
        Ok(totp::code_of(&seed, step))
    }
}

impl Api {
    /// The API of the server whose pages are at `web`, as `http://host:port`; nobody is signed in.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(web: &str) -> Result<Self> {
        // Once for the process; whoever was first has installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy();
        let http = builder.build().context("could not make a client")?;
        Ok(Self { http, base: format!("{}/api/v1", web.trim_end_matches('/')), token: None })
    }

    /// Uses the token of a session that somebody else began.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// Signs in with a code.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn sign_in(&self, credentials: &Credentials, code: &str) -> Result<Self> {
        let Credentials { mail, password, .. } = credentials;
        let answer = self.post("/sessions", &json!({ "mail": mail, "password": password, "code": code })).await?;
        Ok(self.clone().with_token(text(&answer, "token")?))
    }

    /// The token of the session.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// Asks, and gives the answer whatever it is.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(body);
        }
        self.finish(request).await.with_context(|| format!("{method} {path}"))
    }

    async fn finish(&self, mut request: reqwest::RequestBuilder) -> Result<Answer> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await?;
        let (status, bytes) = (response.status(), response.bytes().await?);
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_default() })
    }

    /// Gets a thing.
    ///
    /// # Errors
    /// When the server refuses; its words are in the error.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.ask(Method::GET, path, None).await?.success().with_context(|| format!("GET {path}"))
    }

    /// Posts something.
    ///
    /// # Errors
    /// When the server refuses; its words are in the error.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask(Method::POST, path, Some(body)).await?.success().with_context(|| format!("POST {path}"))
    }

    /// All items of a list, page after page.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let after = cursor.as_ref().map(|cursor| format!("{joint}cursor={cursor}")).unwrap_or_default();
            let page = self.get(&format!("{path}{after}")).await?;
            items.extend(page["items"].as_array().context("a page without items")?.iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }

    /// Imports a list of clinics.
    ///
    /// # Errors
    /// When a line is wrong.
    pub async fn import_clinics(&self, csv: &str) -> Result<Value> {
        let request = self.http.post(format!("{}/clinics/import", self.base)).header("content-type", "text/csv");
        self.finish(request.body(csv.to_owned())).await?.success().context("importing clinics")
    }

    /// Makes a join token for a clinic.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn join_token(&self, clinic_code: &str, uses: u32, approve: bool) -> Result<JoinTokenSecret> {
        let order = json!({ "clinic_code": clinic_code, "uses": uses, "approve": approve });
        let made = self.post("/join-tokens", &order).await?;
        text(&made, "token")?.parse().context("the answer's token is not one")
    }
}

impl Answer {
    /// The body, if the server did what was asked.
    ///
    /// # Errors
    /// When it refused; its words are in the error.
    pub fn success(self) -> Result<Value> {
        let Self { status, body } = self;
        if !status.is_success() {
            bail!("the server answers {status}: {body}");
        }
        Ok(body)
    }
}

/// A text in an answer.
///
/// # Errors
/// When it is not there.
pub fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("no text {field:?} in {value}"))
}
