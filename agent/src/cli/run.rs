//! `run`: the agent itself.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tracing::info;

use super::{Failure, runtime};
use crate::assemble::assemble;
use crate::data_dir::DataDir;
use crate::disk::Disk;
use crate::identity::{IdentityFolder, MachineBinding};
use crate::run::stop_signal;
use crate::session::Proxy;
use crate::settings::AgentSettings;

/// How long work that cannot be interrupted may take to end: a probe, and a store that hangs.
const FAREWELL: Duration = Duration::from_secs(15);

/// Runs the agent in the foreground, as the service manager does.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// HTTP proxy to go through, as in http://user:password@proxy:8080
    #[arg(long, value_name = "URL", env = "INKAN_AGENT_PROXY", hide_env_values = true)]
    proxy: Option<Proxy>,
}

pub(super) fn run(args: RunArgs, settings: &AgentSettings) -> Result<ExitCode, Failure> {
    let data_dir = DataDir::new(&settings.data_dir);
    let _lock = data_dir.lock().map_err(Failure::data_dir)?;
    let folder = IdentityFolder::new(Disk::default(), data_dir.path());
    let machine = MachineBinding::of_this_machine().map_err(Failure::failed)?;
    let identity = folder.open(machine).map_err(Failure::identity)?;
    let runtime = runtime()?;
    let ran = runtime.block_on(async {
        let stop = stop_signal().map_err(Failure::failed)?;
        info!(host = %identity.agent.host, version = env!("CARGO_PKG_VERSION"), "started");
        let agent = assemble(settings, identity, folder, args.proxy, runtime.handle().clone());
        agent.map_err(Failure::failed)?.run(stop).await;
        Ok(ExitCode::SUCCESS)
    });
    runtime.shutdown_timeout(FAREWELL);
    ran
}
