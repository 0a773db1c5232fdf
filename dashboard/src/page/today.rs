//! 今日の対応: whom to call today, and why, worst first.

use askama::Template;
use axum::extract::State as Extract;
use axum::response::Response;
use inkan_core::ports::{ExpiryDay, FindingQuery, FindingRow, Overview, PageRequest, PrefectureRow};
use inkan_model::finding::{Detail, Diagnosis, Rule, Urgency};
use inkan_model::{CertificateFacts, ClinicId, HostId, Timestamp};

use super::print;
use crate::Site;
use crate::door::SignedIn;
use crate::fault::Fault;
use crate::figure::{Svg, Tile, Week, draw_prefectures, draw_weeks};
use crate::frame::{Frame, Screen};
use crate::link::Link;
use crate::state::State;
use crate::words::{Words, date_of_day, date_text, day_in_japan, number};

/// Clinics of the worklist; the rest is a link away.
const MOST_CLINICS: usize = 12;
/// Sentences of one clinic.
const MOST_SENTENCES: usize = 3;
/// Findings that are read for it.
const FINDINGS: u16 = 100;
const WEEKS: i32 = 13;

/// One of the figures in the strip.
struct Figure {
    href: Link,
    state: State,
    word: String,
    number: String,
    /// Whether the number is not zero, so that it takes its colour.
    counts: bool,
    qualifier: String,
}

/// One clinic of the worklist.
struct Work {
    clinic: ClinicId,
    state: State,
    name: String,
    clinic_href: Link,
    place: String,
    phone: Option<String>,
    sentences: Vec<Sentence>,
    /// Findings beyond the sentences.
    more: u64,
    action: Action,
}

/// What is wrong with one PC, in words, with the part that matters most in the middle.
struct Sentence {
    host_href: Link,
    host: String,
    before: String,
    strong: String,
    after: String,
    urgent: bool,
}

/// The one thing to do next.
struct Action {
    href: Link,
    word: String,
    main: bool,
}

/// One row of the table beside the weeks.
struct WeekRow {
    href: Link,
    label: String,
    week: Week,
}

/// One row of the table beside the map.
struct PrefectureLine {
    href: Link,
    name: String,
    clinics: String,
    state: State,
}

/// A step on the way to the first PC.
struct Step {
    done: bool,
    href: &'static str,
    word: String,
    hint: String,
}

#[derive(Template)]
#[template(path = "today.html")]
struct Today {
    frame: Frame,
    w: Words,
    headline: String,
    clinics: String,
    hosts: String,
    context: String,
    strip: Vec<Figure>,
    work: Vec<Work>,
    more_work: bool,
    first_steps: Vec<Step>,
    weeks_picture: Svg,
    weeks: Vec<WeekRow>,
    weeks_total: String,
    map_picture: Svg,
    map: Vec<PrefectureLine>,
}

/// Shows the page.
pub(crate) async fn show(Extract(site): Extract<Site>, by: SignedIn) -> Result<Response, Fault> {
    let SignedIn { view, w, now, .. } = &by;
    let frame = by.frame(Screen::Today, w.say("rail.today")).await?;
    let figures = view.overview(*now).await?;
    let (mut findings, mut all) = (Vec::new(), true);
    for urgency in [Urgency::Now, Urgency::Soon] {
        let query = FindingQuery { urgency: Some(urgency), ..FindingQuery::default() };
        let part = view.findings(&query, &PageRequest::first(FINDINGS)).await?;
        all &= part.next.is_none();
        findings.extend(part.items);
    }
    findings.sort_by_key(|row| rank(&row.diagnosis));
    let issuer = site.core().find_renewing_issuer(&by.operator).await.ok();
    let mut work = Vec::new();
    for row in &findings {
        add_to_work(&mut work, row, *w, *now);
    }
    let more_work = !all || work.len() > MOST_CLINICS;
    work.truncate(MOST_CLINICS);
    for one in &mut work {
        one.action = plan_action(&by, one, &findings, issuer.as_ref()).await?;
    }
    let today = day_in_japan(*now);
    let expiries = view.expiry_days(today, u16::try_from(WEEKS * 7).unwrap_or(91)).await?;
    let prefectures = view.prefectures().await?;
    let weeks = weeks_of(&expiries, today, *w);
    let page = Today {
        headline: headline(&figures, *w),
        clinics: w.count("today.clinics", figures.clinics),
        hosts: w.count("today.hosts", figures.hosts),
        context: w.say(if figures.hosts_now > 0 { "today.rest_not_urgent" } else { "today.nothing_urgent" }),
        strip: strip(&figures, *w),
        work,
        more_work,
        first_steps: first_steps(&figures, *w),
        weeks_picture: draw_weeks(
            &weeks.iter().map(|row| row.week.clone()).collect::<Vec<_>>(),
            &w.say("today.weeks_label"),
        ),
        weeks_total: w.count("today.certificates", weeks.iter().map(|row| row.week.total()).sum::<u64>()),
        weeks,
        map_picture: draw_map(&prefectures, *w),
        map: map_rows(&prefectures, *w),
        frame,
        w: *w,
    };
    print(&page)
}

