//! Syncing: digest first, contents only where the server lacks them.
//!
//! ```text
//! Sync(digest) ──► lacks nothing: done, a few hundred bytes
//!              └─► lacks: Upload, until it lacks nothing of what was brought ──► Sync(report) ──► taken
//! ```
//! One code path serves a quiet minute, a restart, a changed store and a host that was offline for weeks. Every loop has an
//! end: a server that asks for more and more is left alone until the next time.

mod acknowledged;
mod observed;
mod upload;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use inkan_model::digest::SetDigest;
use inkan_model::directive::Directives;
use inkan_model::sync::{Lacks, SpoolPosition, SyncReport};
use inkan_model::{Clock, Timestamp};
use time::Duration;
use tracing::{debug, warn};

pub use self::acknowledged::{Acknowledged, NotKept};
pub use self::observed::Observed;
use crate::causes::with_causes;
use crate::ledger::LedgerError;
use crate::reconciler::{ReconcileError, Reconciler, Standing};
use crate::session::{Answered, Uplink, UplinkError};
use upload::plan_upload;

/// Syncs in a row, each of them because the one before led somewhere.
const ROUNDS: usize = 8;
/// Uploads between two Syncs.
const UPLOADS: usize = 5;

/// A Sync that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The agent's own disk failed.
    #[error("could not take note of the server's answer")]
    Journal(#[source] ReconcileError),
    /// A thread of the agent's own ended before its work was done.
    #[error("the agent's own work was cut off")]
    CutOff(#[source] tokio::task::JoinError),
    /// The server asks for more after everything was brought, or for something that is not there.
    #[error("the server still lacks something that this PC cannot bring")]
    NeverEnough,
    /// The server did not answer as it should.
    #[error(transparent)]
    Uplink(UplinkError),
}

/// What one Sync came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Synced {
    /// The server's clock.
    pub server_time: Timestamp,
    /// How far this PC's clock is ahead of the server's.
    pub clock_ahead: Duration,
    /// When to sync next, unless nudged before.
    pub next_sync: Duration,
    /// Whether the identity should be renewed now.
    pub renew_identity: bool,
    /// Whether directives came that were not known.
    pub directed: bool,
    /// Directives that came and were refused, in words.
    pub refused: Option<String>,
    /// Bytes of question and answer, where nothing had to be said.
    pub quiet_bytes: Option<u64>,
    /// Whether the server asked for something that is no longer there, so that a new scan would help.
    pub stale: bool,
}

/// Ledger, spool and renewer, shared between the loop and its blocking threads.
#[derive(Clone)]
pub struct Desk(Arc<Mutex<Reconciler>>);

impl Desk {
    /// Shares a reconciler.
    pub fn new(reconciler: Reconciler) -> Self {
        Self(Arc::new(Mutex::new(reconciler)))
    }

    /// Works with the reconciler on a thread that may block.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Reconciler) -> T + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        let shared = Arc::clone(&self.0);
        let locked = move || work(&mut shared.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(locked).await
    }
}

/// Tells the server what was observed and what came of its directives, and takes note of its answer.
pub struct Reporter {
    uplink: Arc<dyn Uplink>,
    desk: Desk,
    acknowledged: Acknowledged,
    clock: Arc<dyn Clock>,
    /// Whether directives were journaled that nobody has been told of. It outlives a Sync that fails after that, because
    /// the server does not send them again.
    directed: bool,
}

/// What one round of Uploads came to.
#[derive(Clone, Copy, Default)]
struct Brought {
    something: bool,
    /// Whether something that is asked for is no longer on this PC.
    gone: bool,
}

struct Noted {
    directed: bool,
    refused: Option<String>,
    pending: usize,
}

impl Reporter {
    /// Puts the parts together.
    pub fn new(uplink: Arc<dyn Uplink>, desk: Desk, acknowledged: Acknowledged, clock: Arc<dyn Clock>) -> Self {
        Self { uplink, desk, acknowledged, clock, directed: false }
    }

    /// Whether directives were journaled since this was asked last, by a Sync that failed afterwards.
    pub fn take_directed(&mut self) -> bool {
        std::mem::take(&mut self.directed)
    }

