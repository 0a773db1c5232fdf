//! The REST API over HTTPS: requests, pages, problems.
//!
//! A token goes to the server that gave it and nowhere else: redirections are not followed, and plain HTTP is spoken with
//! this PC only. A POST carries a key of its own, so that sending it again after a lost answer does nothing twice.

use std::fs;
use std::path::Path;
use std::time::Duration;

use inkan_model::locale::Locale;
use reqwest::header::{ACCEPT_LANGUAGE, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Error, Problem, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_mins(2);
/// Bytes of the largest answer that is read.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
/// Items of the largest page that the API gives.
const LARGEST_PAGE: u32 = 500;

/// Parameters of a query; those without a value are left out.
pub(crate) type Query<'a> = Vec<(&'static str, Option<&'a str>)>;

/// Speaks with one server.
pub(crate) struct Client {
    http: reqwest::Client,
    server: Url,
    token: Option<String>,
    locale: Locale,
}

/// What the API said.
#[derive(Debug)]
pub(crate) struct Reply {
    server: String,
    bytes: Vec<u8>,
}

/// The items of a list, from as many pages as it took.
pub(crate) struct Listing {
    server: String,
    items: Vec<Box<RawValue>>,
    /// Whether there are more than were asked for.
    pub(crate) more: bool,
    /// What the API said, as one page.
    pub(crate) text: String,
}

#[derive(Deserialize)]
struct RawPage {
    items: Vec<Box<RawValue>>,
    next: Option<String>,
}

impl Client {
    /// Speaks with `server`, trusting the certification authorities of the PC, or those of `ca_file` only.
    pub(crate) fn new(server: &str, ca_file: Option<&Path>, token: Option<String>, locale: Locale) -> Result<Self> {
        let server = parse_server(server)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("inkan/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT);
        if let Some(file) = ca_file {
            builder = builder.tls_certs_only(read_authorities(file)?);
        }
        let http = builder.build().map_err(|cause| Error::local("prepare TLS", cause))?;
        Ok(Self { http, server, token, locale })
    }

    /// The server's address.
    pub(crate) fn server(&self) -> &str {
        self.server.as_str().trim_end_matches('/')
    }

    /// Gets a thing.
    pub(crate) async fn get(&self, path: &str, query: &Query<'_>) -> Result<Reply> {
        let given: Vec<_> = query.iter().filter_map(|(name, value)| Some((name, (*value)?))).collect();
        self.send(self.request(Method::GET, path)?.query(&given)).await
    }

    /// Gets items of a list, page after page, until there are `limit` of them.
    pub(crate) async fn list(&self, path: &str, query: &Query<'_>, limit: u32) -> Result<Listing> {
        let mut pages: Vec<RawPage> = Vec::new();
        let mut first = String::new();
        let mut left = limit;
        loop {
            let size = left.min(LARGEST_PAGE).to_string();
            let cursor = pages.last().and_then(|page| page.next.clone());
            let mut query = query.clone();
            query.extend([("limit", Some(size.as_str())), ("cursor", cursor.as_deref())]);
            let reply = self.get(path, &query).await?;
            let page: RawPage = reply.read()?;
            left = left.saturating_sub(u32::try_from(page.items.len()).unwrap_or(u32::MAX));
            let is_last = page.next.is_none() || page.items.is_empty() || left == 0;
            if pages.is_empty() {
                reply.text()?.clone_into(&mut first);
            }
            pages.push(page);
            if is_last {
                return Ok(self.join(pages, first));
            }
        }
    }

    /// Makes one listing of all pages. What came as one page stays as it came.
    fn join(&self, pages: Vec<RawPage>, first: String) -> Listing {
        let next = pages.last().and_then(|page| page.next.clone());
        let (single, more) = (pages.len() == 1, next.is_some());
        let items: Vec<_> = pages.into_iter().flat_map(|page| page.items).collect();
        let text = if single {
            first
        } else {
            let items: Vec<_> = items.iter().map(|item| item.get()).collect();
            format!("{{\"items\":[{}],\"next\":{}}}", items.join(","), Value::from(next))
        };
        Listing { server: self.server().to_owned(), items, more, text }
    }

    /// Posts something.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Reply> {
        self.post_body(path, "application/json", body.to_string().into_bytes()).await
    }

    /// Posts bytes of a kind. Sends them once more when the first answer was lost on the way.
    pub(crate) async fn post_body(&self, path: &str, kind: &'static str, body: Vec<u8>) -> Result<Reply> {
        let key = format!("{:032x}", rand::random::<u128>());
        let request = |body: Vec<u8>| {
            let request = self.request(Method::POST, path)?;
            Ok(request.header(CONTENT_TYPE, kind).header("Idempotency-Key", &key).body(body))
        };
        match self.send(request(body.clone())?).await {
            Err(Error::Unreachable { .. }) => self.send(request(body)?).await,
            answered => answered,
        }
    }

    /// Deletes a thing.
    pub(crate) async fn delete(&self, path: &str) -> Result<Reply> {
        self.send(self.request(Method::DELETE, path)?).await
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder> {
        let address =
            self.server.join(&format!("api/v1{path}")).map_err(|cause| Error::local("make an address", cause))?;
        let mut request = self.http.request(method, address).header(ACCEPT_LANGUAGE, self.locale.tag());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        Ok(request)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Reply> {
        let response = request.send().await.map_err(|cause| self.unreachable(cause))?;
        let status = response.status();
        let is_problem = says(&response, "application/problem+json");
        let bytes = self.read_body(response).await?;
        if status.is_success() {
            return Ok(Reply { server: self.server().to_owned(), bytes });
        }
        let problem = is_problem.then(|| serde_json::from_slice(&bytes).ok()).flatten();
        Err(problem.map_or_else(|| self.odd_status(status), |problem: Box<Problem>| Error::Refused(problem)))
    }

    async fn read_body(&self, mut response: Response) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|cause| self.unreachable(cause))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > LARGEST_ANSWER {
                return Err(self.odd(&"the answer is larger than 64 MiB"));
            }
        }
        Ok(bytes)
    }

    fn unreachable(&self, cause: reqwest::Error) -> Error {
        // Its address is in the words around it already, and may hold a search.
        Error::Unreachable { server: self.server().to_owned(), cause: cause.without_url().into() }
    }

    fn odd(&self, why: &impl ToString) -> Error {
        Error::Odd { server: self.server().to_owned(), why: why.to_string() }
    }

    fn odd_status(&self, status: StatusCode) -> Error {
        self.odd(&format!("HTTP {status}"))
    }
}