fn headline(figures: &Overview, w: Words) -> String {
    if figures.hosts == 0 {
        return w.say("today.headline_empty");
    }
    if figures.hosts_now == 0 { w.say("today.headline_calm") } else { w.count("today.headline", figures.hosts_now) }
}

fn strip(figures: &Overview, w: Words) -> Vec<Figure> {
    let figure = |href, state, word: &str, n: u64, qualifier: &str| Figure {
        href,
        state,
        word: w.say(word),
        number: number(n),
        counts: n > 0,
        qualifier: w.say(qualifier),
    };
    let expiry = |view: &str| Link::to("/expiry").with("view", view);
    let hosts = Link::to("/hosts");
    vec![
        figure(expiry("expired"), State::Now, "figure.expired", figures.expired, "figure.of_certificates"),
        figure(expiry("7"), State::Now, "figure.within_7", figures.within_7, "figure.of_certificates"),
        figure(expiry("30"), State::Soon, "figure.within_30", figures.within_30, "figure.within_30_note"),
        figure(
            Link::to("/renewals").at("stuck"),
            State::Person,
            "figure.stuck",
            figures.renewals_stuck,
            "figure.of_renewals",
        ),
        figure(hosts.clone().with("silent", 7), State::Unknown, "figure.silent", figures.silent, "figure.of_hosts"),
        figure(
            hosts.with("state", "report_only"),
            State::Person,
            "figure.report_only",
            figures.report_only,
            "figure.of_hosts",
        ),
    ]
}

/// Worst first: by urgency, then what has stopped or is about to, by the moment at which it does.
fn rank(diagnosis: &Diagnosis) -> (Urgency, u8, Timestamp) {
    let (group, at) = match &diagnosis.detail {
        Detail::Expiry { not_after, .. } => (0, *not_after),
        Detail::Silence { last_seen, .. } => (1, *last_seen),
        Detail::Certificate { .. }
        | Detail::MissingIssuer { .. }
        | Detail::ClockOffset { .. }
        | Detail::Weak { .. } => (2, Timestamp::default()),
    };
    (diagnosis.urgency, group, at)
}

fn add_to_work(work: &mut Vec<Work>, row: &FindingRow, w: Words, now: Timestamp) {
    let sentence = sentence_of(row, w, now);
    if let Some(one) = work.iter_mut().find(|one| one.clinic == row.clinic.id) {
        if one.sentences.len() < MOST_SENTENCES {
            one.sentences.push(sentence);
        } else {
            one.more += 1;
        }
        return;
    }
    let profile = &row.clinic.profile;
    work.push(Work {
        clinic: row.clinic.id,
        state: state_of(&row.diagnosis),
        name: profile.name.clone(),
        clinic_href: Link::to("/hosts").with("clinic", row.clinic.id),
        place: format!("{}・{}", w.prefecture(profile.prefecture), w.of(&profile.kind.words())),
        phone: profile.phone.clone(),
        sentences: vec![sentence],
        more: 0,
        action: look_at(row.host, w),
    });
}

/// A silent PC is one of which we cannot know; everything else is as urgent as its rule says.
pub(crate) fn state_of(diagnosis: &Diagnosis) -> State {
    match diagnosis.subject.rule() {
        Rule::HostSilent => State::Unknown,
        _ => State::of(Some(diagnosis.urgency)),
    }
}

