//! The signed-in operator, as handlers ask for one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::RequestExt as _;
use axum::extract::{ConnectInfo, Form, FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use inkan_core::hosts::FleetView;
use inkan_core::ports::SessionKind;
use inkan_model::Timestamp;
use inkan_model::operator::Operator;
use ring::hmac;

use super::session_secret;
use crate::Site;
use crate::fault::{Fault, Spoken, is_fragment, locale_of_query};
use crate::frame::{Frame, Screen};
use crate::link::{Fields, Link};
use crate::words::Words;

/// An operator with a session, and everything that they may look at.
pub(crate) struct SignedIn {
    pub(crate) operator: Operator,
    pub(crate) view: FleetView,
    pub(crate) w: Words,
    pub(crate) now: Timestamp,
    /// The session's secret.
    pub(crate) secret: String,
    site: Site,
    here: String,
}

impl SignedIn {
    pub(crate) fn core(&self) -> &inkan_core::Core {
        self.site.core()
    }

    /// What stands around a page.
    pub(crate) async fn frame(&self, screen: Screen, title: impl Into<String>) -> Result<Frame, Fault> {
        let figures = self.view.overview(self.now).await?;
        Ok(Frame {
            title: title.into(),
            rail: Frame::rail(self.w, screen, &figures),
            vendor: self.view.vendor().await?.name,
            operator: self.operator.name.clone(),
            token: form_token(&self.secret),
            here: self.here.clone(),
            now: self.w.date_time(self.now),
            search: String::new(),
        })
    }
}

impl FromRequestParts<Site> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Response> {
        let jar = CookieJar::from_headers(&parts.headers);
        let here = parts.uri.path_and_query().map_or("/", |here| here.as_str()).to_owned();
        let Some(secret) = session_secret(site.options(), &jar) else { return Err(ask_to_log_in(parts, &here)) };
        let found = site.core().find_operator(&secret, SessionKind::Browser).await;
        let found = found.map_err(|error| Fault::from(error).into_response())?;
        let Some(operator) = found else { return Err(ask_to_log_in(parts, &here)) };
        let w = Words(locale_of_query(parts.uri.query()).unwrap_or(operator.locale));
        if let Some(spoken) = parts.extensions.get::<Spoken>() {
            spoken.tell(w);
        }
        let view = site.core().view(&operator).map_err(|error| Fault::from(error).into_response())?;
        Ok(Self { operator, view, w, now: site.core().now(), secret, site: site.clone(), here })
    }
}

/// A person is led to the log-in and back; htmx is told to go there; a form is not repeated after it.
fn ask_to_log_in(parts: &Parts, here: &str) -> Response {
    let is_get = parts.method == axum::http::Method::GET;
    let login = Link::to("/login").with_some("next", (is_get && here != "/").then_some(here)).to_string();
    if is_fragment(&parts.headers) {
        return (StatusCode::UNAUTHORIZED, [(HeaderName::from_static("hx-redirect"), "/login".to_owned())])
            .into_response();
    }
    Redirect::to(&login).into_response()
}

/// A form of a signed-in operator whose token fits the session.
pub(crate) struct SignedForm {
    pub(crate) by: SignedIn,
    pub(crate) fields: Fields,
}

impl FromRequest<Site> for SignedForm {
    type Rejection = Response;

    async fn from_request(mut request: Request, site: &Site) -> Result<Self, Response> {
        let by = request.extract_parts_with_state::<SignedIn, _>(site).await?;
        let posted = Posted::from_request(request, site).await;
        let Posted(fields) = posted.map_err(Fault::into_response)?;
        if is_form_token(&by.secret, fields.text("token").unwrap_or("")) {
            Ok(Self { by, fields })
        } else {
            Err(Fault::StaleForm.into_response())
        }
    }
}

/// The fields of a form that was sent.
pub(crate) struct Posted(pub(crate) Fields);

impl FromRequest<Site> for Posted {
    type Rejection = Fault;

    async fn from_request(request: Request, site: &Site) -> Result<Self, Fault> {
        let Form(pairs) = Form::from_request(request, site).await.map_err(|_| Fault::Unreadable)?;
        Ok(Self(Fields(pairs)))
    }
}

/// A query of an address. Reading it does not fail: what cannot be read is not there.
impl FromRequestParts<Site> for Fields {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Site) -> Result<Self, Self::Rejection> {
        Ok(Query::try_from_uri(&parts.uri).map_or_else(|_| Self::default(), |Query(pairs)| Self(pairs)))
    }
}

/// Somebody who has not logged in (yet): only the language is known.
pub(crate) struct SpokenTo {
    pub(crate) w: Words,
    pub(crate) source: IpAddr,
}

impl FromRequestParts<Site> for SpokenTo {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Site) -> Result<Self, Self::Rejection> {
        let w = Words(locale_of_query(parts.uri.query()).unwrap_or_default());
        if let Some(spoken) = parts.extensions.get::<Spoken>() {
            spoken.tell(w);
        }
        Ok(Self { w, source: peer_address(parts) })
    }
}

/// Where a request comes from. Without an address all share one, so that tries are still counted.
fn peer_address(parts: &Parts) -> IpAddr {
    let found = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    found.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip())
}

const TOKEN_LABEL: &[u8] = b"inkan form token v1";

/// The token that forms of this session carry.
pub(crate) fn form_token(secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    data_encoding::BASE64URL_NOPAD.encode(hmac::sign(&key, TOKEN_LABEL).as_ref())
}

/// Whether this is the token of this session; takes the same time whatever differs.
pub(crate) fn is_form_token(secret: &str, token: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let Ok(tag) = data_encoding::BASE64URL_NOPAD.decode(token.as_bytes()) else { return false };
    hmac::verify(&key, TOKEN_LABEL, &tag).is_ok()
}

/// Whether htmx asks for a part of a page.
pub(crate) struct Fragment(pub(crate) bool);

impl FromRequestParts<Site> for Fragment {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Site) -> Result<Self, Self::Rejection> {
        let headers: &HeaderMap = &parts.headers;
        Ok(Self(is_fragment(headers)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_token_fits_its_own_session_only() {
        let token = form_token("one");
        assert!(is_form_token("one", &token));
        assert!(!is_form_token("other", &token));
        assert!(!is_form_token("one", ""));
        assert!(!is_form_token("one", "///"));
    }
}
