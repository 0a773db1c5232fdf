//! 端末: every PC, filtered by what stands in the address, so that a list can be sent to a colleague.

use askama::Template;
use axum::extract::State as Extract;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use inkan_core::ports::{HostQuery, HostRow};
use inkan_model::ClinicId;
use inkan_model::Timestamp;
use inkan_model::clinic::{Clinic, Prefecture};
use inkan_model::finding::{Rule, Urgency};
use inkan_model::host::HostState;
use inkan_model::time::DAY;

use super::{Choice, page_of, print};
use crate::Site;
use crate::door::{Fragment, SignedIn};
use crate::fault::Fault;
use crate::frame::{Frame, Screen};
use crate::link::{Fields, Link};
use crate::state::State;
use crate::words::{Words, number};

/// Days of silence that can be chosen.
const SILENCES: [u16; 2] = [7, 30];
const STATES: [HostState; 5] =
    [HostState::Active, HostState::ReportOnly, HostState::Suspended, HostState::Retired, HostState::Banned];

/// What an address asks for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Filter {
    search: Option<String>,
    clinic: Option<ClinicId>,
    prefecture: Option<Prefecture>,
    rule: Option<Rule>,
    urgency: Option<Urgency>,
    state: Option<HostState>,
    /// Days.
    silent: Option<u16>,
}

impl Filter {
    fn read(fields: &Fields) -> Self {
        Self {
            search: fields.text("search").map(|search| search.chars().take(200).collect()),
            clinic: fields.parsed("clinic"),
            prefecture: fields.parsed("prefecture"),
            rule: fields.text("rule").and_then(Rule::from_name),
            urgency: fields.text("urgency").and_then(Urgency::from_name),
            state: fields.text("state").and_then(|name| STATES.into_iter().find(|state| state_name(*state) == name)),
            silent: fields.parsed("silent").filter(|days| SILENCES.contains(days)),
        }
    }

    fn query(&self, now: Timestamp) -> HostQuery {
        HostQuery {
            search: self.search.clone(),
            clinic: self.clinic,
            prefecture: self.prefecture,
            rule: self.rule,
            urgency: self.urgency,
            state: self.state,
            silent_since: self.silent.map(|days| now.minus(DAY * i32::from(days))),
        }
    }

    fn link(&self) -> Link {
        Link::to("/hosts")
            .with_some("search", self.search.as_deref())
            .with_some("clinic", self.clinic)
            .with_some("prefecture", self.prefecture.map(Prefecture::number))
            .with_some("rule", self.rule.map(Rule::name))
            .with_some("urgency", self.urgency.map(Urgency::name))
            .with_some("state", self.state.map(state_name))
            .with_some("silent", self.silent)
    }
}

/// A list that has a name.
struct SavedView {
    href: Link,
    word: String,
    current: bool,
}

/// The fields of the form that are chosen from a list.
struct Selects {
    prefectures: Vec<Choice>,
    rules: Vec<Choice>,
    urgencies: Vec<Choice>,
    states: Vec<Choice>,
    silences: Vec<Choice>,
}

/// One row.
struct Line {
    href: Link,
    name: String,
    os: String,
    clinic: String,
    clinic_href: Link,
    prefecture: String,
    state: State,
    word: String,
    expiry: Option<(String, String, State)>,
    certificates: String,
    findings: String,
    seen: String,
    seen_at: String,
    silent: bool,
}

#[derive(Template)]
#[template(path = "hosts.html")]
struct Hosts {
    frame: Frame,
    w: Words,
    headline: String,
    clinic: Option<ClinicHead>,
    views: Vec<SavedView>,
    search: String,
    selects: Selects,
    clear: Option<Link>,
    lines: Vec<Line>,
    next: Option<Link>,
    /// Whether there is no PC at all, as against none that fits.
    fleet_is_empty: bool,
}

#[derive(Template)]
#[template(path = "hosts_rows.html")]
struct HostRows {
    w: Words,
    lines: Vec<Line>,
    next: Option<Link>,
}

/// The clinic whose PCs are listed.
struct ClinicHead {
    id: ClinicId,
    name: String,
    code: String,
    place: String,
    contact: Option<String>,
    phone: Option<String>,
    mail: Option<String>,
    join: Link,
}

