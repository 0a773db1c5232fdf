//! `doctor`: what is well on this PC, what is not, and what to do about it.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use inkan_model::locale::Locale;
use inkan_model::programme::Programme;
use serde::Serialize;
use tokio::runtime::Handle;

use super::proxy::ProxyFlag;
use super::{Failure, print, print_json, runtime};
use crate::causes::with_causes;
use crate::clock::SystemClock;
use crate::disk::Disk;
use crate::doctor::pc::{Doctor, system_registry};
use crate::doctor::{CheckResult, CheckStatus, programmes, worst};
use crate::identity::IdentityFolder;
use crate::scanner::backends;
use crate::session::{Proxy, reach};
use crate::settings::AgentSettings;

/// Something has to be done today.
const TO_DO: u8 = 7;

/// Checks this PC: what is well, what is not, and what to do about it.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// System that the PC should be fit for: one of those shipped (such as common-ca), or a programme's file
    #[arg(long, value_name = "ID|FILE", value_parser = programme)]
    programme: Option<Programme>,
    /// Print everything as JSON, in both languages
    #[arg(long)]
    json: bool,
    /// Language of the words
    #[arg(long, value_enum, default_value_t = Language::Ja)]
    lang: Language,
    /// HTTP proxy to go through, as in http://user:password@proxy:8080
    #[arg(long, value_name = "URL", env = "INKAN_AGENT_PROXY", hide_env_values = true)]
    proxy: Option<ProxyFlag>,
}

/// A language of the words.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Language {
    /// English
    En,
    /// 日本語
    Ja,
}

impl Language {
    pub(super) const fn locale(self) -> Locale {
        match self {
            Self::En => Locale::En,
            Self::Ja => Locale::Ja,
        }
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    worst: CheckStatus,
    programme: Option<&'a str>,
    checks: &'a [CheckResult],
}

/// The words of a refusal on the command line, with file, line and key.
pub(super) fn programme(given: &str) -> Result<Programme, String> {
    programmes::find(given).map_err(|error| with_causes(&error))
}

pub(super) fn run(args: &DoctorArgs, settings: &AgentSettings, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let proxy = ProxyFlag::proxy(args.proxy.clone())?;
    let runtime = runtime()?;
    let doctor = Doctor {
        settings: settings.clone(),
        backends: backends(settings),
        registry: system_registry(),
        clock: Arc::new(SystemClock),
        runtime: runtime.handle().clone(),
        proxy: proxy.clone(),
    };
    let server = reach_server(proxy, settings, runtime.handle());
    let checks = doctor.examine(args.programme.as_ref(), server);
    let worst = worst(&checks);
    if args.json {
        let programme = args.programme.as_ref().map(|programme| programme.id.as_str());
        print_json(out, &Shown { worst, programme, checks: &checks })?;
    } else {
        let locale = args.lang.locale();
        if let Some(programme) = &args.programme {
            print(out, format_args!("{}\n", programme.names.in_locale(locale)))?;
        }
        for check in &checks {
            print_check(out, check, locale)?;
        }
    }
    Ok(if worst == CheckStatus::Now { ExitCode::from(TO_DO) } else { ExitCode::SUCCESS })
}

/// Connects once, where this PC is enrolled.
fn reach_server(proxy: Option<Proxy>, settings: &AgentSettings, runtime: &Handle) -> Option<Result<(), String>> {
    let folder = IdentityFolder::new(Disk::default(), &settings.data_dir);
    let Ok(Some((identity, _))) = folder.find() else { return None };
    let reached = runtime.block_on(reach(&identity, proxy));
    Some(reached.map_err(|error| with_causes(&error)))
}

fn print_check(out: &mut dyn Write, check: &CheckResult, locale: Locale) -> Result<(), Failure> {
    let mark = match check.status {
        CheckStatus::Well => "○",
        CheckStatus::Unknown | CheckStatus::Unrecognized(_) => "？",
        CheckStatus::Soon => "△",
        CheckStatus::Now => "×",
    };
    print(out, format_args!("{mark} {}\n", check.statement.in_locale(locale)))?;
    match &check.remedy {
        Some(remedy) => print(out, format_args!("  → {}\n", remedy.in_locale(locale))),
        None => Ok(()),
    }
}
