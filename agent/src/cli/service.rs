//! `service`: the agent as a service of Windows.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use tracing::{error, info};

use super::proxy::ProxyFlag;
use super::run::{Enrolled, RunArgs};
use super::{Failure, LogArgs, logging, print, print_json, runtime};
use crate::data_dir::DataDir;
use crate::disk::Disk;
use crate::identity::{IdentityError, IdentityFolder};
use crate::service::{self, LogFile, Orders, Registration, Standing};
use crate::session::Proxy;
use crate::settings::{AgentSettings, SettingsFlags};

/// How often a PC that is not enrolled yet is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
The installer registers and starts the service; these commands are for repairs.

Examples:
  inkan-agent service install
  inkan-agent service start
  inkan-agent service status --json";

/// Works with the agent's Windows service.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ServiceArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Register the service, started with Windows and again after a failure
    Install,
    /// Work as the service; only Windows starts this
    Run(RunArgs),
    /// Start the service
    Start,
    /// Show whether the service runs
    Status {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Stop the service
    Stop,
    /// Stop the service and remove it
    Uninstall,
}

impl ServiceArgs {
    /// Whether this process is the service itself, which has no stderr to log to.
    pub(super) const fn is_run(&self) -> bool {
        matches!(self.action, Action::Run(_))
    }
}

pub(super) fn run(
    args: ServiceArgs,
    flags: &SettingsFlags,
    settings: AgentSettings,
    log: LogArgs,
    out: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let done = match args.action {
        Action::Install => {
            let executable = std::env::current_exe().map_err(Failure::failed)?;
            let registration = Registration { executable, arguments: arguments(flags, &log) };
            service::install(&registration).map_err(Failure::failed)?;
            "The service is registered. Start it with: inkan-agent service start\n"
        }
        Action::Run(args) => {
            let proxy = ProxyFlag::proxy(args.proxy)?;
            let work = move |orders| serve(proxy, &settings, &log, &orders);
            service::run(work).map_err(Failure::failed)?;
            return Ok(ExitCode::SUCCESS);
        }
        Action::Start => {
            service::start().map_err(Failure::failed)?;
            "The service runs.\n"
        }
        Action::Status { json } => {
            let standing = service::status().map_err(Failure::failed)?;
            if json {
                print_json(out, &serde_json::json!({ "service": standing }))?;
            } else {
                print(out, format_args!("{}\n", standing.word()))?;
            }
            return Ok(if standing == Standing::Running { ExitCode::SUCCESS } else { ExitCode::from(1) });
        }
        Action::Stop => {
            service::stop().map_err(Failure::failed)?;
            "The service has stopped.\n"
        }
        Action::Uninstall => {
            service::uninstall().map_err(Failure::failed)?;
            "The service is removed.\n"
        }
    };
    print(out, format_args!("{done}"))?;
    Ok(ExitCode::SUCCESS)
}

/// What the service manager starts the service with: this command line's own flags, so that the service works with the
/// same settings.
fn arguments(flags: &SettingsFlags, log: &LogArgs) -> Vec<OsString> {
    let SettingsFlags { config, data_dir, directories, server_url } = flags;
    let mut arguments: Vec<OsString> = vec!["service".into(), "run".into()];
    let mut add = |flag: &str, value: OsString| arguments.extend([flag.into(), value]);
    if let Some(config) = config {
        add("--config", config.into());
    }
    if let Some(data_dir) = data_dir {
        add("--data-dir", data_dir.into());
    }
    for directory in directories {
        add("--directory", directory.into());
    }
    if let Some(server_url) = server_url {
        add("--server-url", server_url.into());
    }
    if log.log_level != LogArgs::LEVEL {
        add("--log-level", (&log.log_level).into());
    }
    arguments
}

/// Works as the service; the code for the service manager.
fn serve(proxy: Option<Proxy>, settings: &AgentSettings, log: &LogArgs, orders: &Orders) -> u8 {
    let served = start_log(settings, log).and_then(|()| work(proxy, settings, orders));
    match served {
        Ok(()) => 0,
        Err(failure) => {
            error!(why = %failure, "the service failed");
            failure.number()
        }
    }
}

fn start_log(settings: &AgentSettings, log: &LogArgs) -> Result<(), Failure> {
    let data_dir = DataDir::new(&settings.data_dir);
    data_dir.create().map_err(Failure::data_dir)?;
    logging::start_in(log, Arc::new(LogFile::in_folder(data_dir.path())))?;
    std::panic::set_hook(Box::new(|panic| error!(%panic, "panicked")));
    Ok(())
}

fn work(proxy: Option<Proxy>, settings: &AgentSettings, orders: &Orders) -> Result<(), Failure> {
    let runtime = runtime()?;
    let Some(enrolled) = runtime.block_on(wait_until_enrolled(settings, orders))? else { return Ok(()) };
    let surroundings = crate::companion::surroundings(settings, runtime.handle(), orders);
    enrolled.work(runtime, proxy, settings, surroundings, orders.stopped())
}

/// The agent's data directory once there is an identity in it; `None` when the service is to stop before. It is not held
/// while it is waited for, so that `enroll` can work with it.
async fn wait_until_enrolled(settings: &AgentSettings, orders: &Orders) -> Result<Option<Enrolled>, Failure> {
    let folder = IdentityFolder::new(Disk::default(), &settings.data_dir);
    let mut told = false;
    loop {
        // Looked at before it is taken, so that an enrolment never finds it taken for nothing.
        let opened = match folder.find() {
            Ok(None) => Err(Failure::identity(IdentityError::NotEnrolled)),
            Ok(Some(_)) | Err(_) => Enrolled::open(settings),
        };
        match opened {
            Ok(enrolled) => return Ok(Some(enrolled)),
            Err(failure) if failure.may_pass_by_enrolling() => {
                if !std::mem::replace(&mut told, true) {
                    info!(why = %failure, "waiting for an identity");
                }
            }
            Err(failure) => return Err(failure),
        }
        tokio::select! {
            biased;
            () = orders.stopped() => return Ok(None),
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::orders;

    #[test]
    fn the_service_is_started_with_the_flags_that_it_was_installed_with() {
        let flags = SettingsFlags {
            data_dir: Some("/d".into()),
            directories: vec!["/a".into(), "/b c".into()],
            ..SettingsFlags::default()
        };
        let log = LogArgs::with_level("debug");
        let wanted =
            ["service", "run", "--data-dir", "/d", "--directory", "/a", "--directory", "/b c", "--log-level", "debug"];
        assert_eq!(arguments(&flags, &log), wanted);
        assert_eq!(arguments(&SettingsFlags::default(), &LogArgs::with_level("info")), ["service", "run"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_on_a_pc_that_is_not_enrolled_waits_and_leaves_the_data_directory_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let flags = SettingsFlags { data_dir: Some(folder.path().join("data")), ..SettingsFlags::default() };
        let settings = AgentSettings::load(&flags).unwrap();
        let (sender, orders) = orders();
        let waiting = tokio::spawn({
            let settings = settings.clone();
            async move { wait_until_enrolled(&settings, &orders).await.map(|enrolled| enrolled.is_some()) }
        });
        tokio::time::sleep(LOOK_AGAIN * 3).await;
        assert!(!waiting.is_finished());
        drop(DataDir::new(&settings.data_dir).lock().unwrap());
        sender.stop();
        assert!(!waiting.await.unwrap().unwrap());
    }
}