/// Shows the list, or its next rows.
pub(crate) async fn list(
    Extract(_): Extract<Site>,
    by: SignedIn,
    Fragment(fragment): Fragment,
    fields: Fields,
) -> Result<Response, Fault> {
    let SignedIn { view, w, now, .. } = &by;
    let filter = Filter::read(&fields);
    let query = filter.query(*now);
    let part = view.hosts(&query, &page_of(&fields)).await?;
    let next = part.next.map(|cursor| filter.link().with("after", cursor.0));
    let lines: Vec<_> = part.items.iter().map(|row| line_of(row, *w, *now)).collect();
    let mut response = if fragment {
        print(&HostRows { w: *w, lines, next })?
    } else {
        let clinic = match filter.clinic {
            Some(clinic) => Some(clinic_head(&view.clinic(clinic).await?, *w)),
            None => None,
        };
        let count = view.host_count(&query).await?;
        let mut frame = by.frame(Screen::Hosts, title(&filter, clinic.as_ref(), *w)).await?;
        frame.search = filter.search.clone().unwrap_or_default();
        let fleet_is_empty = count == 0 && filter == Filter::default();
        print(&Hosts {
            headline: headline(&filter, count, *w),
            views: saved_views(&filter, *w),
            search: filter.search.clone().unwrap_or_default(),
            selects: selects(&filter, *w),
            clear: (filter != Filter::default()).then(|| Link::to("/hosts")),
            fleet_is_empty,
            clinic,
            lines,
            next,
            frame,
            w: *w,
        })?
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("HX-Request"));
    Ok(response)
}

fn title(filter: &Filter, clinic: Option<&ClinicHead>, w: Words) -> String {
    match (clinic, &filter.search) {
        (Some(clinic), _) => clinic.name.clone(),
        (None, Some(search)) => format!("{search} · {}", w.say("rail.hosts")),
        (None, None) => w.say("rail.hosts"),
    }
}

fn headline(filter: &Filter, count: u64, w: Words) -> String {
    let alone = |other: Filter| Filter { clinic: filter.clinic, ..other } == *filter;
    let key = if count == 0 && *filter == Filter::default() {
        "hosts.none"
    } else if *filter == Filter::default() {
        "hosts.all"
    } else if alone(Filter::default()) {
        "hosts.of_clinic"
    } else if alone(Filter { urgency: Some(Urgency::Now), ..Filter::default() }) {
        "hosts.now"
    } else if alone(Filter { urgency: Some(Urgency::Soon), ..Filter::default() }) {
        "hosts.soon"
    } else if alone(Filter { silent: Some(7), ..Filter::default() }) {
        "hosts.silent"
    } else if alone(Filter { state: Some(HostState::ReportOnly), ..Filter::default() }) {
        "hosts.report_only"
    } else if alone(Filter { state: Some(HostState::Suspended), ..Filter::default() }) {
        "hosts.suspended"
    } else {
        "hosts.found"
    };
    w.count(key, count)
}

fn saved_views(filter: &Filter, w: Words) -> Vec<SavedView> {
    let all = Filter { clinic: filter.clinic, ..Filter::default() };
    let views = [
        ("hosts.view_all", all.clone()),
        ("hosts.view_now", Filter { urgency: Some(Urgency::Now), ..all.clone() }),
        ("hosts.view_soon", Filter { urgency: Some(Urgency::Soon), ..all.clone() }),
        ("hosts.view_silent", Filter { silent: Some(7), ..all.clone() }),
        ("hosts.view_report_only", Filter { state: Some(HostState::ReportOnly), ..all.clone() }),
        ("hosts.view_suspended", Filter { state: Some(HostState::Suspended), ..all }),
    ];
    let view =
        |(word, view): (&str, Filter)| SavedView { href: view.link(), word: w.say(word), current: view == *filter };
    views.into_iter().map(view).collect()
}

fn selects(filter: &Filter, w: Words) -> Selects {
    let choice = |value: String, word: String, chosen| Choice { value, word, chosen };
    let prefecture =
        |one: Prefecture| choice(one.number().to_string(), w.prefecture(one), filter.prefecture == Some(one));
    let rule = |one: Rule| choice(one.name().to_owned(), rule_word(one, w), filter.rule == Some(one));
    let urgency =
        |one: Urgency| choice(one.name().to_owned(), State::of(Some(one)).word(w), filter.urgency == Some(one));
    let state = |one: HostState| choice(state_name(one).to_owned(), state_word(one, w), filter.state == Some(one));
    let silence = |days: u16| choice(days.to_string(), w.count("hosts.silent_days", days), filter.silent == Some(days));
    Selects {
        prefectures: Prefecture::all().map(prefecture).collect(),
        rules: Rule::ALL.into_iter().map(rule).collect(),
        urgencies: [Urgency::Now, Urgency::Soon, Urgency::Watch].into_iter().map(urgency).collect(),
        states: STATES.into_iter().map(state).collect(),
        silences: SILENCES.into_iter().map(silence).collect(),
    }
}

