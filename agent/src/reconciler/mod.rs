//! The reconciler: brings the PC to what the directives want, one journaled step at a time.
//!
//! ```text
//! plan_step ──► journal that it begins ──► carry it out ──► journal the stage and what is owed ──► spool what is owed
//! ```
//! The agent may be killed at any arrow. Steps are idempotent and the journal changes only after the disk has, so the same
//! plan comes out again and finds what was done. The order of the last two arrows is what lets the spool be lost: an
//! outcome stays owed in the ledger until the server has committed it.
//!
//! Everything here blocks and nothing knows a network; the caller gives it a thread.

mod checkups;
mod notices;
mod plan;

use std::sync::Arc;

use inkan_model::directive::{Directives, Generation, RenewalDirective};
use inkan_model::limits::{self, tame_text};
use inkan_model::renewal::{Outcome, OutcomeResult};
use inkan_model::sync::{SpoolEntry, SpoolPosition, Told};
use inkan_model::{Clock, Timestamp};
use tracing::{info, warn};

pub use self::checkups::Examiner;
pub use self::plan::{CleanUp, RETRY_AFTER, Step, plan_clean_up, plan_retelling, plan_step, retry_at};
use crate::causes::with_causes;
use crate::ledger::{FailedStep, Ledger, LedgerError, RenewalRecord};
use crate::notice::{Nobody, Notice, Notifier};
use crate::renewer::{Renewer, StepError};
use crate::spool::{Spool, SpoolError};

/// Steps that one renewal can take in a row, and one more to see that there is none left.
const STEPS: usize = 5;

/// Reconciling that could not go on, because the agent's own disk failed.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// What is done cannot be journaled.
    #[error("could not journal")]
    Ledger(#[source] LedgerError),
    /// What is done cannot be spooled. It stays owed.
    #[error("could not spool an outcome")]
    Spool(#[source] SpoolError),
}

/// What reconciling did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Reconciled {
    /// Whether a store of the PC may look different now.
    pub changed_stores: bool,
    /// Steps that failed.
    pub failures: usize,
    /// When a step that failed is to be tried again.
    pub retry_at: Option<Timestamp>,
}

/// What a Sync says about directives and outcomes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Standing {
    /// Epoch of the spool.
    pub epoch: u64,
    /// The oldest entries that are not acknowledged.
    pub entries: Vec<SpoolEntry>,
    /// The newest generation that is journaled.
    pub generation: Generation,
}

/// Ledger, spool and renewer, working together.
pub struct Reconciler {
    ledger: Ledger,
    spool: Spool,
    renewer: Renewer,
    clock: Arc<dyn Clock>,
    notifier: Arc<dyn Notifier>,
    examiner: Option<Arc<dyn Examiner>>,
}

impl Reconciler {
    /// Puts the parts together.
    pub fn new(ledger: Ledger, spool: Spool, renewer: Renewer, clock: Arc<dyn Clock>) -> Self {
        Self { ledger, spool, renewer, clock, notifier: Arc::new(Nobody), examiner: None }
    }

    /// Tells the person at the PC through this what happens to certificates.
    #[must_use]
    pub fn with_notifier(self, notifier: Arc<dyn Notifier>) -> Self {
        Self { notifier, ..self }
    }

    /// Makes checkups by this examiner. Without one they wait.
    #[must_use]
    pub fn with_examiner(self, examiner: Arc<dyn Examiner>) -> Self {
        Self { examiner: Some(examiner), ..self }
    }

    /// What the next Sync has to say.
    pub fn standing(&self) -> Standing {
        Standing { epoch: self.spool.epoch(), entries: self.spool.oldest(), generation: self.ledger.generation() }
    }

    /// Outcomes that the server has not acknowledged.
    pub fn pending(&self) -> usize {
        self.spool.pending()
    }

    /// Journals directives; `false` when they are known.
    pub fn accept(&mut self, directives: Directives) -> Result<bool, LedgerError> {
        let generation = directives.generation;
        let accepted = self.ledger.accept(directives)?;
        if accepted {
            info!(generation = generation.0, "journaled directives");
        }
        Ok(accepted)
    }

    /// Takes note of what the server has committed. A server that knows more than this spool has seen another spool of
    /// this host: a new epoch begins after that one, and what is owed is spooled again.
    pub fn acknowledge(&mut self, position: SpoolPosition) -> Result<(), ReconcileError> {
        let last = self.spool.last();
        if position > last {
            warn!(epoch = position.epoch, sequence = position.sequence, "the server knows a later spool of this host");
            self.spool.begin_after(position.epoch).map_err(ReconcileError::Spool)?;
            return self.spool_what_is_owed();
        }
        self.spool.acknowledge(position).map_err(ReconcileError::Spool)?;
        self.ledger.settle(self.spool.acknowledged()).map_err(ReconcileError::Ledger)
    }

    /// Brings every renewal as far as it can come now.
    pub fn reconcile(&mut self) -> Result<Reconciled, ReconcileError> {
        let mut done = Reconciled::default();
        self.clean_up(&mut done)?;
        let Directives { generation, renewals, checkups } = self.ledger.directives().clone();
        for directive in &renewals {
            self.advance(directive, generation, &mut done)?;
        }
        // What renewals came to is on its way before an examination, which takes its time, begins.
        self.spool_what_is_owed()?;
        self.check_up(&checkups, generation)?;
        self.spool_what_is_owed()?;
        let failures = self.ledger.records().iter().filter_map(|record| record.failure.as_ref());
        done.retry_at = failures.filter_map(|failure| retry_at(failure, generation)).min();
        Ok(done)
    }

