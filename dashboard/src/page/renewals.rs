//! 更新: the renewals that are under way, those first that wait for somebody.

use askama::Template;
use axum::extract::State as Extract;
use axum::response::Response;
use inkan_core::ports::{PageRequest, RenewalQuery, RenewalRow};
use inkan_model::Timestamp;

use super::host::progress::{state_and_word, why, word_of_name};
use super::{page_of, print};
use crate::Site;
use crate::door::SignedIn;
use crate::fault::Fault;
use crate::frame::{Frame, Screen};
use crate::link::{Fields, Link};
use crate::state::State;
use crate::words::Words;

/// Renewals of each group on the first page; the group's own page has them all.
const IN_GROUP: u16 = 20;
const STATES: [&str; 10] = [
    "needs_person",
    "failed",
    "planned",
    "directed",
    "requested",
    "issued",
    "installed",
    "proven",
    "closed",
    "abandoned",
];

/// One renewal.
struct Line {
    host_href: Link,
    host: String,
    clinic: String,
    name: String,
    state: State,
    word: String,
    why: Option<String>,
    since: String,
    since_at: String,
}

/// Renewals of one state.
struct Group {
    id: &'static str,
    word: String,
    state: State,
    href: Link,
    lines: Vec<Line>,
    more: Option<Link>,
}

#[derive(Template)]
#[template(path = "renewals.html")]
struct Renewals {
    frame: Frame,
    w: Words,
    headline: String,
    context: Option<String>,
    /// The one state that was asked for, in words.
    only: Option<String>,
    groups: Vec<Group>,
}

/// Shows the groups, or all of one state.
pub(crate) async fn list(Extract(_): Extract<Site>, by: SignedIn, fields: Fields) -> Result<Response, Fault> {
    let SignedIn { view, w, now, .. } = &by;
    let figures = view.overview(*now).await?;
    let only = fields.text("state").and_then(|name| STATES.into_iter().find(|state| *state == name));
    let mut groups = Vec::new();
    for state in STATES {
        let wanted = only.map_or(state != "abandoned", |only| only == state);
        if !wanted {
            continue;
        }
        let query = RenewalQuery { state: Some(state.to_owned()), ..RenewalQuery::default() };
        let page = if only.is_some() { page_of(&fields) } else { PageRequest::first(IN_GROUP) };
        let part = view.renewals(&query, &page).await?;
        if part.items.is_empty() && only.is_none() {
            continue;
        }
        let (shown, word) = word_of_name(state, *w);
        let href = Link::to("/renewals").with("state", state);
        groups.push(Group {
            // The figure of the overview leads to those that wait for somebody.
            id: if groups.is_empty() { "stuck" } else { state },
            word,
            state: shown,
            lines: part.items.iter().map(|row| line_of(row, *w, *now)).collect(),
            more: part.next.map(|next| if only.is_some() { href.clone().with("after", next.0) } else { href.clone() }),
            href,
        });
    }
    let page = Renewals {
        frame: by.frame(Screen::Renewals, w.say("rail.renewals")).await?,
        w: *w,
        headline: if figures.renewals_stuck > 0 {
            w.count("renewals.headline_stuck", figures.renewals_stuck)
        } else if figures.renewals_live > 0 {
            w.count("renewals.headline_live", figures.renewals_live)
        } else {
            w.say("renewals.headline_none")
        },
        context: (figures.renewals_live > 0).then(|| w.count("renewals.context", figures.renewals_live)),
        only: only.map(|state| word_of_name(state, *w).1),
        groups,
    };
    print(&page)
}

fn line_of(row: &RenewalRow, w: Words, now: Timestamp) -> Line {
    let (state, word) = state_and_word(&row.renewal.state, w);
    Line {
        host_href: Link::to(format!("/hosts/{}", row.renewal.host)).at("renewals"),
        host: row.host_name.clone(),
        clinic: row.clinic_name.clone(),
        name: row.certificate_name.clone().unwrap_or_else(|| row.renewal.old.short()),
        state,
        word,
        why: why(&row.renewal.state, w, now),
        since: w.ago(row.updated_at, now),
        since_at: w.date_time(row.updated_at),
    }
}