    /// Syncs until the server has everything.
    pub async fn sync(&mut self, observed: &Observed) -> Result<Synced, SyncError> {
        let mut with_report = self.acknowledged.state() != Some(observed.state);
        let mut stale = false;
        for round in 1..=ROUNDS {
            let standing = self.desk.work(|reconciler| reconciler.standing()).await.map_err(SyncError::CutOff)?;
            let spoke = with_report || !standing.entries.is_empty();
            let clock = self.clock.now();
            let Answered { answer, bytes } = self.ask(observed, standing, with_report, clock).await?;
            let quiet = !spoke && answer.lacks.is_nothing() && answer.directives.is_none();
            let noted = self.note(answer.acknowledged, answer.directives).await?;
            self.directed |= noted.directed;
            if answer.lacks.is_nothing() {
                self.keep(observed);
                if noted.pending > 0 && spoke && round < ROUNDS {
                    with_report = false;
                    continue;
                }
                return Ok(Synced {
                    server_time: answer.server_time,
                    clock_ahead: clock.since(answer.server_time),
                    next_sync: answer.next_sync,
                    renew_identity: answer.renew_identity,
                    directed: self.take_directed(),
                    refused: noted.refused,
                    quiet_bytes: quiet.then_some(bytes),
                    stale,
                });
            }
            let Brought { something, gone } = self.bring(answer.lacks, observed).await?;
            stale |= gone;
            if with_report && !something {
                break;
            }
            with_report = true;
        }
        Err(SyncError::NeverEnough)
    }

    async fn ask(
        &self,
        observed: &Observed,
        standing: Standing,
        with_report: bool,
        clock: Timestamp,
    ) -> Result<Answered, SyncError> {
        let Standing { epoch, entries, generation } = standing;
        let report = with_report.then(|| observed.report.clone());
        debug!(entries = entries.len(), with_report, "syncing");
        let asked = SyncReport { epoch, entries, state: observed.state, report, generation, clock };
        self.uplink.sync(asked).await.map_err(SyncError::Uplink)
    }

    /// Takes note of what is acknowledged and directed. Directives that are refused leave those before in force.
    async fn note(&self, acknowledged: SpoolPosition, directives: Option<Directives>) -> Result<Noted, SyncError> {
        let work = move |reconciler: &mut Reconciler| {
            reconciler.acknowledge(acknowledged)?;
            let accepted = directives.map_or(Ok(false), |directives| reconciler.accept(directives));
            let pending = reconciler.pending();
            match accepted {
                Ok(directed) => Ok(Noted { directed, refused: None, pending }),
                Err(LedgerError::Write { path, cause }) => {
                    Err(ReconcileError::Ledger(LedgerError::Write { path, cause }))
                }
                Err(refused) => {
                    let refused = with_causes(&refused);
                    warn!(why = refused, "refused directives");
                    Ok(Noted { directed: false, refused: Some(refused), pending })
                }
            }
        };
        self.desk.work(work).await.map_err(SyncError::CutOff)?.map_err(SyncError::Journal)
    }

    /// Uploads what the server lacks.
    async fn bring(&self, mut lacks: Lacks, observed: &Observed) -> Result<Brought, SyncError> {
        let mut sent: BTreeSet<SetDigest> = BTreeSet::new();
        let mut brought = Brought::default();
        for _ in 0..UPLOADS {
            let plan = plan_upload(&lacks, observed, &self.acknowledged, &sent);
            brought.gone |= plan.gone > 0;
            if plan.messages.is_empty() {
                break;
            }
            brought.something = true;
            debug!(sets = lacks.sets.len(), certificates = lacks.certificates.len(), "uploading");
            sent.extend(lacks.sets.iter().filter(|set| !plan.left.sets.contains(set)));
            let still = self.uplink.upload(plan.messages).await.map_err(SyncError::Uplink)?;
            lacks = plan.left;
            lacks.sets.extend(still.sets);
            lacks.certificates.extend(still.certificates);
            if lacks.sets.is_empty() && lacks.certificates.is_empty() {
                break;
            }
        }
        Ok(brought)
    }

    fn keep(&mut self, observed: &Observed) {
        if self.acknowledged.state() == Some(observed.state) {
            return;
        }
        if let Err(error) = self.acknowledged.record(observed) {
            warn!(why = with_causes(&error), "the next start reports in full");
        }
    }
}

#[cfg(test)]
mod tests;
