//! REST under `/api/v1`: what the dashboard's pages can do, for programs and for the `inkan` command line.
//!
//! Handlers read the request into types, call one use case of [`inkan_core`], and write its answer. They never touch
//! the database for a decision, never choose a tenant (it comes from the token), and never say what went wrong inside.
//! Each handler is in the OpenAPI document, because a route is made from the same declaration as its entry there.

mod caller;
mod certificates;
mod checkups;
mod clinics;
mod correlation;
mod document;
mod extract;
mod figures;
mod findings;
mod hosts;
mod idempotency;
mod join_tokens;
mod language;
mod locations;
mod operators;
mod problem;
mod renewals;
mod sessions;
mod values;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use inkan_core::Core;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;

use self::correlation::Numbering;
use self::problem::{Kind, Problem};

/// Where all of this is mounted.
pub const PREFIX: &str = "/api/v1";
/// Bytes of the largest body, but for a list of clinics.
const LARGEST_BODY: usize = 1024 * 1024;

/// All routes under [`PREFIX`]. Wrong log-ins are throttled by the address in the request's
/// [`ConnectInfo`](axum::extract::ConnectInfo)`<SocketAddr>`.
pub fn router(core: Core) -> Router {
    let (routes, mut document) = routes(&core).split_for_parts();
    document::complete(&mut document);
    // The document is made of constants; should it not serialise, a client sees an empty one.
    let document: Arc<str> = document.to_json().unwrap_or_default().into();
    let show_document = move || {
        let document = document.to_string();
        async move { ([(header::CONTENT_TYPE, "application/json")], document) }
    };
    let numbering = Numbering::new(core.clone());
    routes
        .route(&format!("{PREFIX}/openapi.json"), get(show_document))
        .route(&format!("{PREFIX}/{{*rest}}"), axum::routing::any(no_such_page))
        .method_not_allowed_fallback(no_such_method)
        .with_state(core)
        .layer(CatchPanicLayer::custom(correlation::answer_panic))
        .layer(from_fn_with_state(numbering, correlation::number_requests))
}

fn routes(core: &Core) -> OpenApiRouter<Core> {
    let usual = OpenApiRouter::new()
        .merge(sessions::routes())
        .merge(clinics::routes())
        .merge(join_tokens::routes())
        .merge(hosts::routes())
        .merge(checkups::routes())
        .merge(locations::routes())
        .merge(certificates::routes())
        .merge(findings::routes())
        .merge(renewals::routes())
        .merge(figures::routes())
        .merge(operators::routes());
    let all = OpenApiRouter::new()
        .merge(guarded(usual, core, LARGEST_BODY))
        .merge(guarded(clinics::import_routes(), core, clinics::LARGEST_IMPORT))
        .merge(sessions::open_routes().layer(DefaultBodyLimit::max(LARGEST_BODY)));
    OpenApiRouter::with_openapi(document::base()).nest(PREFIX, all)
}

/// Routes that need a token, whose POSTs are carried out once for each key, and whose bodies are bounded.
fn guarded(routes: OpenApiRouter<Core>, core: &Core, largest_body: usize) -> OpenApiRouter<Core> {
    routes
        .route_layer(from_fn_with_state(core.clone(), idempotency::once_for_each_key))
        .route_layer(from_fn_with_state(core.clone(), caller::require_token))
        .route_layer(DefaultBodyLimit::max(largest_body))
}

async fn no_such_page() -> Problem {
    Problem::new(Kind::NotFound, format!("no such page; {PREFIX}/openapi.json lists all of them"))
}

async fn no_such_method() -> Problem {
    Problem::new(Kind::MethodNotAllowed, "the header Allow names the methods of this page")
}
