//! The agent's program: one process per PC, and the commands that a person runs.

use std::process::ExitCode;

use clap::Parser as _;
use inkan_agent::cli::{self, Cli};

fn main() -> ExitCode {
    let outcome = cli::run(Cli::parse(), &mut std::io::stdout());
    outcome.unwrap_or_else(|failure| {
        let mut stderr = std::io::stderr();
        // Where words cannot be written, the exit code still tells.
        let _ = std::io::Write::write_fmt(&mut stderr, format_args!("inkan-agent: {failure}\n"));
        failure.code()
    })
}
