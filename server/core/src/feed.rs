//! What lives only in memory and may be lost: waking agents, and telling open pages that something changed.
//!
//! Both carry no state: an agent that missed a nudge syncs at its next time, a page that missed a change shows it when
//! it is loaded again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use inkan_model::directive::Generation;
use inkan_model::{HostId, VendorId};
use tokio::sync::{broadcast, watch};

/// Wakes the agents that watch. One slot for each host: a newer generation replaces one not yet taken.
#[derive(Default)]
pub struct Nudges {
    slots: Mutex<HashMap<HostId, watch::Sender<Generation>>>,
}

impl Nudges {
    /// Begins to watch for one host. A second watcher of the same host shares the slot.
    pub fn subscribe(&self, host: HostId) -> watch::Receiver<Generation> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(host).or_insert_with(|| watch::channel(Generation::default()).0).subscribe()
    }

    /// Wakes a host's agent, if it watches here.
    pub fn nudge(&self, host: HostId, generation: Generation) {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(&host) {
            slot.send_replace(generation);
        }
    }

    /// How many hosts are watched for now; forgets those that nobody watches any more.
    pub fn watched(&self) -> usize {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| slot.receiver_count() > 0);
        slots.len()
    }
}

/// Something about a host changed, so that a page which shows it should be drawn again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Change {
    /// Whose.
    pub vendor: VendorId,
    /// On which PC.
    pub host: HostId,
}

/// Tells open pages what changed.
pub struct Feed {
    sender: broadcast::Sender<Change>,
}

impl Default for Feed {
    fn default() -> Self {
        Self { sender: broadcast::channel(1_024).0 }
    }
}

impl Feed {
    /// Begins to listen. A listener that falls behind is told so and draws everything again.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.sender.subscribe()
    }

    pub(crate) fn publish(&self, change: Change) {
        // An error means that nobody listens, which is fine.
        let _ = self.sender.send(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inkan_model::Timestamp;

    #[test]
    fn a_watcher_sees_the_newest_generation_only() {
        let nudges = Nudges::default();
        let host = HostId::new(Timestamp::default(), [1; 10]);
        let mut receiver = nudges.subscribe(host);
        nudges.nudge(host, Generation(1));
        nudges.nudge(host, Generation(2));
        assert!(receiver.has_changed().unwrap());
        assert_eq!(*receiver.borrow_and_update(), Generation(2));
        assert_eq!(nudges.watched(), 1);
        drop(receiver);
        assert_eq!(nudges.watched(), 0);
    }
}
