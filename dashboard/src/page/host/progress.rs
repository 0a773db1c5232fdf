//! A renewal as a row of steps: what is done, what is under way, what is still to come.

use inkan_core::ports::RenewalRow;
use inkan_model::renewal::{PersonTask, RenewalState, RenewalStep};
use inkan_model::{RenewalId, Timestamp};

use crate::state::State;
use crate::words::Words;

/// One step.
pub(crate) struct Step {
    pub(crate) word: String,
    /// `done`, `here`, `stuck` or `ahead`.
    pub(crate) class: &'static str,
    pub(crate) here: bool,
    /// How it is, for those who do not see the colour.
    pub(crate) said: String,
}

/// One renewal on its way.
pub(crate) struct Progress {
    pub(crate) id: RenewalId,
    pub(crate) name: String,
    pub(crate) state: State,
    pub(crate) word: String,
    pub(crate) since: String,
    /// Why it waits, where it does.
    pub(crate) why: Option<String>,
    pub(crate) steps: Vec<Step>,
    pub(crate) can_abandon: bool,
}

const STEPS: [&str; 7] = [
    "renewal.planned",
    "renewal.directed",
    "renewal.requested",
    "renewal.issued",
    "renewal.installed",
    "renewal.proven",
    "renewal.closed",
];

impl Progress {
    pub(crate) fn of(row: &RenewalRow, w: Words, now: Timestamp) -> Self {
        let state = &row.renewal.state;
        let (shown, word) = state_and_word(state, w);
        Self {
            id: row.renewal.id,
            name: row.certificate_name.clone().unwrap_or_else(|| row.renewal.old.short()),
            state: shown,
            word,
            since: w.ago(row.updated_at, now),
            why: why(state, w, now),
            steps: steps(state, w),
            can_abandon: !state.is_over() && !matches!(state, RenewalState::Proven { .. }),
        }
    }
}

fn steps(state: &RenewalState, w: Words) -> Vec<Step> {
    let (reached, stuck) = match state {
        RenewalState::Failed { resume, .. } => (resume.progress(), true),
        RenewalState::NeedsPerson { .. } | RenewalState::Abandoned { .. } => (None, true),
        moving => (moving.progress(), false),
    };
    let Some(reached) = reached.map(usize::from) else { return Vec::new() };
    let closed = STEPS.len() - 1;
    let step = |(at, word): (usize, &&str)| {
        // The state names what was reached; the step after it is the one under way.
        let (class, said) = if at <= reached {
            ("done", "progress.done")
        } else if at == reached + 1 && reached < closed {
            if stuck { ("stuck", "progress.stuck") } else { ("here", "progress.here") }
        } else {
            ("ahead", "progress.ahead")
        };
        Step { word: w.say(word), class, here: matches!(class, "here" | "stuck"), said: w.say(said) }
    };
    STEPS.iter().enumerate().map(step).collect()
}

/// A renewal's state, as icon and word.
pub(crate) fn state_and_word(state: &RenewalState, w: Words) -> (State, String) {
    match state {
        RenewalState::Planned { .. } => (State::Soon, w.say("renewal.planned")),
        RenewalState::Directed { .. } => (State::Soon, w.say("renewal.directed")),
        RenewalState::Requested { .. } => (State::Soon, w.say("renewal.requested")),
        RenewalState::Issued { .. } => (State::Soon, w.say("renewal.issued")),
        RenewalState::Installed { .. } => (State::Soon, w.say("renewal.installed")),
        RenewalState::Proven { .. } => (State::Soon, w.say("renewal.proven")),
        RenewalState::Closed { .. } => (State::Well, w.say("renewal.closed")),
        RenewalState::NeedsPerson { .. } => (State::Person, w.say("renewal.needs_person")),
        RenewalState::Failed { .. } => (State::Now, w.say("renewal.failed")),
        RenewalState::Abandoned { .. } => (State::Unknown, w.say("renewal.abandoned")),
    }
}

/// A state's name, as the timeline has it, in words.
pub(crate) fn word_of_name(name: &str, w: Words) -> (State, String) {
    match name {
        "planned" => (State::Soon, w.say("renewal.planned")),
        "directed" => (State::Soon, w.say("renewal.directed")),
        "requested" => (State::Soon, w.say("renewal.requested")),
        "issued" => (State::Soon, w.say("renewal.issued")),
        "installed" => (State::Soon, w.say("renewal.installed")),
        "proven" => (State::Soon, w.say("renewal.proven")),
        "closed" => (State::Well, w.say("renewal.closed")),
        "needs_person" => (State::Person, w.say("renewal.needs_person")),
        "failed" => (State::Now, w.say("renewal.failed")),
        "abandoned" => (State::Unknown, w.say("renewal.abandoned")),
        other => (State::Unknown, other.to_owned()),
    }
}

pub(crate) fn why(state: &RenewalState, w: Words, now: Timestamp) -> Option<String> {
    match state {
        RenewalState::NeedsPerson { what, .. } => Some(match what {
            PersonTask::IssuerUnreachable { issuer } => w.fill("renewal.task_issuer", issuer),
            PersonTask::StepRefused { why, .. } => w.fill("renewal.task_refused", why),
            PersonTask::RepeatedFailure { why } => w.fill("renewal.task_repeated", why),
        }),
        RenewalState::Failed { step, why, retry_at, .. } => {
            let what = w.fill2("renewal.failed_at", step_word(*step, w), why);
            Some(format!("{what} {}", w.fill("renewal.retry", w.ago(*retry_at, now))))
        }
        RenewalState::Abandoned { why, .. } => Some(why.clone()),
        RenewalState::Directed { .. } => Some(w.say("renewal.waits_for_host")),
        _ => None,
    }
}

fn step_word(step: RenewalStep, w: Words) -> String {
    match step {
        RenewalStep::Request => w.say("step.request"),
        RenewalStep::Issue => w.say("step.issue"),
        RenewalStep::Install => w.say("step.install"),
        RenewalStep::Prove => w.say("step.prove"),
        RenewalStep::ArchiveOld => w.say("step.archive"),
        RenewalStep::Unrecognized(number) => w.fill("step.unrecognized", number),
    }
}

#[cfg(test)]
mod tests {
    use inkan_model::directive::Generation;
    use inkan_model::locale::Locale;

    use super::*;

    fn classes(state: &RenewalState) -> Vec<&'static str> {
        steps(state, Words(Locale::Ja)).iter().map(|step| step.class).collect()
    }

    #[test]
    fn the_step_after_the_one_reached_is_under_way() {
        let at = Timestamp::default();
        let directed = RenewalState::Directed { at, generation: Generation(1) };
        assert_eq!(classes(&directed), ["done", "done", "here", "ahead", "ahead", "ahead", "ahead"]);
        let failed = RenewalState::Failed {
            at,
            step: RenewalStep::Request,
            why: "disk full".to_owned(),
            retry_at: at,
            resume: Box::new(directed),
        };
        assert_eq!(classes(&failed)[2], "stuck");
        let asked = RenewalState::NeedsPerson { at, what: PersonTask::RepeatedFailure { why: String::new() } };
        assert!(classes(&asked).is_empty());
    }
}
