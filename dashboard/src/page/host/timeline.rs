//! What happened to a PC, and what is planned for it, in one line of time: the future above the past.

use inkan_model::Timestamp;
use inkan_model::event::{Event, Happening};
use inkan_model::finding::Rule;
use inkan_model::host::HostState;
use inkan_model::renewal::RenewalState;
use inkan_model::time::DAY;

use super::Observed;
use super::progress::word_of_name;
use crate::page::hosts::{rule_word, state_word};
use crate::page::stores::location_word;
use crate::state::State;
use crate::words::{Words, number};

/// Expiries further ahead are not news.
const HORIZON_DAYS: i32 = 400;
const MOST_PLANNED: usize = 4;

/// One entry.
pub(crate) struct Moment {
    pub(crate) at: String,
    /// The whole date, for a hover and for machines.
    pub(crate) whole: String,
    pub(crate) iso: String,
    pub(crate) state: State,
    pub(crate) text: String,
    pub(crate) by: Option<String>,
    pub(crate) planned: bool,
}

pub(super) fn moments(observed: &Observed, w: Words, now: Timestamp) -> Vec<Moment> {
    let mut planned = planned(observed, w, now);
    planned.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    let ahead = planned.into_iter().map(|(at, state, text)| Moment {
        at: w.short_time(at, now),
        whole: format!("{} {}", w.date_time(at), w.ago(at, now)),
        iso: at.to_string(),
        state,
        text,
        by: None,
        planned: true,
    });
    let past = observed.events.items.iter().map(|event| moment(observed, event, w, now));
    ahead.chain(past).collect()
}

fn planned(observed: &Observed, w: Words, now: Timestamp) -> Vec<(Timestamp, State, String)> {
    let mut ahead = Vec::new();
    for row in &observed.renewals {
        let name = row.certificate_name.clone().unwrap_or_default();
        match row.renewal.state {
            RenewalState::Planned { not_before } if not_before > now => {
                ahead.push((not_before, State::Soon, w.fill("timeline.renewal_planned", name)));
            }
            RenewalState::Failed { retry_at, .. } if retry_at > now => {
                ahead.push((retry_at, State::Soon, w.fill("timeline.retry_planned", name)));
            }
            _ => {}
        }
    }
    let ends = observed
        .installations
        .iter()
        .filter(|row| row.facts.not_after >= now && row.facts.not_after.since(now) < DAY * HORIZON_DAYS);
    for row in ends {
        let end = row.facts.not_after;
        let text = w.fill2("timeline.expiry_planned", &row.facts.common_name, w.days_left(end, now));
        let state = if end.days_from(now) < 7 { State::Now } else { State::Soon };
        ahead.push((end, state, text));
    }
    ahead.sort_by_key(|(at, ..)| *at);
    ahead.truncate(MOST_PLANNED);
    ahead
}

fn moment(observed: &Observed, event: &Event, w: Words, now: Timestamp) -> Moment {
    let (state, text) = happening(&event.what, w);
    let by = event.by.and_then(|id| observed.operators.iter().find(|operator| operator.id == id));
    Moment {
        at: w.short_time(event.at, now),
        whole: format!("{} {}", w.date_time(event.at), w.ago(event.at, now)),
        iso: event.at.to_string(),
        state,
        text,
        by: by.map(|operator| operator.name.clone()),
        planned: false,
    }
}

fn happening(what: &Happening, w: Words) -> (State, String) {
    match what {
        Happening::Enrolled => (State::Well, w.say("timeline.enrolled")),
        Happening::StateChanged { to } => {
            let state = if *to == HostState::Active { State::Well } else { State::Person };
            (state, w.fill("timeline.state_changed", state_word(*to, w)))
        }
        Happening::CertificateAppeared { name, location, .. } => {
            (State::Well, w.fill2("timeline.appeared", name, location_word(location, w)))
        }
        Happening::CertificateDisappeared { name, location, .. } => {
            (State::Watch, w.fill2("timeline.disappeared", name, location_word(location, w)))
        }
        Happening::StoreChanged { location, added, removed } => {
            let change = format!("+{} −{}", number(u64::from(*added)), number(u64::from(*removed)));
            (State::Watch, w.fill2("timeline.store_changed", location_word(location, w), change))
        }
        Happening::FindingOpened { subject } => {
            let rule = subject.rule();
            let state = match rule {
                Rule::CertificateExpired => State::Now,
                Rule::HostSilent => State::Unknown,
                Rule::WeakAlgorithm => State::Watch,
                _ => State::Soon,
            };
            (state, w.fill("timeline.finding_opened", rule_word(rule, w)))
        }
        Happening::FindingClosed { subject } => {
            (State::Well, w.fill("timeline.finding_closed", rule_word(subject.rule(), w)))
        }
        Happening::RenewalMoved { state, why, .. } => {
            let (shown, word) = word_of_name(state, w);
            let text = match why {
                Some(why) => w.fill2("timeline.renewal_moved_why", word, why),
                None => w.fill("timeline.renewal_moved", word),
            };
            (shown, text)
        }
        Happening::IdentityRenewed => (State::Well, w.say("timeline.identity_renewed")),
        Happening::IdentityRecovered => (State::Soon, w.say("timeline.identity_recovered")),
        Happening::IdentityConflict => (State::Now, w.say("timeline.identity_conflict")),
        Happening::Unrecognized => (State::Unknown, w.say("timeline.unrecognized")),
    }
}
