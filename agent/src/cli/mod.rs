//! The commands. Each prints what a person wants to know to stdout, and logs to stderr.
//!
//! Exit codes say what to do, for scripts and service managers; [`Failure`] has them.

mod anchor;
mod anchor_list;
mod certificate;
mod changes;
mod changing;
mod companion;
mod doctor;
mod enroll;
mod failure;
mod firefox_roots;
mod import;
mod logging;
#[cfg(unix)]
mod nss_child;
mod places;
mod progress;
mod proxy;
mod repair;
mod run;
mod scan;
mod service;
mod status;
mod uninstall;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use self::anchor::AnchorArgs;
pub use self::certificate::CertificateArgs;
pub use self::changes::ChangesArgs;
pub use self::companion::CompanionArgs;
pub use self::doctor::DoctorArgs;
pub use self::enroll::EnrollArgs;
pub use self::failure::Failure;
pub use self::import::ImportArgs;
pub use self::logging::LogArgs;
pub use self::repair::RepairArgs;
pub use self::run::RunArgs;
pub use self::scan::ScanArgs;
pub use self::service::ServiceArgs;
pub use self::status::StatusArgs;
pub use self::uninstall::UninstallArgs;
use crate::settings::{AgentSettings, SettingsFlags};

const EXAMPLES: &str = "\
Examples:
  inkan-agent enroll --server https://inkan.example.jp:8444 --ca-pin sha256:… --token-file token.txt
  inkan-agent run
  inkan-agent status --json
  inkan-agent doctor --programme common-ca
  inkan-agent anchor add root.cer
  inkan-agent import client.p12
  inkan-agent uninstall --restore-trust

Exit codes:
  0  done; for doctor: nothing that cannot wait
  1  failed; the message says what to do
  2  wrong usage
  3  not enrolled, or the identity cannot be used on this PC: enrol (again)
  4  the server cannot be reached or cannot answer: try again later
  5  the server refused, or is not the one of the pin: ask the vendor
  6  another agent is working with the data directory, or another command is changing stores
  7  doctor: something has to be done";

/// Keeps this PC's certificates and trust stores in the state that they should be in.
#[derive(Debug, Parser)]
#[command(name = "inkan-agent", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Where things are.
    #[command(flatten)]
    pub settings: SettingsFlags,
    /// How to log.
    #[command(flatten)]
    pub log: LogArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show and change what this PC trusts
    Anchor(AnchorArgs),
    /// Take a certificate with its key away
    Certificate(CertificateArgs),
    /// Show what was changed in this PC's stores, by whom, and how far it has come
    Changes(ChangesArgs),
    /// Work for the service in the name of one user; only the service starts this
    #[command(hide = true)]
    Companion(CompanionArgs),
    /// Check this PC: what is well, what is not, and what to do about it
    Doctor(DoctorArgs),
    /// Enrol this PC with a join token from your vendor
    Enroll(EnrollArgs),
    /// Import a certificate with its key from a PKCS#12 file
    Import(ImportArgs),
    /// Let a browser's NSS work on one profile; only the agent starts this
    #[cfg(unix)]
    #[command(hide = true, name = inkan_trust_store::nss::CHILD_COMMAND)]
    NssChild,
    /// Repair an option of this PC by name, show what would be changed, or take it back
    Repair(RepairArgs),
    /// Run the agent in the foreground, as the service manager does
    Run(RunArgs),
    /// Read every store once, and show what is there; nothing is sent
    Scan(ScanArgs),
    /// Register, start and stop the agent as a service of Windows
    Service(ServiceArgs),
    /// Show how the agent on this PC goes
    Status(StatusArgs),
    /// Take back what the agent changed, and remove its service, identity and data
    Uninstall(UninstallArgs),
}

/// Runs one command, and logs to stderr.
pub fn run(cli: Cli, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    // It has neither the rights nor the need to read settings and to log.
    #[cfg(unix)]
    if matches!(&cli.command, Command::NssChild) {
        return nss_child::run(out);
    }
    // The service itself has no stderr.
    if !matches!(&cli.command, Command::Service(args) if args.is_run()) {
        logging::start(&cli.log)?;
    }
    execute(cli, out)
}

fn execute(cli: Cli, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let Cli { command, settings: flags, log } = cli;
    let settings = AgentSettings::load(&flags).map_err(Failure::settings)?;
    match command {
        Command::Anchor(args) => anchor::run(&args, &settings, out),
        Command::Certificate(args) => certificate::run(&args, &settings, out),
        Command::Changes(args) => changes::run(args, &settings, out),
        Command::Companion(args) => companion::run(args, &settings),
        Command::Doctor(args) => doctor::run(&args, &settings, out),
        Command::Enroll(args) => enroll::run(args, &settings, out),
        Command::Import(args) => import::run(&args, &settings, out),
        #[cfg(unix)]
        Command::NssChild => nss_child::run(out),
        Command::Repair(args) => repair::run(&args, &settings, out),
        Command::Run(args) => run::run(args, &settings),
        Command::Scan(args) => scan::run(args, &settings, out),
        Command::Service(args) => service::run(args, &flags, settings, log, out),
        Command::Status(args) => status::run(args, &settings, out),
        Command::Uninstall(args) => uninstall::run(args, &settings, out),
    }
}

/// Prints to a person. A pipe that was closed is no reason to fail.
fn print(out: &mut dyn Write, text: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    match out.write_fmt(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::failed(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn print_json<T: serde::Serialize>(out: &mut dyn Write, value: &T) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).map_err(Failure::failed)?;
    print(out, format_args!("{json}\n"))
}

/// The runtime of commands that use the network.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(Failure::failed)
}

#[cfg(test)]
mod changing_tests;
#[cfg(test)]
mod tests;
