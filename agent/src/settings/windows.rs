//! Where things are on Windows: all in one folder that SYSTEM and the administrators alone may enter.

use std::path::PathBuf;

use inkan_trust_store::windows::machine::program_data;

/// The file that is read when no other is named; it may be absent.
pub(super) fn default_file() -> PathBuf {
    default_data_dir().join("agent.toml")
}

/// Where the agent keeps its own state when no other place is named.
pub(super) fn default_data_dir() -> PathBuf {
    program_data().unwrap_or_else(|_| r"C:\ProgramData".into()).join("inkan")
}
