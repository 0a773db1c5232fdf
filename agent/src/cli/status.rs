//! `status`: how the agent on this PC goes.

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use inkan_model::{Clock as _, Timestamp};
use serde::Serialize;

use super::{Failure, print, print_json};
use crate::clock::SystemClock;
use crate::data_dir::DataDir;
use crate::disk::Disk;
use crate::identity::{IdentityError, IdentityFolder};
use crate::settings::AgentSettings;
use crate::status::{self, ScanStatus, Status};

/// Shows how the agent on this PC goes.
#[derive(Args, Clone, Copy, Debug)]
pub struct StatusArgs {
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// What `status` says.
#[derive(Debug, Serialize)]
struct Shown {
    running: bool,
    #[serde(flatten)]
    status: Status,
}

pub(super) fn run(args: StatusArgs, settings: &AgentSettings, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let data_dir = DataDir::new(&settings.data_dir);
    let folder = IdentityFolder::new(Disk::default(), data_dir.path());
    let (identity, _) =
        folder.find().map_err(Failure::identity)?.ok_or_else(|| Failure::identity(IdentityError::NotEnrolled))?;
    let now = SystemClock.now();
    let found = status::read(data_dir.path()).map_err(Failure::failed)?;
    let status = found.filter(|status| status.host == identity.agent.host);
    let status = status.unwrap_or_else(|| Status::new(&identity, now));
    let shown = Shown { running: data_dir.is_locked(), status };
    if args.json {
        print_json(out, &shown)?;
    } else {
        print(out, format_args!("{}", Words { shown: &shown, now }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The status in words.
struct Words<'a> {
    shown: &'a Shown,
    now: Timestamp,
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Shown { running, status }, now) = (self.shown, self.now);
        writeln!(f, "host         {} at {}", status.host, status.server_url)?;
        let agent = &status.agent_version;
        if *running {
            writeln!(f, "agent        {agent}, running since {}", ago(status.started_at.0, now))?;
        } else {
            writeln!(f, "agent        {agent}, not running: start it with `inkan-agent run`")?;
        }
        match status.last_sync {
            Some(at) => writeln!(f, "last sync    {}, directives of generation {}", ago(at.0, now), status.generation)?,
            None => writeln!(f, "last sync    never")?,
        }
        if let Some(ScanStatus { at, locations, certificates, errors }) = status.last_scan {
            let when = ago(at.0, now);
            writeln!(f, "last scan    {when}: {locations} places, {certificates} certificates, {errors} read errors")?;
        }
        let renewal = status.identity.renew_at.0;
        writeln!(f, "identity     until {}, renewed about {renewal}", status.identity.not_after.0)?;
        if let Some(ahead) = status.clock_ahead_ms.filter(|ahead| ahead.abs() > 60_000) {
            writeln!(
                f,
                "clock        {} s {} the server's",
                ahead.abs() / 1_000,
                if ahead > 0 { "ahead of" } else { "behind" }
            )?;
        }
        if status.outcomes_waiting > 0 {
            writeln!(f, "waiting      {} outcomes that the server has not taken yet", status.outcomes_waiting)?;
        }
        if let Some(why) = &status.refused_directives {
            writeln!(f, "refused      {why}")?;
        }
        if let Some(trouble) = &status.trouble {
            writeln!(f, "trouble      {} for {}: {}", trouble.what, span(trouble.since.0, now), trouble.why)?;
        }
        Ok(())
    }
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{at} ({} ago)", span(at, now))
}

fn span(from: Timestamp, to: Timestamp) -> String {
    match to.since(from).whole_seconds() {
        seconds @ ..120 => format!("{} s", seconds.max(0)),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
