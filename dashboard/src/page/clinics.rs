//! 医療機関: the list, and lists in and out.

use askama::Template;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, State as Extract};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use inkan_core::clinics::{ImportReport, LineError};
use inkan_core::ports::{ClinicChanges, ClinicQuery, ClinicRow};
use inkan_model::clinic::{ClinicKind, Prefecture};

use super::{Choice, page_of, print};
use crate::Site;
use crate::door::{Fragment, SignedIn, is_form_token};
use crate::fault::Fault;
use crate::frame::{Frame, Screen};
use crate::link::{Fields, Link};
use crate::state::State;
use crate::words::{Words, number};

/// One clinic.
struct Line {
    href: Link,
    name: String,
    code: String,
    kind: String,
    prefecture: String,
    phone: Option<String>,
    contact: Option<String>,
    hosts: String,
    /// `None` when it has no PC yet, of which nothing can be said.
    state: Option<State>,
    join: Link,
}

/// A wrong line of a list that was sent.
struct WrongLine {
    line: String,
    field: String,
    hint: String,
    detail: String,
}

/// What became of a list that was sent.
enum Outcome {
    Stored { created: String, changed: String, unchanged: String },
    Refused { headline: String, lines: Vec<WrongLine> },
    NoFile,
}

#[derive(Template)]
#[template(path = "clinics.html")]
struct Clinics {
    frame: Frame,
    w: Words,
    headline: String,
    outcome: Option<Outcome>,
    search: String,
    kinds: Vec<Choice>,
    prefectures: Vec<Choice>,
    filtered: bool,
    /// Whether there is no clinic at all, as against none that fits.
    is_empty: bool,
    export: Link,
    lines: Vec<Line>,
    next: Option<Link>,
}

#[derive(Template)]
#[template(path = "clinics_rows.html")]
struct ClinicRows {
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
    if !fragment {
        return draw(&by, &fields, None).await;
    }
    let query = query_of(&fields);
    let part = by.view.clinics(&query, &page_of(&fields)).await?;
    let next = part.next.map(|next| link_of("/clinics", &query).with("after", next.0));
    let mut response = print(&ClinicRows { w: by.w, lines: lines(&part.items, by.w), next })?;
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("HX-Request"));
    Ok(response)
}

/// Takes a list of clinics.
pub(crate) async fn import(
    Extract(site): Extract<Site>,
    by: SignedIn,
    body: Result<Multipart, MultipartRejection>,
) -> Result<Response, Fault> {
    let mut body = body.map_err(|_| Fault::Unreadable)?;
    let mut is_ours = false;
    let mut csv = None;
    while let Some(field) = body.next_field().await.map_err(|_| Fault::Unreadable)? {
        match field.name() {
            Some("token") => {
                let token = field.text().await.map_err(|_| Fault::Unreadable)?;
                is_ours = is_form_token(&by.secret, &token);
            }
            // The token comes first in our form; without it the list is not even read.
            Some("list") if is_ours => csv = Some(field.bytes().await.map_err(|_| Fault::Unreadable)?),
            _ => {}
        }
    }
    if !is_ours {
        return Err(Fault::StaleForm);
    }
    let outcome = match csv.filter(|csv| !csv.is_empty()) {
        None => Outcome::NoFile,
        Some(csv) => match site.core().import_clinics(&by.operator, &csv).await? {
            ImportReport::Stored(ClinicChanges { created, changed, unchanged }) => Outcome::Stored {
                created: number(u64::from(created)),
                changed: number(u64::from(changed)),
                unchanged: number(u64::from(unchanged)),
            },
            ImportReport::Refused(errors) => Outcome::Refused {
                headline: by.w.count("clinics.refused", u64::try_from(errors.len()).unwrap_or(u64::MAX)),
                lines: errors.iter().map(|error| wrong_line(error, by.w)).collect(),
            },
        },
    };
    let refused = !matches!(outcome, Outcome::Stored { .. });
    let mut response = draw(&by, &Fields::default(), Some(outcome)).await?;
    if refused {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

/// The list as CSV, as it is filtered.
pub(crate) async fn export(Extract(site): Extract<Site>, by: SignedIn, fields: Fields) -> Result<Response, Fault> {
    let csv = site.core().export_clinics(&by.operator, &query_of(&fields)).await?;
    let headers: [(HeaderName, &str); 2] = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"clinics.csv\""),
    ];
    Ok((headers, csv).into_response())
}

