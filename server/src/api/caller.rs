//! Who calls: the operator behind a bearer token. The tenant comes from here and from nowhere else.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::{HeaderMap, header, request::Parts};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use inkan_core::Core;
use inkan_core::ports::SessionKind;
use inkan_model::operator::Operator;

use super::problem::{Answer, Problem};

/// The operator who calls, and the token with which they do.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) operator: Operator,
    pub(super) token: String,
}

/// Lets nobody pass without a token that is good.
pub(super) async fn require_token(State(core): State<Core>, mut request: Request, next: Next) -> Response {
    match find_caller(&core, request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn find_caller(core: &Core, headers: &HeaderMap) -> Answer<Caller> {
    let token = bearer_token(headers)
        .ok_or_else(|| Problem::not_signed_in("send a token of POST /api/v1/sessions as Authorization: Bearer …"))?;
    let operator = core.find_operator(token, SessionKind::Token).await?;
    let operator = operator.ok_or_else(|| Problem::not_signed_in("this token has ended: sign in again"))?;
    Ok(Caller { operator, token: token.to_owned() })
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Reads what [`require_token`] found. A route that was mounted without it answers nobody.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::not_signed_in("a token is needed"))
    }
}

/// The address that a request came from. Where the listener does not tell, all callers count as one, so that wrong
/// log-ins are throttled rather too much than too little.
pub(super) struct Source(pub(super) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Source {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        Ok(Self(peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical()))
    }
}
