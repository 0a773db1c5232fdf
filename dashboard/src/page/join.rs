//! 参加: join tokens, and the one line that makes a PC join.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State as Extract};
use axum::response::{IntoResponse as _, Redirect, Response};
use inkan_core::Error;
use inkan_core::enrolment::JoinTokenOrder;
use inkan_core::ports::{ClinicQuery, PageRequest};
use inkan_model::clinic::{Clinic, ClinicCode};
use inkan_model::join_token::{JoinToken, MOST_USES};
use inkan_model::{ClinicId, JoinTokenId, Timestamp};

use super::{Choice, page_of, parse, print};
use crate::door::{SignedForm, SignedIn};
use crate::fault::Fault;
use crate::frame::{Frame, Screen};
use crate::link::{Fields, Link};
use crate::state::State;
use crate::words::{Words, number};
use crate::{Options, Site};

/// Clinics among which one is chosen when several fit.
const MOST_CANDIDATES: u16 = 12;
/// Clinics that the field suggests.
const SUGGESTIONS: u16 = 200;
const HOURS: [i64; 5] = [1, 4, 8, 12, 24];

/// A fresh token, shown this once.
struct FreshToken {
    clinic: String,
    command: String,
    secret: String,
    uses: String,
    until: String,
    approve: bool,
}

/// One token of the list.
struct Line {
    id: JoinTokenId,
    clinic: String,
    clinic_href: Link,
    state: State,
    word: String,
    used: String,
    until: String,
    ago: String,
    approve: bool,
    by: String,
    can_revoke: bool,
}

/// What stands in the form.
struct Form {
    clinic: String,
    uses: u32,
    hours: Vec<Choice>,
    approve: bool,
    /// What is wrong with the clinic.
    clinic_error: Option<String>,
    uses_error: Option<String>,
    candidates: Vec<Candidate>,
}

struct Candidate {
    code: String,
    name: String,
    place: String,
}

#[derive(Template)]
#[template(path = "join.html")]
struct Join {
    frame: Frame,
    w: Words,
    headline: String,
    fresh: Option<FreshToken>,
    form: Form,
    most_uses: u32,
    suggestions: Vec<Candidate>,
    has_clinics: bool,
    lines: Vec<Line>,
    next: Option<Link>,
}

/// What the form asks for, as typed.
struct Wish {
    clinic: String,
    uses: u32,
    hours: i64,
    approve: bool,
}

impl Wish {
    fn read(fields: &Fields) -> Self {
        Self {
            // One that was chosen among several counts more than what was typed to find them.
            clinic: fields.text("chosen").or(fields.text("clinic")).unwrap_or("").chars().take(200).collect(),
            uses: fields.parsed("uses").unwrap_or(1),
            hours: fields.parsed("hours").filter(|hours| HOURS.contains(hours)).unwrap_or(4),
            approve: fields.text("approve").is_some(),
        }
    }

    fn form(&self, w: Words) -> Form {
        let hours = |hours: i64| Choice {
            value: hours.to_string(),
            word: w.count("join.hours", hours.unsigned_abs()),
            chosen: hours == self.hours,
        };
        Form {
            clinic: self.clinic.clone(),
            uses: self.uses,
            hours: HOURS.into_iter().map(hours).collect(),
            approve: self.approve,
            clinic_error: None,
            uses_error: None,
            candidates: Vec::new(),
        }
    }
}

/// Shows tokens and the form.
pub(crate) async fn show(Extract(_): Extract<Site>, by: SignedIn, fields: Fields) -> Result<Response, Fault> {
    let form = Wish::read(&fields).form(by.w);
    draw(&by, &fields, form, None).await
}

/// Makes a token, and shows its secret, which is nowhere else.
pub(crate) async fn create(Extract(site): Extract<Site>, form: SignedForm) -> Result<Response, Fault> {
    let SignedForm { by, fields } = form;
    let wish = Wish::read(&fields);
    let mut form = wish.form(by.w);
    if !(1..=MOST_USES).contains(&wish.uses) {
        form.uses_error = Some(by.w.count("join.uses_range", MOST_USES));
        return draw(&by, &Fields::default(), form, None).await;
    }
    let clinic = match find_clinic(&by, &wish.clinic).await? {
        Found::One(clinic) => clinic,
        Found::None => {
            form.clinic_error =
                Some(by.w.say(if wish.clinic.is_empty() { "join.clinic_empty" } else { "join.clinic_none" }));
            return draw(&by, &Fields::default(), form, None).await;
        }
        Found::Several(clinics) => {
            form.clinic_error = Some(by.w.say("join.clinic_several"));
            form.candidates = clinics.iter().map(|clinic| candidate(clinic, by.w)).collect();
            return draw(&by, &Fields::default(), form, None).await;
        }
    };
    let lifetime = time::Duration::hours(wish.hours);
    let order = JoinTokenOrder { clinic: clinic.id, uses: wish.uses, lifetime, approve: wish.approve };
    let (token, secret) = site.core().create_join_token(&by.operator, order).await?;
    let secret = secret.reveal();
    let fresh = FreshToken {
        clinic: clinic.profile.name.clone(),
        command: enrol_command(site.options(), &secret),
        secret,
        uses: by.w.count("join.for_hosts", token.uses),
        until: format!("{} ({})", by.w.date_time(token.expires_at), by.w.ago(token.expires_at, by.now)),
        approve: token.approve,
    };
    let form = Wish { clinic: String::new(), ..wish }.form(by.w);
    draw(&by, &Fields::default(), form, Some(fresh)).await
}

