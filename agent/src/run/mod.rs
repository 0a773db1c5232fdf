//! The loop of a running agent: scan, reconcile, sync, each when it is due, for as long as the PC is on.
//!
//! ```text
//! scan      each interval, and after a step changed a store      → sync, when something is different
//! reconcile at the start, after directives came, after a failure → sync, when something is owed
//! sync      when the server said so, when nudged, when told above; with growing pauses while the server is away
//! ```
//! The loop never ends by an error: whatever fails is written to the status and tried again later, because nobody sits in
//! front of this PC who would start it anew. Only the loop decides when; what to do is decided elsewhere.

mod backoff;
mod keeper;
mod schedule;
mod signals;
mod watcher;

use std::sync::Arc;
use std::time::Duration;

use inkan_model::directive::Generation;
use inkan_model::{Clock, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use self::backoff::Backoff;
pub use self::keeper::{IdentityKeeper, KeeperError};
use self::schedule::Schedule;
pub use self::signals::stop_signal;
use self::watcher::Watcher;
use crate::causes::with_causes;
use crate::chance::Chance;
use crate::session::{Uplink, UplinkError};
use crate::status::StatusBoard;
use crate::sync::{Desk, Observed, Reporter, SyncError, Synced};

/// The server says when to sync next, but not more or less often than this.
const NEXT_SYNC: std::ops::RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_hours(24);
/// How long reconciling is left alone after the agent's own disk failed.
const DISK_RETRY: Duration = Duration::from_mins(1);

/// Looks at the PC.
pub trait Observer: Send + Sync {
    /// Reads every store and the facts. Blocks.
    fn observe(&self) -> Observed;
}

/// A running agent.
pub struct Agent {
    /// Looks at the PC.
    pub observer: Arc<dyn Observer>,
    /// How long after one scan the next begins.
    pub scan_interval: Duration,
    /// The way to the server.
    pub uplink: Arc<dyn Uplink>,
    /// Ledger, spool and renewer.
    pub desk: Desk,
    /// Tells the server.
    pub reporter: Reporter,
    /// Keeps the identity.
    pub keeper: IdentityKeeper,
    /// Shows how it goes.
    pub status: StatusBoard,
    /// The PC's clock.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Chance>,
}

impl Agent {
    /// Works until `stop` comes to its end.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (nudges, mut waiting) = watch::channel(Generation::default());
        let mut running = Running {
            schedule: Schedule::new(Instant::now()),
            observed: None,
            backoff: Backoff::default(),
            watcher: None,
            nudges,
            agent: self,
        };
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                Ok(()) = waiting.changed() => {
                    running.note_nudge(*waiting.borrow_and_update());
                    continue;
                }
                () = tokio::time::sleep_until(running.schedule.next()) => {}
            }
            // A nudge waits until the work is done; only the end interrupts it, which every step survives.
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = running.work() => {}
            }
        }
        if let Some(watcher) = running.watcher {
            watcher.stop().await;
        }
        info!("stopped");
    }
}

/// What the loop remembers.
struct Running {
    agent: Agent,
    schedule: Schedule,
    observed: Option<Arc<Observed>>,
    backoff: Backoff,
    watcher: Option<Watcher>,
    nudges: watch::Sender<Generation>,
}

impl Running {
    /// A generation that is journaled already is no news, and 0 is only a sign of life.
    fn note_nudge(&mut self, generation: Generation) {
        if generation.0 != 0 && generation.0 != self.agent.status.status().generation {
            self.schedule.sync_soon(Instant::now());
        }
    }

    /// Does all that is due.
    async fn work(&mut self) {
        if self.schedule.scan <= Instant::now() {
            self.scan().await;
        }
        if self.schedule.reconcile.is_some_and(|due| due <= Instant::now()) {
            self.reconcile().await;
        }
        // What a step has just changed in a store is told together with the step.
        if self.schedule.sync <= Instant::now() && self.schedule.scan > Instant::now() {
            self.sync().await;
        }
    }

    async fn scan(&mut self) {
        let observer = Arc::clone(&self.agent.observer);
        let scanned = tokio::task::spawn_blocking(move || observer.observe()).await;
        let now = Instant::now();
        self.schedule.scan = now + self.agent.scan_interval;
        match scanned {
            Ok(seen) => {
                let before = self.observed.as_ref().map(|before| before.state);
                debug!(state = %seen.state, "scanned");
                self.agent.status.update(|status| status.scanned(&seen));
                if before != Some(seen.state) {
                    self.schedule.sync_now(now);
                }
                self.observed = Some(Arc::new(seen));
            }
            Err(error) => self.note_trouble("could not scan", &error),
        }
    }

