//! `run`: the agent itself.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::runtime::Runtime;
use tracing::info;

use super::proxy::ProxyFlag;
use super::{Failure, runtime};
use crate::assemble::{Surroundings, assemble_in};
use crate::data_dir::{DataDir, DataDirLock};
use crate::disk::Disk;
use crate::identity::{Identity, IdentityFolder, MachineBinding};
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
    pub(super) proxy: Option<ProxyFlag>,
}

pub(super) fn run(args: RunArgs, settings: &AgentSettings) -> Result<ExitCode, Failure> {
    let proxy = ProxyFlag::proxy(args.proxy)?;
    let enrolled = Enrolled::open(settings)?;
    let runtime = runtime()?;
    let stop = runtime.block_on(async { stop_signal() }).map_err(Failure::failed)?;
    enrolled.work(runtime, proxy, settings, Surroundings::default(), stop)?;
    Ok(ExitCode::SUCCESS)
}

/// The data directory of an enrolled agent, held by this process.
pub(super) struct Enrolled {
    _lock: DataDirLock,
    folder: IdentityFolder,
    identity: Identity,
}

impl Enrolled {
    /// Takes the data directory and opens the identity in it.
    pub(super) fn open(settings: &AgentSettings) -> Result<Self, Failure> {
        let data_dir = DataDir::new(&settings.data_dir);
        let lock = data_dir.lock().map_err(Failure::data_dir)?;
        let folder = IdentityFolder::new(Disk::default(), data_dir.path());
        let machine = MachineBinding::of_this_machine().map_err(Failure::failed)?;
        let identity = folder.open(machine).map_err(Failure::identity)?;
        Ok(Self { _lock: lock, folder, identity })
    }

    /// Works as this agent until `stop` comes to its end.
    pub(super) fn work(
        self,
        runtime: Runtime,
        proxy: Option<Proxy>,
        settings: &AgentSettings,
        surroundings: Surroundings,
        stop: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        let Self { _lock, folder, identity } = self;
        info!(host = %identity.agent.host, version = env!("CARGO_PKG_VERSION"), "started");
        // The way to the server can only be made where the runtime is at work.
        let worked = runtime.block_on(async {
            let agent = assemble_in(surroundings, settings, identity, folder, proxy, runtime.handle().clone());
            agent.map_err(Failure::failed)?.run(stop).await;
            Ok(())
        });
        runtime.shutdown_timeout(FAREWELL);
        worked
    }
}