fn sentence_of(row: &FindingRow, w: Words, now: Timestamp) -> Sentence {
    let statement = w.of(&row.diagnosis.statement(now));
    let (before, strong, after) = split_emphasis(&statement, &emphasis(&row.diagnosis, w, now));
    Sentence {
        host_href: Link::to(format!("/hosts/{}", row.host)),
        host: row.host_name.clone(),
        urgent: row.diagnosis.urgency == Urgency::Now,
        before,
        strong,
        after,
    }
}

/// The part of a diagnosis' sentence that a clerk has to hear.
pub(crate) fn emphasis(diagnosis: &Diagnosis, w: Words, now: Timestamp) -> String {
    match &diagnosis.detail {
        Detail::Expiry { not_after, .. } => match not_after.days_from(now) {
            days @ 1.. => w.count("emphasis.days_left", days.unsigned_abs()),
            0 => w.say("emphasis.today"),
            -1 => w.say("emphasis.yesterday"),
            days => w.count("emphasis.days_ago", days.unsigned_abs()),
        },
        Detail::Silence { last_seen, .. } => w.count("emphasis.silent", now.days_from(*last_seen).unsigned_abs()),
        Detail::Certificate { .. } | Detail::MissingIssuer { .. } => w.say("emphasis.not_here"),
        Detail::Weak { what, .. } => what.clone(),
        Detail::ClockOffset { .. } => w.say("emphasis.clock"),
    }
}

/// Parts a sentence around a phrase; a sentence without it stays whole.
pub(crate) fn split_emphasis(sentence: &str, phrase: &str) -> (String, String, String) {
    match sentence.split_once(phrase) {
        Some((before, after)) if !phrase.is_empty() => (before.to_owned(), phrase.to_owned(), after.to_owned()),
        _ => (sentence.to_owned(), String::new(), String::new()),
    }
}

fn look_at(host: HostId, w: Words) -> Action {
    Action { href: Link::to(format!("/hosts/{host}")), word: w.say("today.look"), main: false }
}

/// Renew the worst certificate where that can be done from here; watch a renewal that is under way; else look.
async fn plan_action(
    by: &SignedIn,
    work: &Work,
    findings: &[FindingRow],
    issuer: Option<&CertificateFacts>,
) -> Result<Action, Fault> {
    let w = by.w;
    let mut of_clinic = findings.iter().filter(|row| row.clinic.id == work.clinic);
    let Some(worst) = of_clinic.next() else {
        return Ok(Action { href: work.clinic_href.clone(), word: w.say("today.look"), main: false });
    };
    let host = Link::to(format!("/hosts/{}", worst.host));
    if worst.live_renewal.is_some() {
        return Ok(Action { href: host.at("renewals"), word: w.say("today.watch"), main: false });
    }
    let expires = matches!(worst.diagnosis.subject.rule(), Rule::CertificateExpired | Rule::CertificateExpiring);
    let (Some(certificate), Some(issuer), true) = (worst.diagnosis.subject.certificate(), issuer, expires) else {
        return Ok(look_at(worst.host, w));
    };
    let facts = by.view.certificate(certificate).await?.facts;
    let renewable = facts.is_ok_and(|facts| facts.may_be_issued_by(issuer))
        && by.view.host(worst.host).await?.state.gets_directives();
    if !renewable {
        return Ok(look_at(worst.host, w));
    }
    let href = Link::to(format!("/hosts/{}/renew", worst.host)).with("certificate", certificate);
    Ok(Action { href, word: w.say("today.renew"), main: true })
}

fn weeks_of(days: &[ExpiryDay], today: i32, w: Words) -> Vec<WeekRow> {
    let week = |at: i32| {
        let (first, next) = (today + at * 7, today + (at + 1) * 7);
        let first_date = date_of_day(first);
        let mut week =
            Week { label: format!("{}/{}", u8::from(first_date.month()), first_date.day()), ..Week::default() };
        for day in days.iter().filter(|day| (first..next).contains(&day.day)) {
            match day.day - today {
                ..7 => week.now += day.installations,
                7..30 => week.soon += day.installations,
                _ => week.later += day.installations,
            }
        }
        let (from, until) = (date_text(first_date), date_text(date_of_day(next - 1)));
        WeekRow {
            href: Link::to("/expiry").with("from", &from).with("until", &until),
            label: w.fill2("today.week_label", &from, until.get(5..).unwrap_or("")),
            week,
        }
    };
    (0..WEEKS).map(week).collect()
}

