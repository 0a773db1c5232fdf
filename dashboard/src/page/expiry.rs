//! 期限: the certificates behind the figures, by the day on which they end.

use askama::Template;
use axum::extract::State as Extract;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use inkan_core::ports::{InstallationQuery, InstallationRow};
use inkan_model::Timestamp;
use inkan_model::time::DAY;

use super::{page_of, print};
use crate::Site;
use crate::door::{Fragment, SignedIn};
use crate::fault::Fault;
use crate::frame::{Frame, Screen};
use crate::link::{Fields, Link};
use crate::state::State;
use crate::words::{Words, date_of_day, date_text, parse_day, start_of_day};

/// Which stretch of time is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stretch {
    All,
    /// From one day to another, both included, as days since 1970-01-01 in Japan.
    Days(i32, i32),
    Expired,
    /// From now on, for so many days.
    Within(u16),
}

const STAGES: [u16; 5] = [7, 15, 30, 60, 90];

impl Stretch {
    fn read(fields: &Fields) -> Self {
        let day = |name| fields.text(name).and_then(parse_day);
        if let (Some(from), Some(until)) = (day("from"), day("until")) {
            return Self::Days(from.min(until), from.max(until));
        }
        match fields.text("view") {
            Some("expired") => Self::Expired,
            Some("all") => Self::All,
            other => Self::Within(
                other.and_then(|days| days.parse().ok()).filter(|days| STAGES.contains(days)).unwrap_or(30),
            ),
        }
    }

    fn link(self) -> Link {
        let link = Link::to("/expiry");
        match self {
            Self::All => link.with("view", "all"),
            Self::Days(from, until) => {
                link.with("from", date_text(date_of_day(from))).with("until", date_text(date_of_day(until)))
            }
            Self::Expired => link.with("view", "expired"),
            Self::Within(days) => link.with("view", days),
        }
    }

    fn query(self, search: Option<String>, now: Timestamp) -> InstallationQuery {
        let (expires_from, expires_before) = match self {
            Self::All => (None, None),
            Self::Days(from, until) => (Some(start_of_day(from)), Some(start_of_day(until.saturating_add(1)))),
            Self::Expired => (None, Some(now)),
            Self::Within(days) => (Some(now), Some(now.plus(DAY * i32::from(days)))),
        };
        InstallationQuery { expires_from, expires_before, search, ..InstallationQuery::default() }
    }

    fn headline(self, count: u64, w: Words) -> String {
        match self {
            Self::All => w.count("expiry.headline_all", count),
            Self::Days(from, until) => {
                let (from, until) = (date_text(date_of_day(from)), date_text(date_of_day(until)));
                w.count("expiry.headline_days", count).replace("%{a}", &from).replace("%{b}", &until)
            }
            Self::Expired if count == 0 => w.say("expiry.headline_none_expired"),
            Self::Expired => w.count("expiry.headline_expired", count),
            Self::Within(days) if count == 0 => w.fill("expiry.headline_none_within", days),
            Self::Within(days) => w.count("expiry.headline_within", count).replace("%{a}", &days.to_string()),
        }
    }
}

/// A stretch that has a name.
struct Tab {
    href: Link,
    word: String,
    current: bool,
}

/// One certificate where it stands.
struct Line {
    end: String,
    left: String,
    state: State,
    name: String,
    issuer: String,
    host: String,
    host_href: Link,
    clinic: String,
    clinic_href: Link,
    renewing: bool,
}

#[derive(Template)]
#[template(path = "expiry.html")]
struct Expiry {
    frame: Frame,
    w: Words,
    headline: String,
    tabs: Vec<Tab>,
    search: String,
    /// What the form has to carry so that a search stays within the stretch.
    hidden: Vec<(&'static str, String)>,
    lines: Vec<Line>,
    next: Option<Link>,
}

#[derive(Template)]
#[template(path = "expiry_rows.html")]
struct ExpiryRows {
    w: Words,
    lines: Vec<Line>,
    next: Option<Link>,
}

/// Shows the list, or its next rows.
pub(crate) async fn list(
    Extract(_): Extract<Site>,
    by: SignedIn,
    Fragment(fragment): Fragment,
    fields: Fields,
) -> Result<Response, Fault> {
    let SignedIn { view, w, now, .. } = &by;
    let stretch = Stretch::read(&fields);
    let search = fields.text("search").map(|search| search.chars().take(200).collect::<String>());
    let query = stretch.query(search.clone(), *now);
    let part = view.installations(&query, &page_of(&fields)).await?;
    let link = stretch.link().with_some("search", search.as_deref());
    let next = part.next.map(|cursor| link.with("after", cursor.0));
    let lines = part.items.iter().map(|row| line_of(row, *w, *now)).collect();
    let mut response = if fragment {
        print(&ExpiryRows { w: *w, lines, next })?
    } else {
        let count = view.installation_count(&query).await?;
        let tab = |one: Stretch, word: String| Tab { href: one.link(), word, current: one == stretch };
        let mut tabs = vec![tab(Stretch::Expired, w.say("figure.expired"))];
        tabs.extend(STAGES.map(|days| tab(Stretch::Within(days), w.fill("expiry.within", days))));
        tabs.push(tab(Stretch::All, w.say("expiry.all")));
        let hidden = match stretch {
            Stretch::All => vec![("view", "all".to_owned())],
            Stretch::Days(from, until) => {
                vec![("from", date_text(date_of_day(from))), ("until", date_text(date_of_day(until)))]
            }
            Stretch::Expired => vec![("view", "expired".to_owned())],
            Stretch::Within(days) => vec![("view", days.to_string())],
        };
        print(&Expiry {
            frame: by.frame(Screen::Expiry, w.say("rail.expiry")).await?,
            w: *w,
            headline: stretch.headline(count, *w),
            tabs,
            search: search.unwrap_or_default(),
            hidden,
            lines,
            next,
        })?
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("HX-Request"));
    Ok(response)
}

fn line_of(row: &InstallationRow, w: Words, now: Timestamp) -> Line {
    let end = row.facts.not_after;
    Line {
        end: w.date(end),
        left: w.days_left(end, now),
        state: State::of_days(end.days_from(now)),
        name: row.facts.common_name.clone(),
        issuer: row.facts.issuer_common_name.clone(),
        host: row.host_name.clone(),
        host_href: Link::to(format!("/hosts/{}", row.host)).with("certificate", row.certificate),
        clinic: row.clinic_name.clone(),
        clinic_href: Link::to("/hosts").with("clinic", row.clinic),
        renewing: row.live_renewal.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_reads_back_from_its_own_link() {
        for stretch in [Stretch::All, Stretch::Expired, Stretch::Within(7), Stretch::Days(20_000, 20_006)] {
            let uri: axum::http::Uri = stretch.link().to_string().parse().unwrap();
            let axum::extract::Query(pairs) = axum::extract::Query::try_from_uri(&uri).unwrap();
            assert_eq!(Stretch::read(&Fields(pairs)), stretch);
        }
    }

    #[test]
    fn what_cannot_be_read_is_the_coming_month() {
        assert_eq!(Stretch::read(&Fields(vec![("view".to_owned(), "8".to_owned())])), Stretch::Within(30));
    }
}
