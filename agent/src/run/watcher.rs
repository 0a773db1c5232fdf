//! The Watch beside the loop: a stream that only ever says which generation of directives waits. The server begins each one
//! with the generation of that moment, so nothing is missed while nobody listened.

use std::sync::Arc;
use std::time::Duration;

use inkan_model::directive::Generation;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_stream::StreamExt as _;
use tracing::debug;

use super::backoff::Backoff;
use crate::causes::with_causes;
use crate::chance::Chance;
use crate::session::Uplink;

/// A stream that lasted this long was a good one.
const GOOD: Duration = Duration::from_mins(1);

/// Listens for nudges until it is dropped.
pub(super) struct Watcher(JoinHandle<()>);

impl Watcher {
    /// Begins to listen. Each nudge is passed on.
    pub(super) fn start(uplink: Arc<dyn Uplink>, nudges: watch::Sender<Generation>, chance: Arc<dyn Chance>) -> Self {
        Self(tokio::spawn(keep_watching(uplink, nudges, chance)))
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

async fn keep_watching(uplink: Arc<dyn Uplink>, nudges: watch::Sender<Generation>, chance: Arc<dyn Chance>) {
    let mut backoff = Backoff::default();
    loop {
        let begun = Instant::now();
        match uplink.watch().await {
            Ok(mut stream) => {
                debug!("listening for nudges");
                while let Some(Ok(generation)) = stream.next().await {
                    debug!(generation = generation.0, "nudged");
                    nudges.send_replace(generation);
                }
            }
            Err(error) => debug!(why = with_causes(&error), "could not listen for nudges"),
        }
        if begun.elapsed() >= GOOD {
            backoff.reset();
        }
        tokio::time::sleep(backoff.next(&*chance)).await;
    }
}
