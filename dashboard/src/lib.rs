//! The pages that a vendor's operators work with.
//!
//! Every page is query → view → template: a handler asks the core's use cases, a pure function turns the answer into a
//! view (words, links, figures), and a template prints it. HTML comes from the server whole; links and forms are real
//! ones, and htmx only spares a reload. A page must be right without it.
//!
//! What a page must never do: read another vendor's data (everything comes through `FleetView`, which has no way to
//! ask), decide anything (that is the core's), print a text unescaped, or need an inline script or style, which the
//! content security policy refuses.

mod asset;
mod door;
mod fault;
mod figure;
mod frame;
mod link;
mod page;
mod state;
mod words;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use inkan_core::Core;

rust_i18n::i18n!("locales", fallback = "ja");

/// Bytes of the largest form that is read; lists of clinics have a limit of their own.
const LARGEST_FORM: usize = 64 * 1024;

/// What the pages are built from.
#[derive(Clone)]
pub struct Options {
    /// The use cases.
    pub core: Core,
    /// Whether cookies are for HTTPS only. False only where there is no HTTPS: a trial on one machine.
    pub secure_cookies: bool,
    /// Where agents enrol, as `https://host:port`; stands in the command that the join page shows.
    pub enrolment_url: String,
    /// The pin of the deployment's authority, as `sha256:…`; stands in that command too.
    pub ca_pin: String,
}

/// What every handler gets.
#[derive(Clone)]
pub(crate) struct Site(Arc<Options>);

impl Site {
    pub(crate) fn core(&self) -> &Core {
        &self.0.core
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0
    }
}

/// All pages, with their assets.
///
/// The listener should put the peer's address into the request's extensions as
/// `axum::extract::ConnectInfo<std::net::SocketAddr>`: wrong log-ins are counted by address.
pub fn router(options: Options) -> Router {
    let site = Site(Arc::new(options));
    let largest_list = inkan_core::clinics::LARGEST_LIST + LARGEST_FORM;
    Router::new()
        .route("/", get(page::today::show))
        .route("/hosts", get(page::hosts::list))
        .route("/hosts/{host}", get(page::host::show))
        .route("/hosts/{host}/live", get(page::host::live::stream))
        .route("/hosts/{host}/approve", post(page::host::approve))
        .route("/hosts/{host}/renew", get(page::renew::ask).post(page::renew::request))
        .route("/hosts/{host}/checkup", post(page::host::checkup::request))
        .route("/hosts/{host}/stores", get(page::stores::show))
        .route("/renewals", get(page::renewals::list))
        .route("/renewals/{renewal}/abandon", get(page::renew::ask_abandon).post(page::renew::abandon))
        .route("/expiry", get(page::expiry::list))
        .route("/join", get(page::join::show).post(page::join::create))
        .route("/join/{token}/revoke", post(page::join::revoke))
        .route("/clinics", get(page::clinics::list))
        .route("/clinics/import", post(page::clinics::import).layer(DefaultBodyLimit::max(largest_list)))
        .route("/clinics/export.csv", get(page::clinics::export))
        .route("/language", post(page::login::set_language))
        .route("/login", get(page::login::show).post(page::login::log_in))
        .route("/logout", post(page::login::log_out))
        .route("/setup/{secret}", get(page::setup::show).post(page::setup::complete))
        .fallback(page::no_such_page)
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(from_fn(door::refuse_foreign_posts))
        .layer(from_fn_with_state(site.clone(), fault::render))
        .route("/assets/{name}", get(asset::serve))
        .layer(from_fn(door::set_security_headers))
        .with_state(site)
}