impl Listing {
    /// The items as values.
    pub(crate) fn items<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        let items = self.items.iter().map(|item| serde_json::from_str(item.get())).collect::<serde_json::Result<_>>();
        items.map_err(|error| Error::Odd { server: self.server.clone(), why: error.to_string() })
    }
}

impl Reply {
    /// The answer's text.
    pub(crate) fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.bytes).map_err(|error| self.odd(&error))
    }

    /// The answer's bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The answer as values.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.bytes).map_err(|error| self.odd(&error))
    }

    fn odd(&self, why: &impl ToString) -> Error {
        Error::Odd { server: self.server.clone(), why: why.to_string() }
    }
}

fn says(response: &Response, kind: &str) -> bool {
    let given = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    given.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case(kind)
}

/// Reads a server's address. Plain HTTP is taken for this PC only.
pub(crate) fn parse_server(text: &str) -> Result<Url> {
    let usage = |why: &str| Error::Usage(format!("--server {text}: {why}"));
    let mut server =
        Url::parse(text.trim()).map_err(|_| usage("an address such as https://fleet.example is expected"))?;
    let local = matches!(server.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match server.scheme() {
        "https" => {}
        "http" if local => {}
        "http" => return Err(usage("a token must not travel unencrypted: https is expected")),
        _ => return Err(usage("an address such as https://fleet.example is expected")),
    }
    if !server.username().is_empty() || server.password().is_some() || server.host_str().is_none() {
        return Err(usage("an address such as https://fleet.example is expected"));
    }
    server.set_query(None);
    server.set_fragment(None);
    if !server.path().ends_with('/') {
        let path = format!("{}/", server.path());
        server.set_path(&path);
    }
    Ok(server)
}

fn read_authorities(file: &Path) -> Result<Vec<reqwest::Certificate>> {
    let step = || format!("read the certificates of {}", file.display());
    let pem = fs::read(file).map_err(|cause| Error::local(step(), cause))?;
    let authorities = reqwest::Certificate::from_pem_bundle(&pem).map_err(|cause| Error::local(step(), cause))?;
    if authorities.is_empty() {
        return Err(Error::NotDone(format!("{} holds no PEM certificate", file.display())));
    }
    Ok(authorities)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_its_address() {
        assert_eq!(parse_server("https://fleet.example").unwrap().as_str(), "https://fleet.example/");
        assert_eq!(parse_server("https://fleet.example/inkan").unwrap().as_str(), "https://fleet.example/inkan/");
        assert_eq!(parse_server("http://127.0.0.1:8443/").unwrap().as_str(), "http://127.0.0.1:8443/");
    }

    #[test]
    fn a_token_does_not_travel_unencrypted() {
        for address in ["http://fleet.example", "fleet.example", "ftp://fleet.example", "https://a:b@fleet.example"] {
            assert!(matches!(parse_server(address), Err(Error::Usage(_))), "{address}");
        }
    }
}