fn query_of(fields: &Fields) -> ClinicQuery {
    ClinicQuery {
        search: fields.text("search").map(|search| search.chars().take(200).collect()),
        kind: fields.parsed("kind"),
        prefecture: fields.parsed("prefecture"),
    }
}

fn link_of(path: &str, query: &ClinicQuery) -> Link {
    Link::to(path)
        .with_some("search", query.search.as_deref())
        .with_some("kind", query.kind.map(ClinicKind::name))
        .with_some("prefecture", query.prefecture.map(Prefecture::number))
}

async fn draw(by: &SignedIn, fields: &Fields, outcome: Option<Outcome>) -> Result<Response, Fault> {
    let SignedIn { view, w, now, .. } = by;
    let query = query_of(fields);
    let part = view.clinics(&query, &page_of(fields)).await?;
    let filtered = query != ClinicQuery::default();
    let figures = view.overview(*now).await?;
    let headline = if filtered {
        w.say(if part.items.is_empty() { "clinics.headline_none_found" } else { "clinics.headline_found" })
    } else if figures.clinics == 0 {
        w.say("clinics.headline_none")
    } else {
        w.count("clinics.headline", figures.clinics)
    };
    let kind = |one: ClinicKind| Choice {
        value: one.name().to_owned(),
        word: w.of(&one.words()),
        chosen: query.kind == Some(one),
    };
    let prefecture = |one: Prefecture| Choice {
        value: one.number().to_string(),
        word: w.prefecture(one),
        chosen: query.prefecture == Some(one),
    };
    print(&Clinics {
        frame: by.frame(Screen::Clinics, w.say("rail.clinics")).await?,
        w: *w,
        headline,
        outcome,
        search: query.search.clone().unwrap_or_default(),
        kinds: ClinicKind::ALL.into_iter().map(kind).collect(),
        prefectures: Prefecture::all().map(prefecture).collect(),
        filtered,
        is_empty: !filtered && figures.clinics == 0,
        export: link_of("/clinics/export.csv", &query),
        lines: lines(&part.items, *w),
        next: part.next.map(|next| link_of("/clinics", &query).with("after", next.0)),
    })
}

fn lines(rows: &[ClinicRow], w: Words) -> Vec<Line> {
    let line = |row: &ClinicRow| {
        let profile = &row.clinic.profile;
        Line {
            href: Link::to("/hosts").with("clinic", row.clinic.id),
            name: profile.name.clone(),
            code: profile.code.to_string(),
            kind: w.of(&profile.kind.words()),
            prefecture: w.prefecture(profile.prefecture),
            phone: profile.phone.clone(),
            contact: profile.contact.clone(),
            hosts: number(row.hosts),
            state: (row.hosts > 0).then(|| State::of(row.worst)),
            join: Link::to("/join").with("clinic", profile.code.as_str()),
        }
    };
    rows.iter().map(line).collect()
}

/// A wrong line begins with its field's name; what is expected there is said in the operator's language.
fn wrong_line(error: &LineError, w: Words) -> WrongLine {
    let (field, hint) = match error.why.split_once(':').map(|(field, _)| field) {
        Some("code") if error.why.contains("same code") => (w.say("clinic.code"), w.say("clinics.hint_code_twice")),
        Some("code") => (w.say("clinic.code"), w.say("clinics.hint_code")),
        Some("name") => (w.say("clinic.name"), w.say("clinics.hint_name")),
        Some("kind") => (w.say("clinic.kind"), w.say("clinics.hint_kind")),
        Some("prefecture") => (w.say("clinic.prefecture"), w.say("clinics.hint_prefecture")),
        Some("contact") => (w.say("clinic.contact"), w.say("clinics.hint_contact")),
        Some("phone") => (w.say("clinic.phone"), w.say("clinics.hint_phone")),
        Some("mail") => (w.say("clinic.mail"), w.say("clinics.hint_mail")),
        _ if error.line <= 1 => (w.say("clinics.whole_list"), w.say("clinics.hint_head")),
        _ => (w.say("clinics.whole_line"), w.say("clinics.hint_line")),
    };
    WrongLine { line: number(error.line), field, hint, detail: error.why.clone() }
}
