//! gRPC reflection: the protocol's descriptors, for operators' tools. Only with an operator's token, like REST.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use inkan_core::Core;
use inkan_core::ports::SessionKind;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic_reflection::server::{Builder, Error};
use tower::ServiceExt as _;
use tracing::error;

pub(super) fn router(core: Core) -> Result<Router, Error> {
    let service =
        Builder::configure().register_encoded_file_descriptor_set(inkan_wire::FILE_DESCRIPTOR_SET).build_v1()?;
    let path = format!("/{}/{{*method}}", name_of(&service));
    let service = service.map_request(|request: Request| request.map(Body::new));
    Ok(Router::new().route_service(&path, service).layer(from_fn_with_state(core, require_token)))
}

fn name_of<S: NamedService>(_: &S) -> &'static str {
    S::NAME
}

async fn require_token(State(core): State<Core>, request: Request, next: Next) -> Response {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token =
        header.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = token else {
        return Status::unauthenticated("a token is needed").into_http();
    };
    match core.find_operator(token.trim(), SessionKind::Token).await {
        Ok(Some(_)) => next.run(request).await,
        Ok(None) => Status::unauthenticated("this token has ended: sign in again").into_http(),
        Err(cause) => {
            error!(error = &cause as &dyn std::error::Error, "could not check a token");
            Status::unavailable("try again later").into_http()
        }
    }
}
