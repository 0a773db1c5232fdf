//! Headers on every answer, and the check of where a form comes from.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::fault::Fault;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Tells the browser how little it may do with our pages.
pub(crate) async fn set_security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Not "no-referrer": under that a browser sends `Origin: null` with our own forms, and over plain HTTP it sends no
    // `Sec-Fetch-Site` either, so our own forms could not be told from foreign ones. Other sites learn nothing from this.
    set(header::REFERRER_POLICY, "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()");
    // What clinics hold is not for a shared browser's disk; assets say otherwise themselves.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Refuses whatever could change something and was not sent from our own pages.
pub(crate) async fn refuse_foreign_posts(request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if is_safe || is_same_origin(request.headers(), request.uri().authority().map(http_authority)) {
        next.run(request).await
    } else {
        Fault::ForeignForm.into_response()
    }
}

fn http_authority(authority: &axum::http::uri::Authority) -> &str {
    authority.as_str()
}

/// `authority` is the one of the request's address, which HTTP/2 has in place of the Host header.
fn is_same_origin(headers: &HeaderMap, authority: Option<&str>) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    let host = authority.or_else(|| text(header::HOST));
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    matches!((origin, host), (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_form_of_our_own_pages_is_told_by_either_header() {
        assert!(is_same_origin(&headers(&[("sec-fetch-site", "same-origin")]), None));
        assert!(is_same_origin(&headers(&[("origin", "https://inkan.example"), ("host", "inkan.example")]), None));
        assert!(is_same_origin(&headers(&[("origin", "https://inkan.example:8443")]), Some("inkan.example:8443")));
    }

    #[test]
    fn a_form_from_elsewhere_or_from_nowhere_is_refused() {
        for foreign in [
            &[("sec-fetch-site", "cross-site"), ("origin", "https://inkan.example"), ("host", "inkan.example")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("origin", "https://evil.example"), ("host", "inkan.example")],
            &[("origin", "null"), ("host", "inkan.example")],
            &[("host", "inkan.example")],
        ] {
            assert!(!is_same_origin(&headers(foreign), None), "{foreign:?}");
        }
    }
}