fn line_of(row: &HostRow, w: Words, now: Timestamp) -> Line {
    let silent = now.since(row.last_seen) >= DAY * 7;
    let state = shown_state(row.state, row.worst);
    let expiry = row.next_expiry.map(|end| (w.date(end), w.days_left(end, now), State::of_days(end.days_from(now))));
    Line {
        href: Link::to(format!("/hosts/{}", row.id)),
        name: row.name.clone(),
        os: row.os.clone(),
        clinic: row.clinic_name.clone(),
        clinic_href: Link::to("/hosts").with("clinic", row.clinic),
        prefecture: w.prefecture(row.prefecture),
        state,
        word: if row.state == HostState::Active { state.word(w) } else { state_word(row.state, w) },
        expiry,
        certificates: number(u64::from(row.installations)),
        findings: number(u64::from(row.findings)),
        seen: w.ago(row.last_seen, now),
        seen_at: w.date_time(row.last_seen),
        silent,
    }
}

/// A PC that an operator has to decide about waits for a person, whatever else is wrong with it.
pub(crate) fn shown_state(state: HostState, worst: Option<Urgency>) -> State {
    match state {
        HostState::Active => State::of(worst),
        HostState::ReportOnly => State::Person,
        HostState::Suspended | HostState::Retired | HostState::Banned => State::Unknown,
    }
}

fn clinic_head(clinic: &Clinic, w: Words) -> ClinicHead {
    let Clinic { id, vendor: _, profile } = clinic;
    ClinicHead {
        id: *id,
        name: profile.name.clone(),
        code: profile.code.to_string(),
        place: format!("{}・{}", w.prefecture(profile.prefecture), w.of(&profile.kind.words())),
        contact: profile.contact.clone(),
        phone: profile.phone.clone(),
        mail: profile.mail.clone(),
        join: Link::to("/join").with("clinic", profile.code.as_str()),
    }
}

/// A state's name in addresses.
pub(crate) fn state_name(state: HostState) -> &'static str {
    match state {
        HostState::Active => "active",
        HostState::Banned => "banned",
        HostState::ReportOnly => "report_only",
        HostState::Retired => "retired",
        HostState::Suspended => "suspended",
    }
}

/// A state in words.
pub(crate) fn state_word(state: HostState, w: Words) -> String {
    match state {
        HostState::Active => w.say("host_state.active"),
        HostState::Banned => w.say("host_state.banned"),
        HostState::ReportOnly => w.say("host_state.report_only"),
        HostState::Retired => w.say("host_state.retired"),
        HostState::Suspended => w.say("host_state.suspended"),
    }
}

/// A rule in words.
pub(crate) fn rule_word(rule: Rule, w: Words) -> String {
    match rule {
        Rule::CertificateExpired => w.say("rule.certificate_expired"),
        Rule::CertificateExpiring => w.say("rule.certificate_expiring"),
        Rule::KeyMissing => w.say("rule.key_missing"),
        Rule::ChainIncomplete => w.say("rule.chain_incomplete"),
        Rule::WeakAlgorithm => w.say("rule.weak_algorithm"),
        Rule::HostSilent => w.say("rule.host_silent"),
        Rule::ClockWrong => w.say("rule.clock_wrong"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_reads_back_from_its_own_link() {
        let filter = Filter {
            search: Some("内科 01".to_owned()),
            prefecture: "石川".parse().ok(),
            rule: Some(Rule::KeyMissing),
            urgency: Some(Urgency::Soon),
            state: Some(HostState::ReportOnly),
            silent: Some(30),
            clinic: None,
        };
        let uri: axum::http::Uri = filter.link().to_string().parse().unwrap();
        let axum::extract::Query(pairs) = axum::extract::Query::try_from_uri(&uri).unwrap();
        assert_eq!(Filter::read(&Fields(pairs)), filter);
    }

    #[test]
    fn what_cannot_be_read_shows_the_whole_list() {
        let fields = ["rule", "urgency", "state", "silent", "prefecture", "clinic"]
            .map(|name| (name.to_owned(), "?".to_owned()));
        assert_eq!(Filter::read(&Fields(fields.to_vec())), Filter::default());
    }
}
