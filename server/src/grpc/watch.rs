//! Waking one agent. A watcher is a few hundred bytes and no task: it is polled by its connection.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use inkan_core::Core;
use inkan_core::ports::VerifiedIdentity;
use inkan_model::directive::Generation;
use inkan_wire::pb::Nudge;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::refusal::to_status;

/// One agent that watches.
pub(super) struct Watcher {
    core: Core,
    peer: Arc<VerifiedIdentity>,
    nudges: watch::Receiver<Generation>,
    closing: CancellationToken,
    /// The generation that the agent was told last.
    told: Generation,
    /// Whether the host may still watch, and whether a nudge was missed, is looked at this often.
    interval: Duration,
    look_at: Instant,
    began: bool,
}

impl Watcher {
    /// A watcher whose host has this generation of directives.
    pub(super) fn new(
        core: Core,
        peer: Arc<VerifiedIdentity>,
        nudges: watch::Receiver<Generation>,
        closing: CancellationToken,
        current: Generation,
        interval: Duration,
    ) -> Self {
        let look_at = Instant::now() + interval;
        Self { core, peer, nudges, closing, told: current, interval, look_at, began: false }
    }

    /// Waits for the next thing to tell; `None` when the connection is asked to go.
    async fn next(&mut self) -> Result<Option<Generation>, Status> {
        if !std::mem::replace(&mut self.began, true) {
            return Ok(Some(self.told));
        }
        loop {
            tokio::select! {
                () = self.closing.cancelled() => return Ok(None),
                // The sender lives as long as this receiver; should it not, the looks go on.
                Ok(()) = self.nudges.changed() => {
                    let generation = *self.nudges.borrow_and_update();
                    self.told = generation;
                    return Ok(Some(generation));
                }
                () = sleep_until(self.look_at) => {
                    self.look_at = Instant::now() + self.interval;
                    let generation = self.look().await?;
                    if generation != self.told {
                        self.told = generation;
                        return Ok(Some(generation));
                    }
                }
            }
        }
    }

    /// Looks whether the host may still speak. Not by `authenticate`: an identity that was renewed over another
    /// connection a moment ago is no clone, and this connection simply ends.
    async fn look(&self) -> Result<Generation, Status> {
        let found = self.core.db().find_session(self.peer.host).await.map_err(|cause| to_status(cause.into()))?;
        let known = |serial| Some(serial) == found.as_ref().map(|session| session.current_serial);
        match &found {
            Some(session) if session.state.may_report() && known(self.peer.serial) => Ok(session.generation),
            Some(session) if session.pending_serial == Some(self.peer.serial) => Ok(session.generation),
            Some(_) | None => Err(Status::unauthenticated("this identity is not accepted any more")),
        }
    }
}

/// The nudges of one agent: the current generation first, then each new one.
pub(super) fn watch(watcher: Watcher) -> impl Stream<Item = Result<Nudge, Status>> + Send {
    stream::unfold(Some(watcher), |watcher| async {
        let mut watcher = watcher?;
        match watcher.next().await {
            Ok(Some(generation)) => Some((Ok(Nudge { generation: generation.0 }), Some(watcher))),
            Ok(None) => None,
            Err(status) => Some((Err(status), None)),
        }
    })
}
