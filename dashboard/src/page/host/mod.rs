//! One PC: what is wrong with it, its certificates, their renewals as they go, its stores, what was and what is planned.

mod certificates;
mod chain;
pub(crate) mod checkup;
mod facts;
pub(crate) mod live;
pub(crate) mod progress;
mod timeline;

use askama::Template;
use axum::extract::{Path, State as Extract};
use axum::response::{IntoResponse as _, Redirect, Response};
use inkan_core::Core;
use inkan_core::checkups::HostCheckups;
use inkan_core::ports::{
    Cursor, HostDetail, InstallationQuery, InstallationRow, LocationRow, PageRequest, RenewalQuery, RenewalRow,
};
use inkan_model::host::HostState;
use inkan_model::time::DAY;
use inkan_model::{Fingerprint, HostId, Timestamp};

use self::certificates::CertificateLine;
use self::chain::ChainView;
use self::checkup::CheckupView;
use self::facts::Fact;
use self::progress::Progress;
use self::timeline::Moment;
use super::hosts::{shown_state, state_word};
use super::stores::{StoreLine, store_lines};
use super::today::{emphasis, split_emphasis, state_of};
use super::{Choice, parse, print};
use crate::Site;
use crate::door::{SignedForm, SignedIn, form_token};
use crate::fault::Fault;
use crate::frame::{Frame, Screen};
use crate::link::{Fields, Link};
use crate::state::State;
use crate::words::Words;

/// Installations of one PC that its page shows; no PC comes near.
const MOST_CERTIFICATES: u16 = 200;
/// Entries of the timeline.
const EVENTS: u16 = 30;
/// Renewals that are read, of which the live and the fresh are shown.
const RENEWALS: u16 = 10;

/// A finding in words.
pub(crate) struct FindingLine {
    state: State,
    before: String,
    strong: String,
    after: String,
    remedy: String,
}

/// What changes while somebody looks: the parts that the live stream sends anew.
pub(crate) struct HostView {
    w: Words,
    base: String,
    token: String,
    os: String,
    agent: String,
    state: State,
    /// What the PC may do, where it is not the usual.
    state_word: Option<String>,
    contact: State,
    contact_word: String,
    /// What an operator has to decide, in one sentence, with the word on the button.
    decision: Option<(String, String)>,
    reported: bool,
    findings_count: String,
    findings: Vec<FindingLine>,
    checkup: CheckupView,
    certificates: Vec<CertificateLine>,
    renewals: Vec<Progress>,
    chain: Option<ChainView>,
    stores: Vec<StoreLine>,
    timeline: Vec<Moment>,
    earlier: Option<Link>,
    facts: Vec<Fact>,
}

#[derive(Template)]
#[template(path = "host.html")]
struct HostPage {
    frame: Frame,
    w: Words,
    name: String,
    clinic: String,
    clinic_href: Link,
    live: String,
    /// Systems that the PC can be examined for, where it can be.
    programmes: Vec<Choice>,
    can_examine: bool,
    view: HostView,
}

/// What was asked of the core for one PC.
pub(crate) struct Observed {
    pub(crate) host: HostDetail,
    pub(crate) installations: Vec<InstallationRow>,
    pub(crate) renewals: Vec<RenewalRow>,
    pub(crate) locations: Vec<LocationRow>,
    pub(crate) issuer: Option<inkan_model::CertificateFacts>,
    checkups: HostCheckups,
    events: inkan_core::ports::Page<inkan_model::event::Event>,
    operators: Vec<inkan_model::operator::Operator>,
}

impl Observed {
    pub(crate) async fn of(
        core: &Core,
        by: &SignedIn,
        host: HostId,
        events_after: Option<Cursor>,
    ) -> Result<Self, Fault> {
        let view = &by.view;
        let of_host = InstallationQuery { host: Some(host), ..InstallationQuery::default() };
        let renewals = RenewalQuery { host: Some(host), ..RenewalQuery::default() };
        Ok(Self {
            host: view.host(host).await?,
            installations: view.installations(&of_host, &PageRequest::first(MOST_CERTIFICATES)).await?.items,
            renewals: view.renewals(&renewals, &PageRequest::first(RENEWALS)).await?.items,
            locations: view.locations(host).await?,
            checkups: view.checkups(host).await?,
            events: view.events(host, &PageRequest { after: events_after, limit: EVENTS }).await?,
            operators: view.operators().await?,
            // Without its authority nothing can be renewed, but the PC can still be looked at.
            issuer: core.find_renewing_issuer(&by.operator).await.ok(),
        })
    }