fn draw_map(prefectures: &[PrefectureRow], w: Words) -> Svg {
    let tile = |row: &PrefectureRow| Tile { prefecture: row.prefecture, state: State::of(row.worst) };
    draw_prefectures(&prefectures.iter().map(tile).collect::<Vec<_>>(), &w.say("today.map_label"))
}

fn map_rows(prefectures: &[PrefectureRow], w: Words) -> Vec<PrefectureLine> {
    let row = |row: &PrefectureRow| PrefectureLine {
        href: Link::to("/hosts").with("prefecture", row.prefecture.number()),
        name: w.prefecture(row.prefecture),
        clinics: number(row.clinics),
        state: State::of(row.worst),
    };
    prefectures.iter().map(row).collect()
}

fn first_steps(figures: &Overview, w: Words) -> Vec<Step> {
    if figures.hosts > 0 {
        return Vec::new();
    }
    let step = |done, href, word: &str, hint: &str| Step { done, href, word: w.say(word), hint: w.say(hint) };
    vec![
        step(figures.clinics > 0, "/clinics", "today.step_clinics", "today.step_clinics_hint"),
        step(false, "/join", "today.step_token", "today.step_token_hint"),
        step(false, "/join", "today.step_run", "today.step_run_hint"),
    ]
}

#[cfg(test)]
mod tests {
    use inkan_model::Fingerprint;
    use inkan_model::finding::Subject;
    use inkan_model::locale::Locale;
    use inkan_model::store::{Location, Scope, StoreKind};
    use time::Duration;

    use super::*;

    #[test]
    fn the_emphasised_words_stand_in_every_sentence_that_the_model_says() {
        let now = Timestamp::from_unix_seconds(1_795_151_100);
        let name = "0110119153".to_owned();
        let location = Location { kind: StoreKind::Directory, scope: Scope::Machine, path: "/x".to_owned() };
        let certificate = Fingerprint::of(b"x");
        let subject = Subject::CertificateExpiring { certificate, location: location.clone() };
        let expiry =
            |days: i64| Detail::Expiry { name: name.clone(), not_after: now.plus(Duration::days(days)), stage: 7 };
        let details = [
            expiry(12),
            expiry(1),
            expiry(0),
            expiry(-1),
            expiry(-9),
            Detail::Certificate { name: name.clone() },
            Detail::MissingIssuer { name: name.clone(), issuer: "CA".to_owned() },
            Detail::Weak { name: name.clone(), what: "SHA-1".to_owned() },
            Detail::Silence { last_seen: now.minus(Duration::days(9)), stage: 7 },
            Detail::ClockOffset { seconds: 900 },
            Detail::ClockOffset { seconds: -900 },
        ];
        for (detail, locale) in details.iter().flat_map(|detail| [(detail, Locale::Ja), (detail, Locale::En)]) {
            let subject = subject.clone();
            let diagnosis = Diagnosis { subject, urgency: Urgency::Now, detail: detail.clone() };
            let sentence = diagnosis.statement(now).in_locale(locale).to_owned();
            let phrase = emphasis(&diagnosis, Words(locale), now);
            assert!(sentence.contains(&phrase), "{phrase:?} in {sentence:?}");
        }
    }

    #[test]
    fn weeks_begin_today_and_part_at_seven_and_thirty_days() {
        let day = |day, installations| ExpiryDay { day, installations };
        let rows = weeks_of(&[day(100, 1), day(106, 2), day(107, 3), day(129, 4), day(130, 5)], 100, Words(Locale::Ja));
        assert_eq!(rows.len(), 13);
        assert_eq!((rows[0].week.now, rows[0].week.soon), (3, 0));
        assert_eq!(rows[1].week.soon, 3);
        assert_eq!((rows[4].week.soon, rows[4].week.later), (4, 5));
    }
}
