//! Operating systems on which the agent does by itself what it does for users.

use tokio::runtime::Handle;

use crate::assemble::Surroundings;
use crate::service::Orders;
use crate::settings::AgentSettings;

/// A companion that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum CompanionError {
    /// There are none here.
    #[error("there are no companions on this operating system")]
    Unsupported,
}

/// Says that there is none.
pub fn run(_settings: &AgentSettings, _pipe: &str) -> Result<(), CompanionError> {
    Err(CompanionError::Unsupported)
}

/// The service's surroundings: none.
pub fn surroundings(_settings: &AgentSettings, _runtime: &Handle, _orders: &Orders) -> Surroundings {
    Surroundings::default()
}