    /// `chosen` is the certificate whose chain is wanted.
    async fn view(&self, core: &Core, by: &SignedIn, chosen: Option<Fingerprint>) -> Result<HostView, Fault> {
        let SignedIn { w, now, secret, .. } = by;
        let (w, now, host) = (*w, *now, &self.host);
        let base = format!("/hosts/{}", host.id);
        let (contact, contact_word) = contact(host, core.settings().sync_interval, w, now);
        let is_connected = contact == State::Well;
        let is_fresh = |row: &&RenewalRow| !row.renewal.state.is_over() || now.since(row.updated_at) < DAY;
        Ok(HostView {
            chain: ChainView::of(by, self, chosen).await?,
            stores: store_lines(host.id, &self.locations, w, now),
            facts: facts::facts(host, w, now),
            os: host.facts.os.clone(),
            agent: host.facts.agent_version.clone(),
            state: shown_state(host.state, None),
            state_word: (host.state != HostState::Active).then(|| state_word(host.state, w)),
            contact,
            contact_word,
            decision: decision(host.state, w),
            reported: host.reported_at.is_some(),
            findings_count: w.count("host.findings_count", host.findings.len() as u64),
            findings: host.findings.iter().map(|finding| finding_line(finding, w, now)).collect(),
            checkup: CheckupView::of(&self.checkups, is_connected, w, now),
            certificates: certificates::lines(self, w, now),
            renewals: self.renewals.iter().filter(is_fresh).map(|row| Progress::of(row, w, now)).collect(),
            timeline: timeline::moments(self, w, now),
            earlier: self
                .events
                .next
                .as_ref()
                .map(|next| Link::to(base.clone()).with("events", &next.0).at("timeline")),
            token: form_token(secret),
            base,
            w,
        })
    }
}

/// Shows the page.
pub(crate) async fn show(
    Extract(site): Extract<Site>,
    by: SignedIn,
    Path(host): Path<String>,
    fields: Fields,
) -> Result<Response, Fault> {
    let events_after = fields.text("events").map(|cursor| Cursor(cursor.to_owned()));
    let observed = Observed::of(site.core(), &by, parse(&host)?, events_after).await?;
    let chosen = fields.parsed::<Fingerprint>("certificate");
    let host = &observed.host;
    let live = Link::to(format!("/hosts/{}/live", host.id)).with("lang", by.w.tag()).with_some("certificate", chosen);
    let page = HostPage {
        frame: by.frame(Screen::Hosts, host.facts.host_name.clone()).await?,
        w: by.w,
        name: host.facts.host_name.clone(),
        clinic: host.clinic.profile.name.clone(),
        clinic_href: Link::to("/hosts").with("clinic", host.clinic.id),
        live: live.to_string(),
        programmes: checkup::choices(site.core(), by.w),
        can_examine: host.state.gets_directives(),
        view: observed.view(site.core(), &by, chosen).await?,
    };
    print(&page)
}

/// Lets a PC have directives, be it for the first time or again.
pub(crate) async fn approve(
    Extract(site): Extract<Site>,
    Path(host): Path<String>,
    form: SignedForm,
) -> Result<Response, Fault> {
    let SignedForm { by, fields: _ } = form;
    let host: HostId = parse(&host)?;
    site.core().set_host_state(&by.operator, host, HostState::Active).await?;
    Ok(Redirect::to(&format!("/hosts/{host}")).into_response())
}

/// Heard of within three syncs counts as connected.
fn contact(host: &HostDetail, interval: time::Duration, w: Words, now: Timestamp) -> (State, String) {
    let silent = now.since(host.last_seen);
    if silent <= interval * 3 {
        (State::Well, w.say("host.connected"))
    } else {
        let state = if silent >= DAY * 7 { State::Unknown } else { State::Watch };
        (state, w.fill("host.last_seen", w.ago(host.last_seen, now)))
    }
}

fn decision(state: HostState, w: Words) -> Option<(String, String)> {
    match state {
        HostState::ReportOnly => Some((w.say("host.decide_approve"), w.say("host.approve"))),
        HostState::Suspended => Some((w.say("host.decide_resume"), w.say("host.resume"))),
        HostState::Retired => Some((w.say("host.decide_return"), w.say("host.return"))),
        HostState::Active | HostState::Banned => None,
    }
}

fn finding_line(finding: &inkan_model::finding::Diagnosis, w: Words, now: Timestamp) -> FindingLine {
    let statement = w.of(&finding.statement(now));
    let (before, strong, after) = split_emphasis(&statement, &emphasis(finding, w, now));
    FindingLine { state: state_of(finding), before, strong, after, remedy: w.of(&finding.remedy()) }
}
