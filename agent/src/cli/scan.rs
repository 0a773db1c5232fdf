//! `scan`: what is on this PC. Nothing is sent.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::{Failure, print, print_json};
use crate::clock::SystemClock;
use crate::facts::collect_facts;
use crate::scanner::report::ScanReport;
use crate::scanner::{Scanner, backends};
use crate::settings::AgentSettings;

/// Reads every store once, and shows what is there; nothing is sent.
#[derive(Args, Clone, Copy, Debug)]
pub struct ScanArgs {
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: ScanArgs, settings: &AgentSettings, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let scanner = Scanner::new(backends(settings), settings.location_deadline, Arc::new(SystemClock));
    let report = ScanReport::new(collect_facts(), &scanner.scan());
    if args.json {
        print_json(out, &report)?;
    } else {
        print(out, format_args!("{}", report.to_table()))?;
    }
    Ok(ExitCode::SUCCESS)
}
