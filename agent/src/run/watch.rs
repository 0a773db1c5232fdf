//! The Watch beside the loop: a stream that only ever says "sync now".

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_stream::StreamExt as _;
use tracing::debug;

use super::backoff::Backoff;
use crate::causes::with_causes;
use crate::chance::Chance;
use crate::session::Uplink;

/// A stream that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(60);

/// Listens for nudges until it is dropped.
pub(super) struct Watcher(JoinHandle<()>);

impl Watcher {
    /// Begins to listen. Each nudge notifies.
    pub(super) fn start(uplink: Arc<dyn Uplink>, nudged: Arc<Notify>, chance: Arc<dyn Chance>) -> Self {
        Self(tokio::spawn(keep_watching(uplink, nudged, chance)))
    }

    /// Stops listening, and returns once nothing is under way any more.
    pub(super) async fn stop(mut self) {
        self.0.abort();
        // It ends by being aborted, which is what was asked for.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn keep_watching(uplink: Arc<dyn Uplink>, nudged: Arc<Notify>, chance: Arc<dyn Chance>) {
    let mut backoff = Backoff::default();
    let mut lost = false;
    loop {
        let begun = Instant::now();
        match uplink.watch().await {
            Ok(mut nudges) => {
                debug!("listening for nudges");
                if lost {
                    // Whatever was nudged while nobody listened.
                    nudged.notify_one();
                }
                while let Some(Ok(generation)) = nudges.next().await {
                    if generation.0 != 0 {
                        debug!(generation = generation.0, "nudged");
                        nudged.notify_one();
                    }
                }
            }
            Err(error) => debug!(why = with_causes(&error), "could not listen for nudges"),
        }
        lost = true;
        if begun.elapsed() >= GOOD {
            backoff.reset();
        }
        tokio::time::sleep(backoff.next(&*chance)).await;
    }
}
