//! The stores of one PC, and what one of them holds.

mod properties;

use askama::Template;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use inkan_core::ports::{LocationEntry, LocationRow};
use inkan_model::store::{KeyPresence, Location, ReadError, ReadErrorKind, Scope, StoreKind};
use inkan_model::{HostId, Timestamp};

use self::properties::property_lines;
use super::{page_of, parse, print};
use crate::Site;
use crate::door::{Fragment, SignedIn};
use crate::fault::Fault;
use crate::frame::{Frame, Screen};
use crate::link::{Fields, Link};
use crate::state::State;
use crate::words::{Words, number};

/// One store in the table of a PC.
pub(crate) struct StoreLine {
    pub(crate) href: Link,
    pub(crate) kind: String,
    pub(crate) whose: String,
    pub(crate) path: String,
    pub(crate) certificates: String,
    pub(crate) unreadable: u32,
    pub(crate) errors: Vec<String>,
    pub(crate) since: String,
    pub(crate) state: State,
    pub(crate) word: String,
}

/// The stores of a PC as lines.
pub(crate) fn store_lines(host: HostId, rows: &[LocationRow], w: Words, now: Timestamp) -> Vec<StoreLine> {
    let line = |row: &LocationRow| {
        let LocationRow { location, set: _, certificates, unreadable, errors, since } = row;
        let (state, word) = match (errors.len(), *unreadable) {
            (0, 0) => (State::Well, w.say("store.read")),
            (0, _) => (State::Watch, w.say("store.read_with_gaps")),
            _ if *certificates == 0 => (State::Unknown, w.say("store.not_read")),
            _ => (State::Unknown, w.say("store.read_partly")),
        };
        StoreLine {
            href: link_to(host, location),
            kind: kind_word(location.kind, w),
            whose: scope_word(&location.scope, w),
            path: location.path.clone(),
            certificates: number(u64::from(*certificates)),
            unreadable: *unreadable,
            errors: errors.iter().map(|error| error_word(error, w)).collect(),
            since: w.ago(*since, now),
            state,
            word,
        }
    };
    rows.iter().map(line).collect()
}

fn link_to(host: HostId, location: &Location) -> Link {
    let user = match &location.scope {
        Scope::Machine => None,
        Scope::User(name) => Some(name.as_str()),
    };
    Link::to(format!("/hosts/{host}/stores"))
        .with("kind", kind_name(location.kind))
        .with_some("user", user)
        .with("path", &location.path)
}

/// One entry of a store.
struct EntryLine {
    state: State,
    name: String,
    subject: String,
    issuer: String,
    end: String,
    left: String,
    key: String,
    file: String,
    fingerprint: String,
    /// What else the store says about it.
    properties: Vec<String>,
    /// Why it could not be read.
    trouble: Option<String>,
}

#[derive(Template)]
#[template(path = "store.html")]
struct StorePage {
    frame: Frame,
    w: Words,
    host: String,
    host_href: Link,
    headline: String,
    kind: String,
    whose: String,
    path: String,
    errors: Vec<String>,
    lines: Vec<EntryLine>,
    next: Option<Link>,
}

#[derive(Template)]
#[template(path = "store_rows.html")]
struct StoreRows {
    w: Words,
    lines: Vec<EntryLine>,
    next: Option<Link>,
}

/// Shows what one store holds, or its next rows.
pub(crate) async fn show(
    Extract(_): Extract<Site>,
    by: SignedIn,
    Path(host): Path<String>,
    Fragment(fragment): Fragment,
    fields: Fields,
) -> Result<Response, Fault> {
    let SignedIn { view, w, now, .. } = &by;
    let host: HostId = parse(&host)?;
    let location = read_location(&fields).ok_or(Fault::NoSuchPage)?;
    let detail = view.host(host).await?;
    let rows = view.locations(host).await?;
    let Some(row) = rows.into_iter().find(|row| row.location == location) else { return Err(Fault::NoSuchPage) };
    let part = view.location_entries(host, &location, &page_of(&fields)).await?;
    let next = part.next.map(|cursor| link_to(host, &location).with("after", cursor.0));
    let lines = part.items.iter().map(|entry| entry_line(entry, *w, *now)).collect();
    let mut response = if fragment {
        print(&StoreRows { w: *w, lines, next })?
    } else {
        print(&StorePage {
            frame: by.frame(Screen::Hosts, format!("{} · {}", location.path, detail.facts.host_name)).await?,
            w: *w,
            host: detail.facts.host_name.clone(),
            host_href: Link::to(format!("/hosts/{host}")),
            headline: w.count("store.headline", row.certificates),
            kind: kind_word(location.kind, *w),
            whose: scope_word(&location.scope, *w),
            path: location.path.clone(),
            errors: row.errors.iter().map(|error| error_word(error, *w)).collect(),
            lines,
            next,
        })?
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("HX-Request"));
    Ok(response)
}

fn read_location(fields: &Fields) -> Option<Location> {
    let scope = fields.raw("user").map_or(Scope::Machine, |name| Scope::User(name.to_owned()));
    Some(Location { kind: parse_kind(fields.text("kind")?)?, scope, path: fields.raw("path")?.to_owned() })
}

