//! `companion`: what the service starts for each user who is logged on. Not for people.

use std::process::ExitCode;

use clap::Args;

use super::Failure;
use crate::companion;
use crate::settings::AgentSettings;

/// Works for the service in the name of one user; only the service starts this.
#[derive(Args, Debug)]
pub struct CompanionArgs {
    /// The pipe that the service made for this user
    #[arg(long, value_name = "NAME")]
    pipe: String,
}

pub(super) fn run(args: CompanionArgs, settings: &AgentSettings) -> Result<ExitCode, Failure> {
    companion::run(settings, &args.pipe).map_err(Failure::failed)?;
    Ok(ExitCode::SUCCESS)
}
