//! The listener for browsers and for operators' programs: pages, REST, health, metrics, and gRPC reflection, over HTTP/1.1
//! and HTTP/2 on one port.

mod body;
mod health;
mod protection;
mod reflection;
mod requests;
mod serving;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use inkan_core::Core;
use inkan_dashboard::Options;
use tower_http::catch_panic::CatchPanicLayer;

pub(crate) use self::health::{EARLIEST_NOW, Health};
pub(crate) use self::serving::Web;
use crate::api;

/// What is served to browsers and programs.
pub(crate) struct Site {
    pub(crate) core: Core,
    pub(crate) health: Arc<Health>,
    /// Whether browsers come by https, here or through a proxy.
    pub(crate) is_https: bool,
    /// Where agents enrol.
    pub(crate) enrolment_url: String,
    /// By what agents know this deployment.
    pub(crate) ca_pin: String,
}

/// Everything under one roof. Layers are applied from the inside out.
pub(crate) fn router(site: Site) -> Result<Router, tonic_reflection::server::Error> {
    let Site { core, health, is_https, enrolment_url, ca_pin } = site;
    let options = Options { core: core.clone(), secure_cookies: is_https, enrolment_url, ca_pin };
    let operations = Router::new()
        .route("/livez", get(health::answer_live))
        .route("/readyz", get(health::answer_ready))
        .route("/metrics", get(health::show_metrics))
        .with_state(Arc::clone(&health));
    Ok(inkan_dashboard::router(options)
        .merge(api::router(core.clone()))
        .merge(operations)
        .merge(health.grpc())
        .merge(reflection::router(core.clone())?)
        // The limits are `body`'s; a route's own smaller one still counts.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(body::limit_body))
        .layer(from_fn_with_state(is_https, protection::set_headers))
        .layer(CatchPanicLayer::custom(requests::answer_panic))
        .layer(from_fn_with_state(requests::Numbering::new(core), requests::number_request)))
}
