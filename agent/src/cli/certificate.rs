//! `certificate`: takes a certificate with its key away. There is no way back.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use inkan_model::Fingerprint;
use inkan_model::locale::Bilingual;
use inkan_model::store::{KeyPresence, Location, SetEntry};

use super::Failure;
use super::changing::{Bench, Outcome, Told, asker, tell, tell_settled};
use super::places::Meant;
use super::progress::Progress;
use crate::settings::AgentSettings;

const EXAMPLES: &str = "\
Examples:
  inkan-agent certificate remove 0f3a…64 hexadecimal digits…9c --yes
  inkan-agent certificate remove 0f3a…64 hexadecimal digits…9c --location MY --yes

The key goes with the certificate, unless another entry of this PC uses it. Nobody can bring it back.";

/// Takes a certificate with its key away.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct CertificateArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Remove a certificate, and its key where nothing else uses that
    Remove(RemoveArgs),
}

#[derive(Args, Debug)]
struct RemoveArgs {
    /// The certificate, by its SHA-256 as `scan` shows it
    #[arg(value_name = "SHA256")]
    certificate: Fingerprint,
    /// The place, by the path or name that `scan` shows; may be left out where there is only one
    #[arg(long, value_name = "PATH")]
    location: Option<String>,
    /// Do it, although there is no way back
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    told: Told,
}

pub(super) fn run(args: &CertificateArgs, settings: &AgentSettings, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    run_on(&Bench::new(settings), args, out)
}

pub(super) fn run_on(bench: &Bench<'_>, args: &CertificateArgs, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let Action::Remove(args) = &args.action;
    let location = find_location(bench, args)?;
    if !args.yes {
        let words = Bilingual::new(
            format!("{location} のこの証明書の鍵は、削除すると元に戻せません。削除するには --yes を付けてください。"),
            format!("the key of this certificate at {location} would be gone for good: add --yes to do it"),
        );
        return Err(Failure::usage_in(&words, args.told.locale()));
    }
    let (mut changes, settled) = bench.open()?;
    tell_settled(&settled);
    let done = {
        let _progress = Progress::of(format!("changing {location}"));
        changes.remove_certificate(&location, args.certificate, &asker())
    };
    let outcomes = [Outcome::of(&location, args.certificate, done)?];
    tell(&outcomes, args.told, out)?;
    Ok(if outcomes.iter().all(Outcome::is_well) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The one place that holds the certificate among those with keys.
fn find_location(bench: &Bench<'_>, args: &RemoveArgs) -> Result<Location, Failure> {
    let _progress = Progress::of("reading stores".to_owned());
    let mut found: Vec<Location> = Vec::new();
    for store in bench.stores.iter().filter(|store| store.keyed().is_some()) {
        for location in store.discover() {
            if store.read(&location).entries.iter().any(|entry| is_it(entry, args.certificate)) {
                found.push(location);
            }
        }
    }
    if let Some(path) = &args.location {
        found = Meant::Path(path.clone()).among(&found, "");
    }
    let certificate = args.certificate.short();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => {
            let words = Bilingual::new(
                format!("証明書 {certificate} は、エージェントが鍵ごと削除できる保管場所にありません。"),
                format!("certificate {certificate} is in no store from which the agent can take it away with its key"),
            );
            Err(Failure::usage_in(&words, args.told.locale()))
        }
        several => {
            let named: Vec<_> = several.iter().map(ToString::to_string).collect();
            Err(Failure::several_places(&named, args.told.locale()))
        }
    }
}

fn is_it(entry: &SetEntry, wanted: Fingerprint) -> bool {
    match entry {
        SetEntry::Certificate { certificate, key, .. } => *certificate == wanted && *key != KeyPresence::NotExpected,
        SetEntry::Unreadable { .. } => false,
    }
}
