//! The agent as a service of the operating system: how it is registered, and what it is told while it runs.
//!
//! On Windows the service control manager starts `inkan-agent service run` as LocalSystem. Its orders (stop, shutdown, a
//! session that begins or ends) become an [`Orders`], so that the agent itself comes to the same clean end whoever asks
//! for it. A service has no stderr: it logs to a [`LogFile`]. On other operating systems the service manager needs no
//! help; the commands say so and change nothing.

mod log_file;
mod orders;
#[cfg(not(windows))]
mod portable;
#[cfg(windows)]
mod windows;

use std::ffi::OsString;
use std::path::PathBuf;

pub use self::log_file::LogFile;
pub use self::orders::{OrderSender, Orders, orders};
#[cfg(not(windows))]
pub use self::portable::{install, run, start, status, stop, uninstall};
#[cfg(windows)]
pub use self::windows::{install, process_id, run, start, status, stop, uninstall};

/// The service's name, by which commands and the installer know it.
pub const NAME: &str = "inkan-agent";
/// The service's name in lists that people see.
pub const DISPLAY_NAME: &str = "inkan agent";
/// What people read beside that name.
pub const DESCRIPTION: &str = "Keeps this PC's certificates and trust stores in the state that they should be in, and \
     reports them to the IT vendor. Without it, certificates are not renewed before they expire.";

/// What the service manager is to start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Registration {
    /// This program.
    pub executable: PathBuf,
    /// What it is started with, `service run` included.
    pub arguments: Vec<OsString>,
}

/// How the service stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// No such service is registered.
    NotInstalled,
    /// It runs.
    Running,
    /// It is on its way to run.
    Starting,
    /// It does not run.
    Stopped,
    /// It is on its way to stop.
    Stopping,
}

impl Standing {
    /// The word that people read.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotInstalled => "not installed",
            Self::Running => "running",
            Self::Starting => "starting",
            Self::Stopped => "stopped",
            Self::Stopping => "stopping",
        }
    }
}

/// Something that the service manager did not do.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The program was not started by the service manager.
    #[error("only the service manager runs this command: start the service with `inkan-agent service start`")]
    NotFromManager,
    /// There is no such service.
    #[error("there is no service {NAME} on this PC: add it with `inkan-agent service install`")]
    NotInstalled,
    /// The service manager refused.
    #[error("could not {step}: is this an administrator's command line?")]
    Refused {
        /// What was being done.
        step: &'static str,
        /// Why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The service did not get there in time.
    #[error("the service is still {} after {} seconds: look at its log", standing.word(), waited.as_secs())]
    Slow {
        /// How it stands.
        standing: Standing,
        /// How long it was waited for.
        waited: std::time::Duration,
    },
    /// This operating system needs no help.
    #[error(
        "services of this operating system are its service manager's: with systemd, `systemctl enable --now {NAME}`"
    )]
    Unsupported,
}
