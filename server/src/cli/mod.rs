//! The commands of `inkan-server`. What a command answers goes to standard output, what happened meanwhile to the log on
//! standard error; an error is printed once, with all its causes, here.

mod backup;
mod doctor;
mod operator;
mod private_ca;
mod serve;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use inkan_issuance::identity_ca::CaPin;
use inkan_model::operator::Vendor;

use crate::assemble::{Backstage, World};
use crate::config::{Config, DEFAULT_FILE, Sources};
use crate::deployment::Deployment;
use crate::serving::{Addresses, create_setup_link};
use crate::telemetry;

const EXAMPLES: &str = "\
Examples:
  inkan-server serve                                  with /etc/inkan/server.toml, if it is there
  inkan-server serve --data-dir ./data --set web.listen=127.0.0.1:9000
  INKAN_SERVER__LOG__FORMAT=json inkan-server serve   each key can be a variable, too
  inkan-server check-config --config ./server.toml
  inkan-server doctor
  inkan-server backup --to /backup/inkan-2026-11-20

Exit codes: 0 done, 1 failed (or the doctor found something), 2 wrong usage.
The log goes to standard error; RUST_LOG=inkan_server=debug says more.";

/// The inkan fleet server.
#[derive(Debug, Parser)]
#[command(name = "inkan-server", version, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

/// Where the configuration comes from.
#[derive(Args, Debug)]
struct Settings {
    /// Configuration file [default: /etc/inkan/server.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything is kept; the same as --set data_dir=DIR
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// One setting; may be given several times
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = read_pair)]
    overrides: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a consistent copy of everything that a restored server needs
    Backup(backup::Backup),
    /// Print the pin by which agents know this deployment
    CaPin,
    /// Print the effective configuration, or what is wrong with it
    CheckConfig,
    /// Look at data directory, database, certificates, ports and clock, and say what to do
    Doctor,
    /// Create the database, or bring it to the newest schema
    Migrate,
    /// Create operators, at the server's own console
    #[command(subcommand)]
    Operator(operator::OperatorCommand),
    /// Use a vendor's own certification authority
    #[command(subcommand)]
    PrivateCa(private_ca::PrivateCaCommand),
    /// Serve
    Serve,
    /// Print a new link for the first owner; the one before does not work any more
    SetupLink,
}

fn read_pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    pair.map(|(key, value)| (key.to_owned(), value.to_owned())).ok_or_else(|| "KEY=VALUE is expected".to_owned())
}

/// Runs the program.
pub fn main() -> ExitCode {
    let Cli { settings, command } = Cli::parse();
    match run(settings, command) {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to tell if standard error is gone.
            let _ = writeln!(std::io::stderr().lock(), "inkan-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(settings: Settings, command: Command) -> Result<ExitCode> {
    let Settings { config, data_dir, mut overrides } = settings;
    overrides.extend(data_dir.map(|data_dir| ("data_dir".to_owned(), data_dir)));
    let shown = config.clone().unwrap_or_else(|| DEFAULT_FILE.into());
    let sources = Sources { file: config, environment: None, overrides };
    let config =
        Config::load(&sources).with_context(|| format!("configuration ({}, environment, flags)", shown.display()))?;
    telemetry::init_logs(config.log_format).context("could not begin to log")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("could not start")?;
    runtime.block_on(run_command(&config, command))
}

async fn run_command(config: &Config, command: Command) -> Result<ExitCode> {
    match command {
        Command::Backup(backup) => backup.run(config).await?,
        Command::CaPin => print(&format!("{}\n", find_pin(config)?))?,
        Command::CheckConfig => print(config.to_toml())?,
        Command::Doctor => return doctor::run(config).await,
        Command::Migrate => migrate(config).await?,
        Command::Operator(operator) => operator.run(config).await?,
        Command::PrivateCa(private_ca) => private_ca.run(config).await?,
        Command::Serve => serve::run(config).await?,
        Command::SetupLink => print_setup_link(config).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what a command answers.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("could not print")
}

fn find_pin(config: &Config) -> Result<CaPin> {
    let deployment = Deployment::open(&config.data_dir);
    Ok(deployment.context("there is no deployment yet: `inkan-server serve` makes one")?.pin())
}

async fn migrate(config: &Config) -> Result<()> {
    let backstage = Backstage::open(config, World::default()).await?;
    let version = backstage.db.schema_version().await;
    backstage.close().await;
    print(&format!("{} has schema {}\n", config.database.display(), version?))
}

async fn print_setup_link(config: &Config) -> Result<()> {
    let backstage = Backstage::open(config, World::default()).await?;
    let web = match (Addresses::find(&config.data_dir), &config.web.public_url) {
        (Some(running), _) => running.web,
        (None, Some(url)) => url.to_string(),
        (None, None) => format!("{}://{}", if config.web.is_https() { "https" } else { "http" }, config.web.listen),
    };
    let link = create_setup_link(&backstage.core, &web).await?;
    backstage.close().await;
    let link = link.context("there is an owner already: sign in, or use `inkan-server operator create`")?;
    print(&format!("{link}\n"))
}

/// The vendor of this name.
async fn find_vendor(backstage: &Backstage, name: &str) -> Result<Option<Vendor>> {
    let vendors = backstage.core.db().list_vendors().await.context("could not list the vendors")?;
    Ok(vendors.into_iter().find(|vendor| vendor.name == name.trim()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_setting_needs_a_key_and_may_hold_an_equals_sign() {
        assert_eq!(read_pair("a.b=c=d"), Ok(("a.b".to_owned(), "c=d".to_owned())));
        assert!(read_pair("=c").is_err() && read_pair("a").is_err());
    }
}
