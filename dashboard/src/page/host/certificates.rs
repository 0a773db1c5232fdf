//! The certificates of one PC that somebody has to renew in time.

use inkan_core::ports::InstallationRow;
use inkan_model::Timestamp;
use inkan_model::store::KeyPresence;

use super::Observed;
use crate::link::Link;
use crate::page::stores::{key_word, scope_word};
use crate::state::State;
use crate::words::Words;

/// One certificate where it stands.
pub(crate) struct CertificateLine {
    pub(crate) name: String,
    pub(crate) chain: Link,
    pub(crate) issuer: String,
    pub(crate) whose: String,
    pub(crate) path: String,
    pub(crate) end: String,
    pub(crate) left: String,
    pub(crate) left_state: State,
    pub(crate) key: String,
    pub(crate) key_state: State,
    pub(crate) state: State,
    pub(crate) word: String,
    pub(crate) action: Option<(Link, String, bool)>,
}

pub(super) fn lines(observed: &Observed, w: Words, now: Timestamp) -> Vec<CertificateLine> {
    observed.installations.iter().map(|row| line(observed, row, w, now)).collect()
}

fn line(observed: &Observed, row: &InstallationRow, w: Words, now: Timestamp) -> CertificateLine {
    let InstallationRow { certificate, facts, location, key, .. } = row;
    let left_state = State::of_days(facts.not_after.days_from(now));
    let base = Link::to(format!("/hosts/{}", observed.host.id));
    let from_here = observed.issuer.as_ref().is_some_and(|issuer| facts.may_be_issued_by(issuer));
    let live = row.live_renewal.and_then(|id| observed.renewals.iter().find(|one| one.renewal.id == id));
    let (state, word, action) = if let Some(live) = live {
        let (state, word) = super::progress::state_and_word(&live.renewal.state, w);
        (state, word, Some((base.clone().at("renewals"), w.say("today.watch"), false)))
    } else if from_here && observed.host.state.gets_directives() {
        let renew = Link::to(format!("/hosts/{}/renew", observed.host.id)).with("certificate", certificate);
        let due = matches!(left_state, State::Now | State::Soon);
        let word = if due { w.say("certificate.renewable") } else { left_state.word(w) };
        (left_state, word, Some((renew, w.say("host.renew_now"), due)))
    } else if from_here {
        (State::Person, w.say("certificate.after_approval"), None)
    } else if *key == KeyPresence::Absent {
        (State::Soon, w.say("certificate.useless"), None)
    } else if left_state == State::Well {
        (State::Well, w.say("state.well"), None)
    } else {
        (State::Person, w.say("certificate.apply_at_issuer"), None)
    };
    CertificateLine {
        name: facts.common_name.clone(),
        chain: base.with("certificate", certificate).at("chain"),
        issuer: facts.issuer_common_name.clone(),
        whose: scope_word(&location.scope, w),
        path: location.path.clone(),
        end: w.date(facts.not_after),
        left: w.days_left(facts.not_after, now),
        left_state,
        key: key_word(*key, w),
        key_state: match key {
            KeyPresence::Present => State::Well,
            KeyPresence::Absent => State::Now,
            KeyPresence::NotExpected | KeyPresence::Unknown | KeyPresence::Unrecognized(_) => State::Unknown,
        },
        state,
        word,
        action,
    }
}