/// The line to run on a PC, as its administrator.
fn enrol_command(options: &Options, secret: &str) -> String {
    format!("inkan-agent enroll --server {} --ca-pin {} --token {secret}", options.enrolment_url, options.ca_pin)
}

/// Withdraws a token.
pub(crate) async fn revoke(
    Extract(site): Extract<Site>,
    Path(token): Path<String>,
    form: SignedForm,
) -> Result<Response, Fault> {
    let SignedForm { by, fields: _ } = form;
    site.core().revoke_join_token(&by.operator, parse(&token)?).await?;
    Ok(Redirect::to("/join").into_response())
}

enum Found {
    None,
    One(Clinic),
    Several(Vec<Clinic>),
}

/// Finds the clinic that was typed: by its code, or by words that fit only one.
async fn find_clinic(by: &SignedIn, typed: &str) -> Result<Found, Fault> {
    // A suggestion reads "code name"; the code says it all.
    let first = typed.split_whitespace().next().unwrap_or("");
    if first.parse::<ClinicCode>().is_ok() {
        return match by.view.clinic_by_code(first).await {
            Ok(clinic) => Ok(Found::One(clinic)),
            Err(Error::NotFound { .. }) => Ok(Found::None),
            Err(error) => Err(error.into()),
        };
    }
    if typed.is_empty() {
        return Ok(Found::None);
    }
    let query = ClinicQuery { search: Some(typed.to_owned()), ..ClinicQuery::default() };
    let part = by.view.clinics(&query, &PageRequest::first(MOST_CANDIDATES)).await?;
    let mut clinics: Vec<_> = part.items.into_iter().map(|row| row.clinic).collect();
    Ok(match clinics.len() {
        0 => Found::None,
        1 => clinics.pop().map_or(Found::None, Found::One),
        _ => Found::Several(clinics),
    })
}

async fn draw(by: &SignedIn, fields: &Fields, form: Form, fresh: Option<FreshToken>) -> Result<Response, Fault> {
    let SignedIn { view, w, now, operator, .. } = by;
    let core = by.core();
    let part = core.list_join_tokens(operator, &page_of(fields)).await?;
    let operators = view.operators().await?;
    let mut clinics: HashMap<ClinicId, Clinic> = HashMap::new();
    let mut lines = Vec::new();
    for token in &part.items {
        let clinic = match clinics.get(&token.clinic) {
            Some(clinic) => clinic.clone(),
            None => view.clinic(token.clinic).await?,
        };
        clinics.insert(token.clinic, clinic.clone());
        let maker = operators.iter().find(|operator| operator.id == token.created_by);
        lines.push(line_of(token, &clinic, maker.map_or("", |maker| &maker.name), *w, *now));
    }
    let suggested = view.clinics(&ClinicQuery::default(), &PageRequest::first(SUGGESTIONS)).await?;
    let open = lines.iter().filter(|line| line.can_revoke).count();
    print(&Join {
        frame: by.frame(Screen::Join, w.say("rail.join")).await?,
        headline: headline(fresh.is_some(), open, *w),
        fresh,
        form,
        most_uses: MOST_USES,
        has_clinics: !suggested.items.is_empty(),
        suggestions: suggested.items.iter().map(|row| candidate(&row.clinic, *w)).collect(),
        lines,
        next: part.next.map(|next| Link::to("/join").with("after", next.0)),
        w: *w,
    })
}

fn headline(fresh: bool, open: usize, w: Words) -> String {
    if fresh {
        return w.say("join.headline_fresh");
    }
    if open == 0 { w.say("join.headline_none") } else { w.count("join.headline", u64::try_from(open).unwrap_or(0)) }
}

fn candidate(clinic: &Clinic, w: Words) -> Candidate {
    let profile = &clinic.profile;
    Candidate {
        code: profile.code.to_string(),
        name: profile.name.clone(),
        place: format!("{}・{}", w.prefecture(profile.prefecture), w.of(&profile.kind.words())),
    }
}

fn line_of(token: &JoinToken, clinic: &Clinic, by: &str, w: Words, now: Timestamp) -> Line {
    let used = u32::try_from(token.used_by.len()).unwrap_or(u32::MAX);
    let (state, word, can_revoke) = if token.revoked_at.is_some() {
        (State::Unknown, w.say("join.revoked"), false)
    } else if used >= token.uses {
        (State::Well, w.say("join.used_up"), false)
    } else if token.expires_at <= now {
        (State::Unknown, w.say("join.expired"), false)
    } else {
        (State::Soon, w.say("join.waiting"), true)
    };
    Line {
        id: token.id,
        clinic: clinic.profile.name.clone(),
        clinic_href: Link::to("/hosts").with("clinic", clinic.id),
        state,
        word,
        used: format!("{} / {}", number(u64::from(used)), number(u64::from(token.uses))),
        until: w.date_time(token.expires_at),
        ago: w.ago(token.expires_at, now),
        approve: token.approve,
        by: by.to_owned(),
        can_revoke,
    }
}
