//! What ties an identity to one machine.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(any(target_os = "linux", windows)))]
mod other;
#[cfg(windows)]
mod windows;

use std::fmt;
use std::io;

use sha2::{Digest as _, Sha256};

#[cfg(target_os = "linux")]
use self::linux as platform;
#[cfg(not(any(target_os = "linux", windows)))]
use self::other as platform;
#[cfg(windows)]
use self::windows as platform;

/// Keeps the machine's identifier from being recognised anywhere else.
const LABEL: &[u8] = b"inkan machine binding v1\0";

/// SHA-256 over the machine's own identifier, with a label before it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct MachineBinding(pub [u8; 32]);

impl MachineBinding {
    /// The binding to the machine with this identifier.
    pub fn of(machine_id: &str) -> Self {
        Self(Sha256::new().chain_update(LABEL).chain_update(machine_id.trim()).finalize().into())
    }

    /// The binding to this machine.
    pub fn of_this_machine() -> Result<Self, NoMachineId> {
        platform::machine_id().map(|id| Self::of(&id)).map_err(|cause| NoMachineId { cause })
    }
}

impl fmt::Debug for MachineBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0[..4]))
    }
}

/// A machine that does not say who it is.
#[derive(Debug, thiserror::Error)]
#[error("this machine has no identifier: {}", platform::REMEDY)]
pub struct NoMachineId {
    /// What the operating system said.
    #[source]
    pub cause: io::Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_depends_on_the_machine_and_not_on_the_line_end() {
        assert_eq!(
            MachineBinding::of("8b1a9953c4611296a827abf8c47804d7\n"),
            MachineBinding::of("8b1a9953c4611296a827abf8c47804d7")
        );
        assert_ne!(
            MachineBinding::of("8b1a9953c4611296a827abf8c47804d7"),
            MachineBinding::of("00000000000000000000000000000000")
        );
    }
}