    async fn reconcile(&mut self) {
        let done = self.agent.desk.work(|reconciler| (reconciler.reconcile(), reconciler.pending())).await;
        let now = Instant::now();
        match done {
            Ok((Ok(done), pending)) => {
                self.schedule.reconcile = done.retry_at.map(|at| now + until(at, self.agent.clock.now()));
                if done.changed_stores {
                    self.schedule.scan_now(now);
                }
                if pending > 0 {
                    self.schedule.sync_now(now);
                }
                self.agent.status.update(|status| status.outcomes_waiting = pending);
            }
            Ok((Err(error), _)) => {
                self.schedule.reconcile = Some(now + DISK_RETRY);
                self.note_trouble("could not reconcile", &error);
            }
            Err(error) => {
                self.schedule.reconcile = Some(now + DISK_RETRY);
                self.note_trouble("could not reconcile", &error);
            }
        }
    }

    async fn sync(&mut self) {
        let Some(observed) = self.observed.clone() else {
            // Nothing was seen yet; the next scan comes first.
            self.schedule.sync = self.schedule.scan;
            return;
        };
        self.schedule.note_sync(Instant::now());
        match self.agent.reporter.sync(&observed).await {
            Ok(synced) => self.note_synced(&synced).await,
            Err(error) => self.note_not_synced(&error).await,
        }
    }

    async fn note_synced(&mut self, synced: &Synced) {
        let now = Instant::now();
        if !self.backoff.is_fresh() {
            info!("the server answers again");
        }
        self.backoff.reset();
        let wait = Duration::try_from(synced.next_sync).unwrap_or_default();
        let wait = wait.clamp(*NEXT_SYNC.start(), *NEXT_SYNC.end());
        self.schedule.sync = now + wait;
        if synced.directed {
            self.schedule.reconcile = Some(now);
        }
        if synced.stale {
            self.schedule.scan_now(now);
        }
        let standing =
            self.agent.desk.work(|reconciler| (reconciler.standing().generation, reconciler.pending())).await;
        let clock = self.agent.clock.now();
        self.agent.status.update(|status| {
            status.synced(synced, clock, wait);
            if let Ok((generation, pending)) = standing {
                (status.generation, status.outcomes_waiting) = (generation.0, pending);
            }
        });
        if self.agent.keeper.is_due(synced.renew_identity) {
            self.renew().await;
        }
        if self.watcher.is_none() {
            self.watch();
        }
    }

    async fn note_not_synced(&mut self, error: &SyncError) {
        let now = Instant::now();
        if matches!(error, SyncError::NeverEnough) {
            self.schedule.scan_now(now);
        }
        if self.agent.reporter.take_directed() {
            self.schedule.reconcile = Some(now);
        }
        self.schedule.sync = now + self.backoff.next(&*self.agent.chance);
        self.note_trouble("could not sync", error);
        let says_expired = matches!(error, SyncError::Uplink(UplinkError::Expired(_)));
        let is_network = matches!(error, SyncError::Uplink(_));
        // The PC's clock alone is not believed: only when the server did not answer, too, is the key asked to help.
        if says_expired || (is_network && self.agent.keeper.has_expired()) {
            self.recover().await;
        }
    }

    async fn renew(&mut self) {
        // Nobody speaks with the certificate in use while it is being replaced.
        if let Some(watcher) = self.watcher.take() {
            watcher.stop().await;
        }
        match self.agent.keeper.renew().await {
            Ok(()) => self.note_new_identity(),
            Err(error) => self.note_trouble("could not renew the identity", &error),
        }
    }

    async fn recover(&mut self) {
        if let Some(watcher) = self.watcher.take() {
            watcher.stop().await;
        }
        match self.agent.keeper.recover().await {
            Ok(()) => self.note_new_identity(),
            Err(error) => self.note_trouble("could not recover the identity", &error),
        }
    }

    /// A new certificate counts at the server once it is used, so it is used at once.
    fn note_new_identity(&mut self) {
        let identity = self.agent.keeper.identity();
        self.agent.status.update(|status| status.identity(identity));
        self.schedule.sync_now(Instant::now());
    }

    fn watch(&mut self) {
        let (uplink, chance) = (Arc::clone(&self.agent.uplink), Arc::clone(&self.agent.chance));
        self.watcher = Some(Watcher::start(uplink, self.nudges.clone(), chance));
    }

    /// The first failure in a row is worth a line; that it goes on is not.
    fn note_trouble(&mut self, what: &'static str, error: &dyn std::error::Error) {
        let (why, now) = (with_causes(error), self.agent.clock.now());
        let known = self.agent.status.update(|status| status.troubled(what, &why, now));
        if known {
            debug!(why, "{what}");
        } else {
            warn!(why, "{what}");
        }
    }
}

/// How long until a moment by the PC's clock, at least a second and at most an hour, whatever the clock does.
fn until(at: Timestamp, now: Timestamp) -> Duration {
    let wait = Duration::try_from(at.since(now)).unwrap_or_default();
    wait.clamp(Duration::from_secs(1), Duration::from_hours(1))
}

#[cfg(test)]
mod tests;
