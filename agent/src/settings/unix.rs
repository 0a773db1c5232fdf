//! Where things are on Unix.

use std::path::PathBuf;

/// The file that is read when no other is named; it may be absent.
pub(super) fn default_file() -> PathBuf {
    "/etc/inkan/agent.toml".into()
}

/// Where the agent keeps its own state when no other place is named.
pub(super) fn default_data_dir() -> PathBuf {
    "/var/lib/inkan-agent".into()
}