fn entry_line(entry: &LocationEntry, w: Words, now: Timestamp) -> EntryLine {
    match entry {
        LocationEntry::Certificate { certificate, facts: Some(facts), key, name, properties } => EntryLine {
            state: State::of_days(facts.not_after.days_from(now)),
            name: facts.common_name.clone(),
            subject: facts.subject.clone(),
            issuer: if facts.is_self_issued() { w.say("store.self_issued") } else { facts.issuer_common_name.clone() },
            end: w.date(facts.not_after),
            left: w.days_left(facts.not_after, now),
            key: key_word(*key, w),
            file: name.clone().unwrap_or_default(),
            fingerprint: certificate.to_string(),
            properties: property_lines(properties, w),
            trouble: None,
        },
        LocationEntry::Certificate { certificate, facts: None, key, name, properties } => EntryLine {
            state: State::Unknown,
            name: certificate.short(),
            subject: String::new(),
            issuer: String::new(),
            end: String::new(),
            left: String::new(),
            key: key_word(*key, w),
            file: name.clone().unwrap_or_default(),
            fingerprint: certificate.to_string(),
            properties: property_lines(properties, w),
            trouble: Some(w.say("store.no_certificate")),
        },
        LocationEntry::Unreadable { sha256, name, why } => EntryLine {
            state: State::Unknown,
            name: name.clone().unwrap_or_else(|| w.say("store.nameless")),
            subject: String::new(),
            issuer: String::new(),
            end: String::new(),
            left: String::new(),
            key: String::new(),
            file: String::new(),
            fingerprint: sha256.map(|sha256| sha256.to_string()).unwrap_or_default(),
            properties: Vec::new(),
            trouble: Some(w.fill("store.unreadable_why", why)),
        },
    }
}

const KINDS: [(&str, StoreKind); 8] = [
    ("system_trust", StoreKind::SystemTrust),
    ("local_anchors", StoreKind::LocalAnchors),
    ("directory", StoreKind::Directory),
    ("user_directory", StoreKind::UserDirectory),
    ("windows_store", StoreKind::WindowsStore),
    ("nss", StoreKind::Nss),
    ("java", StoreKind::Java),
    ("keychain", StoreKind::Keychain),
];

/// A kind's name in addresses; one that this build does not know goes by its number.
fn kind_name(kind: StoreKind) -> String {
    match (kind, KINDS.iter().find(|(_, known)| *known == kind)) {
        (_, Some((name, _))) => (*name).to_owned(),
        (StoreKind::Unrecognized(number), None) => number.to_string(),
        (_, None) => String::new(),
    }
}

fn parse_kind(name: &str) -> Option<StoreKind> {
    let known = KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    known.or_else(|| name.parse().ok().map(StoreKind::Unrecognized))
}

fn kind_word(kind: StoreKind, w: Words) -> String {
    match kind {
        StoreKind::SystemTrust => w.say("store.kind_system_trust"),
        StoreKind::LocalAnchors => w.say("store.kind_local_anchors"),
        StoreKind::Directory => w.say("store.kind_directory"),
        StoreKind::UserDirectory => w.say("store.kind_user_directory"),
        StoreKind::WindowsStore => w.say("store.kind_windows"),
        StoreKind::Nss => w.say("store.kind_nss"),
        StoreKind::Java => w.say("store.kind_java"),
        StoreKind::Keychain => w.say("store.kind_keychain"),
        StoreKind::Unrecognized(number) => w.fill("store.kind_unrecognized", number),
    }
}

/// Whose store it is.
pub(crate) fn scope_word(scope: &Scope, w: Words) -> String {
    match scope {
        Scope::Machine => w.say("store.of_machine"),
        Scope::User(name) => w.fill("store.of_user", name),
    }
}

/// A store in few words.
pub(crate) fn location_word(location: &Location, w: Words) -> String {
    match &location.scope {
        Scope::Machine => location.path.clone(),
        Scope::User(_) => format!("{} ({})", location.path, scope_word(&location.scope, w)),
    }
}

/// Whether a key is there.
pub(crate) fn key_word(key: KeyPresence, w: Words) -> String {
    match key {
        KeyPresence::NotExpected => w.say("key.not_expected"),
        KeyPresence::Absent => w.say("key.absent"),
        KeyPresence::Present => w.say("key.present"),
        KeyPresence::Unknown | KeyPresence::Unrecognized(_) => w.say("key.unknown"),
    }
}

fn error_word(error: &ReadError, w: Words) -> String {
    let kind = match error.kind {
        ReadErrorKind::AccessDenied => w.say("read_error.access_denied"),
        ReadErrorKind::NotFound => w.say("read_error.not_found"),
        ReadErrorKind::TimedOut => w.say("read_error.timed_out"),
        ReadErrorKind::TooLarge => w.say("read_error.too_large"),
        ReadErrorKind::PasswordNeeded => w.say("read_error.password_needed"),
        ReadErrorKind::Malformed => w.say("read_error.malformed"),
        ReadErrorKind::Other | ReadErrorKind::Unrecognized(_) => w.say("read_error.other"),
    };
    let of_item = if error.item.is_empty() { String::new() } else { format!("{}: ", error.item) };
    if error.detail.is_empty() { format!("{of_item}{kind}") } else { format!("{of_item}{kind} ({})", error.detail) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_from_its_name_even_one_that_is_not_known() {
        for kind in KINDS.iter().map(|(_, kind)| *kind).chain([StoreKind::Unrecognized(42)]) {
            assert_eq!(parse_kind(&kind_name(kind)), Some(kind));
        }
    }
}