    fn advance(
        &mut self,
        directive: &RenewalDirective,
        generation: Generation,
        done: &mut Reconciled,
    ) -> Result<(), ReconcileError> {
        for _ in 0..STEPS {
            let now = self.clock.now();
            let known = self.ledger.find_record(directive.renewal).cloned();
            let mut record = known.unwrap_or_else(|| RenewalRecord::new(directive));
            let Some(step) = plan_step(directive, &record, generation, now) else {
                return self.tell_again(directive, record, generation);
            };
            record.begun = Some(step.name());
            self.put(record.clone())?;
            let carried_out = if (&record.location, record.old) == (&directive.location, directive.old) {
                self.renewer.carry_out(step, directive)
            } else {
                Err(StepError::OtherCertificate)
            };
            done.changed_stores |= matches!(step, Step::Install | Step::ArchiveOld);
            record.begun = None;
            record.told_under = generation;
            match carried_out {
                Ok(stage) => {
                    info!(renewal = %record.renewal, ?step, "took a step of a renewal");
                    record.stage = stage;
                    record.failure = None;
                    self.notify(notices::after_step(&record));
                    if let Some(result) = record.told().pop() {
                        record.owe(result, self.clock.now());
                    }
                }
                Err(error) => {
                    done.failures += 1;
                    self.note_failure(&mut record, step, &error, generation);
                }
            }
            self.put(record)?;
        }
        Ok(())
    }

    fn note_failure(&self, record: &mut RenewalRecord, step: Step, error: &StepError, generation: Generation) {
        let (why, retry, at) = (with_causes(error), error.may_pass(), self.clock.now());
        warn!(renewal = %record.renewal, ?step, retry, "a step of a renewal failed");
        self.notify(notices::after_failure(record, error));
        tracing::debug!(renewal = %record.renewal, why, "why the step failed");
        record.failure = Some(FailedStep { step: step.name(), at, under: generation, retry });
        let why = tame_text(&why, limits::LONG_TEXT);
        record.owe(OutcomeResult::Failed { step: step.name(), why, retry }, at);
    }

    fn tell_again(
        &mut self,
        directive: &RenewalDirective,
        mut record: RenewalRecord,
        generation: Generation,
    ) -> Result<(), ReconcileError> {
        if !plan_retelling(directive, &record, generation) {
            return Ok(());
        }
        record.told_under = generation;
        for result in record.told() {
            record.owe(result, self.clock.now());
        }
        self.put(record)
    }

    /// Takes back what was made for renewals that are no longer listed. What fails stays journaled and is tried again.
    fn clean_up(&mut self, done: &mut Reconciled) -> Result<(), ReconcileError> {
        let listed: Vec<_> = self.ledger.directives().renewals.iter().map(|directive| directive.renewal).collect();
        let over: Vec<_> =
            self.ledger.records().iter().filter(|record| !listed.contains(&record.renewal)).cloned().collect();
        for record in over {
            let plan = plan_clean_up(&record);
            match self.renewer.clean_up(plan, &record.slot()) {
                Ok(()) => {
                    done.changed_stores |= plan != CleanUp::Forget;
                    self.ledger.remove_record(record.renewal).map_err(ReconcileError::Ledger)?;
                    info!(renewal = %record.renewal, ?plan, "closed a renewal's journal");
                }
                Err(error) => {
                    done.failures += 1;
                    warn!(renewal = %record.renewal, ?plan, "could not clean up after a renewal");
                    tracing::debug!(renewal = %record.renewal, why = with_causes(&error), "why it failed");
                    let (step, at, under) =
                        (inkan_model::renewal::RenewalStep::Install, self.clock.now(), self.ledger.generation());
                    let failure = Some(FailedStep { step, at, under, retry: true });
                    self.put(RenewalRecord { failure, ..record })?;
                }
            }
        }
        Ok(())
    }

    /// Spools each outcome that is owed and is not in the spool. Where it is going to stand is journaled first, so that
    /// after a crash it is known whether it got there.
    fn spool_what_is_owed(&mut self) -> Result<(), ReconcileError> {
        self.ledger.settle(self.spool.acknowledged()).map_err(ReconcileError::Ledger)?;
        let last = self.spool.last();
        let mut sequence = last.sequence;
        let mut records = self.ledger.records().to_vec();
        let mut appended = Vec::new();
        for record in &mut records {
            for owed in &mut record.owed {
                let is_spooled =
                    owed.position().is_some_and(|at| at.epoch == last.epoch && at.sequence <= last.sequence);
                if !is_spooled {
                    sequence += 1;
                    owed.spooled = Some((last.epoch, sequence));
                    let outcome = Outcome { renewal: record.renewal, result: owed.result.clone() };
                    appended.push((Told::Renewal(outcome), owed.at));
                }
            }
        }
        let mut checkups = self.ledger.checkups().to_vec();
        for record in &mut checkups {
            if let Some((outcome, at)) = record.unspooled(last) {
                sequence += 1;
                record.spooled = Some((last.epoch, sequence));
                appended.push((Told::Checkup(outcome), at));
            }
        }
        if appended.is_empty() {
            return Ok(());
        }
        self.ledger.put_records(records).map_err(ReconcileError::Ledger)?;
        self.ledger.put_checkups(checkups).map_err(ReconcileError::Ledger)?;
        for (told, at) in appended {
            self.spool.append(told, at).map_err(ReconcileError::Spool)?;
        }
        Ok(())
    }

    fn notify(&self, notice: Option<Notice>) {
        if let Some(notice) = notice {
            self.notifier.show(&notice);
        }
    }

    fn put(&mut self, record: RenewalRecord) -> Result<(), ReconcileError> {
        self.ledger.put_record(record).map_err(ReconcileError::Ledger)
    }
}

#[cfg(test)]
mod tests;
