//! How far one checkup has come on this PC.

use inkan_model::checkup::CheckupOutcome;
use inkan_model::directive::Generation;
use inkan_model::sync::SpoolPosition;
use inkan_model::{CheckupId, Timestamp};
use serde::{Deserialize, Serialize};

/// Examinations of one checkup that are begun. One that never comes to its end is told as such, so that whatever ends the
/// agent in it does not do so for ever.
pub const MOST_BEGUN: u8 = 2;

/// One checkup's journal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CheckupRecord {
    /// Which checkup.
    pub checkup: CheckupId,
    /// How often the examination was begun.
    pub begun: u8,
    /// What was found.
    pub outcome: Option<CheckupOutcome>,
    /// The generation under which the server was told last.
    pub told_under: Generation,
    /// Whether the server has still to be told.
    pub owed: bool,
    /// Epoch and sequence under which it is spooled, or was about to be.
    pub spooled: Option<(u64, u64)>,
}

impl CheckupRecord {
    /// A checkup of which nothing is done.
    pub const fn new(checkup: CheckupId) -> Self {
        Self { checkup, begun: 0, outcome: None, told_under: Generation(0), owed: false, spooled: None }
    }

    /// Owes the server what was found.
    pub fn owe(&mut self, under: Generation) {
        self.owed = true;
        self.spooled = None;
        self.told_under = under;
    }

    /// What has to be spooled still, where the last entry of the spool is this one.
    pub fn unspooled(&self, last: SpoolPosition) -> Option<(CheckupOutcome, Timestamp)> {
        let is_spooled = self.spooled.is_some_and(|(epoch, sequence)| epoch == last.epoch && sequence <= last.sequence);
        let outcome = self.outcome.as_ref().filter(|_| self.owed && !is_spooled)?;
        Some((outcome.clone(), outcome.examined_at))
    }

    /// Takes note of what the server has acknowledged.
    pub fn settle(&mut self, acknowledged: SpoolPosition) {
        let covers = |(epoch, sequence): (u64, u64)| epoch == acknowledged.epoch && sequence <= acknowledged.sequence;
        if self.spooled.is_some_and(covers) {
            self.owed = false;
            self.spooled = None;
        }
    }
}
