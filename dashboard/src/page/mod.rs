//! The pages, one module each: query, view, template.

pub(crate) mod clinics;
pub(crate) mod expiry;
pub(crate) mod host;
pub(crate) mod hosts;
pub(crate) mod join;
pub(crate) mod login;
pub(crate) mod renew;
pub(crate) mod renewals;
pub(crate) mod setup;
pub(crate) mod stores;
pub(crate) mod today;

use askama::Template;
use axum::response::{Html, IntoResponse as _, Response};
use inkan_core::ports::{Cursor, PageRequest};

use crate::fault::Fault;
use crate::link::Fields;

/// Rows of one part of a list.
pub(crate) const ROWS: u16 = 50;

/// Prints a template.
pub(crate) fn print(template: &impl Template) -> Result<Response, Fault> {
    Ok(Html(template.render()?).into_response())
}

/// The part of a list that an address asks for.
pub(crate) fn page_of(fields: &Fields) -> PageRequest {
    PageRequest { after: fields.text("after").map(|after| Cursor(after.to_owned())), limit: ROWS }
}

/// An identifier or digest in an address; one that cannot be read names nothing.
pub(crate) fn parse<T: std::str::FromStr>(text: &str) -> Result<T, Fault> {
    text.parse().map_err(|_| Fault::NoSuchPage)
}

/// One choice of a select field.
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) word: String,
    pub(crate) chosen: bool,
}

pub(crate) async fn no_such_page() -> Fault {
    Fault::NoSuchPage
}
