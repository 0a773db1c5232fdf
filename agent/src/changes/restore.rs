//! Taking back everything that the journal says the agent put on this PC.

use inkan_model::store::Location;

use super::plan::{Extent, RestorePlan, plan_restore};
use super::record::ChangeRecord;
use super::{Changes, ChangesError, Settled};

/// What a restoring came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Restored {
    /// Changes that were taken back, and those that could not be and stay journaled.
    pub settled: Vec<Settled>,
    /// Changes to which there is no way back.
    pub irreversible: Vec<ChangeRecord>,
}

impl Restored {
    /// Whether something stays that should have been taken back.
    pub fn is_stuck(&self) -> bool {
        self.settled.iter().any(|settled| settled.stuck.is_some())
    }
}

impl Changes<'_> {
    /// Takes back everything of this extent, newest first, each place by itself. `begun` hears of each place before it is
    /// touched.
    pub fn restore(&mut self, extent: Extent, begun: &mut dyn FnMut(&Location)) -> Result<Restored, ChangesError> {
        let RestorePlan { restorations, irreversible } = plan_restore(self.records(), extent);
        let mut restored = Restored { settled: Vec::new(), irreversible };
        for restoration in &restorations {
            begun(&restoration.location);
            restored.settled.extend(self.take_back(restoration)?);
        }
        Ok(restored)
    }
}
