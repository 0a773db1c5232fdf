//! What a PC's doctor was asked, and what it found: the form that asks, and the part that changes while one looks.

use axum::extract::{Path, State as Extract};
use axum::response::{IntoResponse as _, Redirect, Response};
use inkan_core::Core;
use inkan_core::checkups::HostCheckups;
use inkan_model::checkup::{self, CheckResult, CheckStatus, Checkup};
use inkan_model::{HostId, Timestamp};

use crate::Site;
use crate::door::SignedForm;
use crate::fault::Fault;
use crate::link::Link;
use crate::page::{Choice, parse};
use crate::state::State;
use crate::words::Words;

/// One statement of the doctor.
pub(crate) struct CheckLine {
    pub(crate) state: State,
    pub(crate) title: String,
    pub(crate) statement: String,
    pub(crate) remedy: Option<String>,
}

/// The newest answer.
pub(crate) struct CheckupSeen {
    /// For which system.
    pub(crate) what: String,
    pub(crate) when: String,
    pub(crate) exactly: String,
    pub(crate) state: State,
    pub(crate) word: String,
    /// What there is to do or to know, worst first.
    pub(crate) lines: Vec<CheckLine>,
    /// What is well.
    pub(crate) well: Vec<CheckLine>,
    pub(crate) well_count: String,
}

/// The part of the page that changes.
pub(crate) struct CheckupView {
    /// What waits, a sentence each.
    pub(crate) waiting: Vec<String>,
    pub(crate) last: Option<CheckupSeen>,
}

pub(super) const fn state_of(status: CheckStatus) -> State {
    match status {
        CheckStatus::Now => State::Now,
        CheckStatus::Soon => State::Soon,
        CheckStatus::Unknown | CheckStatus::Unrecognized(_) => State::Unknown,
        CheckStatus::Well => State::Well,
    }
}

fn what(checkup: &Checkup, w: Words) -> String {
    checkup.programme.as_ref().map_or_else(|| w.say("checkup.general"), |programme| w.of(&programme.names))
}

impl CheckupView {
    /// `is_connected` says whether the PC was heard of lately.
    pub(super) fn of(found: &HostCheckups, is_connected: bool, w: Words, now: Timestamp) -> Self {
        let key = if is_connected { "checkup.waiting" } else { "checkup.waiting_silent" };
        let waits = |checkup: &Checkup| w.fill2(key, what(checkup, w), w.ago(checkup.requested_at, now));
        Self {
            waiting: found.waiting.iter().map(waits).collect(),
            last: found.last.as_ref().and_then(|checkup| CheckupSeen::of(checkup, w, now)),
        }
    }
}

impl CheckupSeen {
    fn of(checkup: &Checkup, w: Words, now: Timestamp) -> Option<Self> {
        let finding = checkup.finding.as_ref()?;
        let line = |result: &CheckResult| CheckLine {
            state: state_of(result.status),
            title: w.of(&result.name.title()),
            statement: w.of(&result.statement),
            remedy: result.remedy.as_ref().map(|remedy| w.of(remedy)),
        };
        let is_well = |result: &&CheckResult| result.status == CheckStatus::Well;
        let mut open: Vec<_> = finding.results.iter().filter(|result| !is_well(result)).collect();
        open.sort_by_key(|result| std::cmp::Reverse(result.status));
        let well: Vec<_> = finding.results.iter().filter(is_well).map(line).collect();
        let state = state_of(checkup::worst(&finding.results));
        let word = match (finding.results.len(), state) {
            (0, _) => w.say("checkup.not_made"),
            (_, State::Well) => w.say("checkup.all_well"),
            (_, State::Unknown) => w.say("checkup.partly_unknown"),
            _ => {
                let to_do = |result: &&&CheckResult| matches!(result.status, CheckStatus::Now | CheckStatus::Soon);
                w.count("checkup.to_do", open.iter().filter(to_do).count() as u64)
            }
        };
        Some(Self {
            what: what(checkup, w),
            when: w.ago(finding.received_at, now),
            exactly: w.date_time(finding.received_at),
            state,
            word,
            lines: open.into_iter().map(line).collect(),
            well_count: w.count("checkup.well", well.len() as u64),
            well,
        })
    }
}

/// The systems that a PC can be examined for.
pub(super) fn choices(core: &Core, w: Words) -> Vec<Choice> {
    let choice = |programme: &inkan_model::programme::Programme| Choice {
        value: programme.id.to_string(),
        word: w.of(&programme.names),
        chosen: false,
    };
    core.programmes().iter().map(choice).collect()
}

/// Asks the PC's doctor.
pub(crate) async fn request(
    Extract(site): Extract<Site>,
    Path(host): Path<String>,
    form: SignedForm,
) -> Result<Response, Fault> {
    let SignedForm { by, fields } = form;
    let host: HostId = parse(&host)?;
    let programme = fields.text("programme").filter(|programme| !programme.is_empty());
    site.core().request_checkup(&by.operator, host, programme).await?;
    Ok(Redirect::to(&Link::to(format!("/hosts/{host}")).at("checkup").to_string()).into_response())
}
