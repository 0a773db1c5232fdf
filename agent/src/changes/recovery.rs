//! What a start, or a command, does first: finish or take back what was cut off.

use std::time::Duration;

use inkan_trust_store::ChangeError;
use tracing::{debug, info, warn};

use super::place::{Place, Step};
use super::plan::{Recovery, Restoration, plan_recovery, was_made};
use super::record::{Because, ChangeRecord, ChangeState};
use super::{Changes, ChangesError, Done, Ground, JournalError, read};
use crate::causes::with_causes;

/// What became of a change that was cut off.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settled {
    /// The change as it is journaled now.
    pub record: ChangeRecord,
    /// What keeps it from being settled, where something does. It is tried again.
    pub stuck: Option<String>,
}

/// Finishes or takes back what was cut off, where there is anything. Does not wait for a command that is changing stores:
/// that one does the same. Failures are logged, because an agent with a store that is stuck is better than none.
pub fn recover(ground: Ground<'_>) {
    match read(ground.data_dir) {
        Ok((records, None)) if !records.iter().any(|record| record.state.is_unfinished()) => return,
        // What is wrong with it is said below.
        Ok(_) | Err(_) => {}
    }
    match Changes::open(ground, Duration::ZERO) {
        Ok((_, settled)) => {
            for Settled { record, stuck } in settled {
                match stuck {
                    None => info!(change = %record.id, "settled a change that was cut off"),
                    Some(why) => warn!(change = %record.id, why, "a change that was cut off cannot be settled yet"),
                }
            }
        }
        Err(ChangesError::Journal(JournalError::Busy)) => debug!("a command is changing stores"),
        Err(error) => warn!(why = with_causes(&error), "could not recover changes"),
    }
}

impl Changes<'_> {
    pub(super) fn settle_all(&mut self) -> Result<Vec<Settled>, ChangesError> {
        let mut settled = Vec::new();
        for recovery in plan_recovery(self.journal.records()) {
            match recovery {
                Recovery::Settle(record) => settled.push(self.settle(record)?),
                Recovery::TakeBack(restoration) => settled.extend(self.take_back(&restoration)?),
                Recovery::Close(record) => settled.extend(self.close(record)?),
            }
        }
        Ok(settled)
    }

    fn settle(&mut self, record: ChangeRecord) -> Result<Settled, ChangesError> {
        let id = record.id;
        let Some(place) = Place::find(self.ground.stores, &record.location) else {
            return Ok(Settled { record, stuck: Some("the place is not there now".to_owned()) });
        };
        let standing = match place.standing(record.certificate, record.deed.is_about_anchor()) {
            Ok(standing) => standing,
            Err(error) => return Ok(Settled { record, stuck: Some(with_causes(&error)) }),
        };
        let outcome = match was_made(&record.deed, &standing) {
            // Made again, a step finishes what it had only begun. A key is not at hand any more.
            Some(true) if record.deed.is_about_anchor() => self.carry_out(record, &place, None),
            Some(true) => self.finish(record, &place, Step::default()),
            Some(false) => {
                let why = "the agent was stopped before it was done".to_owned();
                Err(self.give_up(record, &place, ChangeError::Crypto { what: why })?)
            }
            None => {
                let why = "it cannot be told whether the key is there".to_owned();
                return Ok(Settled { record, stuck: Some(why) });
            }
        };
        let stuck = match outcome {
            Ok(Done::AlreadySo | Done::Made { .. }) => None,
            Err(ChangesError::Store { stuck, .. }) => stuck,
            Err(error @ (ChangesError::Journal(_) | ChangesError::Refused(_))) => return Err(error),
        };
        let record = self.journal.records().iter().find(|record| record.id == id).cloned();
        record.map(|record| Settled { record, stuck }).ok_or(ChangesError::Journal(JournalError::Lost { change: id }))
    }

    fn close(&mut self, record: ChangeRecord) -> Result<Option<Settled>, JournalError> {
        match record.state.clone() {
            ChangeState::Undoing { because, .. } => {
                let record = self.journal_as(record, because.ends_in())?;
                Ok(Some(Settled { record, stuck: None }))
            }
            _ => Ok(None),
        }
    }

    /// Brings one place back to what it was, and journals it for each of the changes. A place that cannot be brought back
    /// now stays journaled, and the others are not kept from it.
    pub(super) fn take_back(&mut self, restoration: &Restoration) -> Result<Vec<Settled>, JournalError> {
        let Restoration { location, certificate, original, changes } = restoration;
        let undoing = |record: &ChangeRecord, stuck: Option<String>| {
            let because = match &record.state {
                ChangeState::Undoing { because, .. } => because.clone(),
                _ => Because::Restore,
            };
            ChangeState::Undoing { because, stuck }
        };
        self.journal_all(changes, |record| undoing(record, None))?;
        let brought_back = match Place::find(self.ground.stores, location) {
            Some(place) => place.bring_back(original, *certificate).map_err(|error| with_causes(&error)),
            None => Err("the place is not there now; its user may be logged off".to_owned()),
        };
        let stuck = brought_back.err();
        self.journal_all(changes, |record| match (&stuck, &record.state) {
            (None, ChangeState::Undoing { because, .. }) => because.clone().ends_in(),
            _ => undoing(record, stuck.clone()),
        })?;
        let of = |record: &&ChangeRecord| changes.contains(&record.id);
        let records = self.journal.records().iter().filter(of).cloned();
        Ok(records.map(|record| Settled { record, stuck: stuck.clone() }).collect())
    }

    fn journal_all(
        &mut self,
        changes: &[inkan_model::id::ChangeId],
        next: impl Fn(&ChangeRecord) -> ChangeState,
    ) -> Result<(), JournalError> {
        let state_at = self.ground.clock.now();
        let moved = |record: &ChangeRecord| ChangeRecord { state: next(record), state_at, ..record.clone() };
        let records = self.journal.records().iter().filter(|record| changes.contains(&record.id)).map(moved).collect();
        self.journal.put(records)
    }
}
