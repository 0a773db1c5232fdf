//! When each part of the loop's work is due. Moments are monotonic, so that a wrong clock that is put right moves nothing.

use std::time::Duration;

use tokio::time::Instant;

/// Two Syncs are at least this far apart, however often a server nudges.
const BETWEEN_SYNCS: Duration = Duration::from_secs(1);

/// When each part is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    pub(super) scan: Instant,
    pub(super) reconcile: Option<Instant>,
    pub(super) sync: Instant,
    last_sync: Option<Instant>,
}

impl Schedule {
    /// Everything is due at once.
    pub(super) fn new(now: Instant) -> Self {
        Self { scan: now, reconcile: Some(now), sync: now, last_sync: None }
    }

    /// When the next part is due.
    pub(super) fn next(&self) -> Instant {
        let soonest = self.scan.min(self.sync);
        self.reconcile.map_or(soonest, |reconcile| soonest.min(reconcile))
    }

    /// A Sync has begun.
    pub(super) fn note_sync(&mut self, now: Instant) {
        self.last_sync = Some(now);
    }

    /// There is something to tell: a Sync is due at once.
    pub(super) fn sync_now(&mut self, now: Instant) {
        self.sync = self.sync.min(now);
    }

    /// Somebody asks for a Sync: it is due as soon as the last one is old enough.
    pub(super) fn sync_soon(&mut self, now: Instant) {
        let soon = self.last_sync.map_or(now, |last| now.max(last + BETWEEN_SYNCS));
        self.sync = self.sync.min(soon);
    }

    /// Stores may have changed: a scan is due at once.
    pub(super) fn scan_now(&mut self, now: Instant) {
        self.scan = self.scan.min(now);
    }
}
