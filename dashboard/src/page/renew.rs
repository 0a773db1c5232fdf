//! Asking for a renewal, and giving one up: each a page that says what will happen, and a form.

use askama::Template;
use axum::extract::{Path, State as Extract};
use axum::response::{IntoResponse as _, Redirect, Response};
use inkan_core::Error;
use inkan_core::renewals::{RenewalOrder, is_early};
use inkan_model::{Fingerprint, HostId, RenewalId};

use super::host::Observed;
use super::{parse, print};
use crate::Site;
use crate::door::{SignedForm, SignedIn};
use crate::fault::Fault;
use crate::frame::{Frame, Screen};
use crate::link::{Fields, Link};
use crate::state::State;
use crate::words::Words;

#[derive(Template)]
#[template(path = "renew.html")]
struct Ask {
    frame: Frame,
    w: Words,
    host: String,
    host_href: Link,
    clinic: String,
    certificate: Fingerprint,
    name: String,
    issuer: String,
    end: String,
    left: String,
    left_state: State,
    place: String,
    early: bool,
    /// Why it cannot be done, where it cannot.
    obstacle: Option<String>,
    probes: bool,
}

#[derive(Template)]
#[template(path = "abandon.html")]
struct AskAbandon {
    frame: Frame,
    w: Words,
    renewal: RenewalId,
    host: String,
    host_href: Link,
    name: String,
    state: State,
    word: String,
}

/// Shows what a renewal would do.
pub(crate) async fn ask(
    Extract(site): Extract<Site>,
    by: SignedIn,
    Path(host): Path<String>,
    fields: Fields,
) -> Result<Response, Fault> {
    let SignedIn { w, now, .. } = &by;
    let host: HostId = parse(&host)?;
    let certificate: Fingerprint = parse(fields.text("certificate").unwrap_or(""))?;
    let observed = Observed::of(site.core(), &by, host, None).await?;
    let found = observed.installations.iter().find(|row| row.certificate == certificate);
    let Some(row) = found else { return Err(Error::NotFound { what: "certificate" }.into()) };
    let from_here = observed.issuer.as_ref().is_some_and(|issuer| row.facts.may_be_issued_by(issuer));
    let obstacle = if row.live_renewal.is_some() {
        Some(w.say("renew.obstacle_live"))
    } else if !observed.host.state.gets_directives() {
        Some(w.say("renew.obstacle_state"))
    } else if !from_here {
        Some(w.fill("renew.obstacle_issuer", &row.facts.issuer_common_name))
    } else {
        None
    };
    print(&Ask {
        frame: by.frame(Screen::Hosts, w.say("renew.title")).await?,
        w: *w,
        host: observed.host.facts.host_name.clone(),
        host_href: Link::to(format!("/hosts/{host}")),
        clinic: observed.host.clinic.profile.name.clone(),
        certificate,
        name: row.facts.common_name.clone(),
        issuer: row.facts.issuer_common_name.clone(),
        end: w.date(row.facts.not_after),
        left: w.days_left(row.facts.not_after, *now),
        left_state: State::of_days(row.facts.not_after.days_from(*now)),
        place: super::stores::location_word(&row.location, *w),
        early: is_early(row.facts.not_after, *now),
        obstacle,
        probes: site.core().settings().probe.is_some(),
    })
}

/// Asks for the renewal.
pub(crate) async fn request(
    Extract(site): Extract<Site>,
    Path(host): Path<String>,
    form: SignedForm,
) -> Result<Response, Fault> {
    let SignedForm { by, fields } = form;
    let host: HostId = parse(&host)?;
    let certificate = parse(fields.text("certificate").unwrap_or(""))?;
    let reason = fields.text("reason").map(str::to_owned);
    site.core().request_renewal(&by.operator, RenewalOrder { host, certificate, reason }).await?;
    Ok(Redirect::to(&Link::to(format!("/hosts/{host}")).at("renewals").to_string()).into_response())
}

/// Shows what giving up would do.
pub(crate) async fn ask_abandon(
    Extract(_): Extract<Site>,
    by: SignedIn,
    Path(renewal): Path<String>,
) -> Result<Response, Fault> {
    let w = by.w;
    let renewal = by.view.renewal(parse(&renewal)?).await?;
    let detail = by.view.host(renewal.host).await?;
    let facts = by.view.certificate(renewal.old).await?.facts;
    let (state, word) = super::host::progress::state_and_word(&renewal.state, w);
    print(&AskAbandon {
        frame: by.frame(Screen::Renewals, w.say("abandon.title")).await?,
        w,
        renewal: renewal.id,
        host: detail.facts.host_name.clone(),
        host_href: Link::to(format!("/hosts/{}", renewal.host)),
        name: facts.map_or_else(|_| renewal.old.short(), |facts| facts.common_name),
        state,
        word,
    })
}

/// Gives the renewal up.
pub(crate) async fn abandon(
    Extract(site): Extract<Site>,
    Path(renewal): Path<String>,
    form: SignedForm,
) -> Result<Response, Fault> {
    let SignedForm { by, fields } = form;
    let renewal: RenewalId = parse(&renewal)?;
    let why = fields.text("why").map_or_else(|| by.w.say("abandon.default_reason"), str::to_owned);
    let host = by.view.renewal(renewal).await?.host;
    site.core().abandon_renewal(&by.operator, renewal, why).await?;
    Ok(Redirect::to(&Link::to(format!("/hosts/{host}")).at("renewals").to_string()).into_response())
}
