//! `doctor`: what is well on this PC, what is not, and what to do about it.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use inkan_model::Clock as _;
use inkan_model::locale::Locale;
use serde::Serialize;

use super::{Failure, print, print_json, runtime};
use crate::causes::with_causes;
use crate::clock::SystemClock;
use crate::disk::Disk;
use crate::doctor::{CheckResult, Examination, Status, worst};
use crate::identity::IdentityFolder;
use crate::scanner::{Scanner, backends};
use crate::session::{Proxy, reach};
use crate::settings::AgentSettings;

/// Something has to be done today.
const TO_DO: u8 = 7;

/// Checks this PC: what is well, what is not, and what to do about it.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// Print everything as JSON, in both languages
    #[arg(long)]
    json: bool,
    /// Language of the words
    #[arg(long, value_enum, default_value_t = Language::Ja)]
    lang: Language,
    /// HTTP proxy to go through, as in http://user:password@proxy:8080
    #[arg(long, value_name = "URL", env = "INKAN_AGENT_PROXY", hide_env_values = true)]
    proxy: Option<Proxy>,
}

/// A language of the words.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Language {
    /// English
    En,
    /// 日本語
    Ja,
}

#[derive(Serialize)]
struct Shown<'a> {
    worst: Status,
    checks: &'a [CheckResult],
}

pub(super) fn run(args: &DoctorArgs, settings: &AgentSettings, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let clock = Arc::new(SystemClock);
    let stores = backends(settings);
    let scan = Scanner::new(stores.clone(), settings.location_deadline, Arc::clone(&clock) as Arc<_>).scan();
    let server = reach_server(args, settings)?;
    let examination = Examination { settings, backends: &stores, scan: &scan, now: clock.now(), server };
    let checks = examination.run();
    let worst = worst(&checks);
    if args.json {
        print_json(out, &Shown { worst, checks: &checks })?;
    } else {
        let locale = match args.lang {
            Language::En => Locale::En,
            Language::Ja => Locale::Ja,
        };
        for check in &checks {
            print_check(out, check, locale)?;
        }
    }
    Ok(if worst == Status::Now { ExitCode::from(TO_DO) } else { ExitCode::SUCCESS })
}

/// Connects once, where this PC is enrolled.
fn reach_server(args: &DoctorArgs, settings: &AgentSettings) -> Result<Option<Result<(), String>>, Failure> {
    let folder = IdentityFolder::new(Disk::default(), &settings.data_dir);
    let Ok(Some((identity, _))) = folder.find() else { return Ok(None) };
    let reached = runtime()?.block_on(reach(&identity, args.proxy.clone()));
    Ok(Some(reached.map_err(|error| with_causes(&error))))
}

fn print_check(out: &mut dyn Write, check: &CheckResult, locale: Locale) -> Result<(), Failure> {
    let mark = match check.status {
        Status::Well => "○",
        Status::Unknown => "？",
        Status::Soon => "△",
        Status::Now => "×",
    };
    print(out, format_args!("{mark} {}\n", check.statement.in_locale(locale)))?;
    match &check.remedy {
        Some(remedy) => print(out, format_args!("  → {}\n", remedy.in_locale(locale))),
        None => Ok(()),
    }
}
