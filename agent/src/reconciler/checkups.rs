//! Checkups: each that the server waits for is made once, journaled, and told until the server has it.
//!
//! An examination only reads, so one that was cut off is begun again; one that was cut off twice is told as not made.

use inkan_model::checkup::{CheckResult, CheckupOutcome, bounded};
use inkan_model::directive::{CheckupDirective, Generation};
use inkan_model::programme::Programme;
use tracing::info;

use super::{ReconcileError, Reconciler};
use crate::ledger::{CheckupRecord, MOST_BEGUN};

/// Examines this PC.
pub trait Examiner: Send + Sync {
    /// Looks at everything that a programme depends on, or every PC. Blocks.
    fn examine(&self, programme: Option<&Programme>) -> Vec<CheckResult>;
}

impl Reconciler {
    /// Makes the checkups that are waited for, and forgets those that are over.
    pub(super) fn check_up(&mut self, wanted: &[CheckupDirective], under: Generation) -> Result<(), ReconcileError> {
        let listed: Vec<_> = wanted.iter().map(|directive| directive.checkup).collect();
        self.ledger.retain_checkups(&listed).map_err(ReconcileError::Ledger)?;
        for directive in wanted {
            let known = self.ledger.find_checkup(directive.checkup).cloned();
            let record = known.unwrap_or_else(|| CheckupRecord::new(directive.checkup));
            if record.outcome.is_none() {
                self.examine(directive, record, under)?;
            } else if !record.owed && record.told_under < under {
                // The server spoke anew and still waits: what it was told did not stay with it.
                let mut record = record;
                record.owe(under);
                self.put_checkup(record)?;
            }
        }
        Ok(())
    }

    fn examine(
        &mut self,
        directive: &CheckupDirective,
        mut record: CheckupRecord,
        under: Generation,
    ) -> Result<(), ReconcileError> {
        let Some(examiner) = self.examiner.clone() else { return Ok(()) };
        let results = if record.begun >= MOST_BEGUN {
            Vec::new()
        } else {
            record.begun += 1;
            self.put_checkup(record.clone())?;
            examiner.examine(directive.programme.as_ref())
        };
        info!(checkup = %directive.checkup, results = results.len(), "examined this PC");
        let (checkup, examined_at) = (directive.checkup, self.clock.now());
        record.outcome = Some(CheckupOutcome { checkup, examined_at, results: bounded(results) });
        record.owe(under);
        self.put_checkup(record)
    }

    fn put_checkup(&mut self, record: CheckupRecord) -> Result<(), ReconcileError> {
        self.ledger.put_checkups(vec![record]).map_err(ReconcileError::Ledger)
    }
}

#[cfg(test)]
mod tests;
