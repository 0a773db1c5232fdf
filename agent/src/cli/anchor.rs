//! `anchor`: what this PC trusts, by hand. Each change is journaled and can be taken back.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use inkan_model::locale::{Bilingual, Locale};
use inkan_model::store::Location;
use inkan_model::{Clock as _, EntryProperties, Fingerprint, limits};
use inkan_trust_store::{Anchor, ChangeError};

use super::changing::{Bench, Outcome, Told, asker, read_file, tell, tell_settled};
use super::places::{Meant, StoreWord};
use super::progress::Progress;
use super::{Failure, anchor_list};
use crate::changes::limits::{AnchorLimits, DnsName};
use crate::changes::record::Asker;
use crate::changes::screen::{self, check_anchor};
use crate::changes::{Changes, ChangesError, Done};
use crate::clock::SystemClock;
use crate::settings::AgentSettings;

const EXAMPLES: &str = "\
Examples:
  inkan-agent anchor list --all
  inkan-agent anchor add root.cer
  inkan-agent anchor add root.pem --store all --name 'Clinic root'
  inkan-agent anchor add gateway.crt --purpose server-auth --dns-names gateway.clinic.example.jp
  inkan-agent anchor remove 0f3a…64 hexadecimal digits…9c --store firefox

Nothing is changed that the journal does not know: see `inkan-agent changes`.";

/// Shows and changes what this PC trusts.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct AnchorArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the anchors that the agent put on this PC
    List(ListArgs),
    /// Trust a certificate from a file
    Add(AddArgs),
    /// Stop trusting a certificate
    Remove(RemoveArgs),
}

/// Shows anchors.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct ListArgs {
    /// Show every anchor of every store, whoever put it there
    #[arg(long)]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) told: Told,
}

#[derive(Args, Debug)]
struct Where {
    /// Which stores
    #[arg(long, value_enum, default_value_t = StoreWord::Machine)]
    store: StoreWord,
    /// One place, by the path or name that `scan` shows
    #[arg(long, value_name = "PATH", conflicts_with = "store")]
    location: Option<String>,
}

impl Where {
    fn meant(&self) -> Meant {
        self.location.clone().map_or(Meant::Word(self.store), Meant::Path)
    }
}

/// What an anchor may be good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Purpose {
    /// Servers' certificates
    ServerAuth,
}

#[derive(Args, Debug)]
struct AddArgs {
    /// File with the certificate, as PEM or DER
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Take every certificate of a file that has several
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    place: Where,
    /// Name in stores that keep names
    #[arg(long, value_name = "NAME", value_parser = name)]
    name: Option<String>,
    /// Limit what the anchor is good for
    #[arg(long, value_enum)]
    purpose: Option<Purpose>,
    /// Limit the anchor to these names and those below them
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    dns_names: Vec<DnsName>,
    /// Trust it without these limits where a store cannot keep them
    #[arg(long)]
    without_limits: bool,
    #[command(flatten)]
    told: Told,
}

#[derive(Args, Debug)]
struct RemoveArgs {
    /// The certificate, by its SHA-256 as `scan` shows it
    #[arg(value_name = "SHA256")]
    certificate: Fingerprint,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    told: Told,
}

fn name(given: &str) -> Result<String, limits::InvalidText> {
    limits::check_name(given, limits::SHORT_TEXT).map(|()| given.to_owned())
}

pub(super) fn run(args: &AnchorArgs, settings: &AgentSettings, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    run_on(&Bench::new(settings), args, out)
}

pub(super) fn run_on(bench: &Bench<'_>, args: &AnchorArgs, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    match &args.action {
        Action::List(args) => anchor_list::run(bench, *args, out),
        Action::Add(args) => add(bench, args, out),
        Action::Remove(args) => remove(bench, args, out),
    }
}

fn add(bench: &Bench<'_>, args: &AddArgs, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let anchors = read_anchors(args)?;
    let asker = asker();
    let locations = find_locations(bench, &args.place, &asker, args.told.locale())?;
    let (mut changes, settled) = bench.open()?;
    tell_settled(&settled);
    let mut outcomes = Vec::new();
    for anchor in &anchors {
        for location in &locations {
            let _progress = Progress::of(format!("changing {location}"));
            let done = add_one(&mut changes, location, anchor, args.without_limits, &asker);
            outcomes.push(Outcome::of(location, anchor.fingerprint(), done)?);
        }
    }
    tell(&outcomes, args.told, out)?;
    Ok(exit_code(&outcomes))
}

/// The anchors of the file with their limits, all of them checked before the first is added.
fn read_anchors(args: &AddArgs) -> Result<Vec<Anchor>, Failure> {
    let locale = args.told.locale();
    let bytes = read_file(&args.file, screen::FILE_BYTES)?;
    let found = screen::read_anchors(&bytes).map_err(|problem| Failure::refused(&problem.into(), locale))?;
    if found.len() > 1 && !args.all {
        let (count, file) = (found.len(), args.file.display());
        let words = Bilingual::new(
            format!("{file} には証明書が {count} 枚あります。すべてを信頼するには --all を付けてください。"),
            format!("{file} holds {count} certificates: add --all to trust all of them"),
        );
        return Err(Failure::usage_in(&words, locale));
    }
    let now = SystemClock.now();
    for der in &found {
        check_anchor(der, now).map_err(|refusal| Failure::refused(&refusal, locale))?;
    }
    let wanted = AnchorLimits { server_auth: args.purpose.is_some(), dns_names: args.dns_names.clone() };
    let properties = wanted.to_properties().ok_or_else(|| Failure::usage("too many --dns-names".to_owned()))?;
    let anchor = |der| Anchor { der, name: args.name.clone(), properties: properties.clone() };
    Ok(found.into_iter().map(anchor).collect())
}

fn add_one(
    changes: &mut Changes<'_>,
    location: &Location,
    anchor: &Anchor,
    without_limits: bool,
    asker: &Asker,
) -> Result<Done, ChangesError> {
    match changes.add_anchor(location, anchor.clone(), asker) {
        Err(ChangesError::Store { cause, stuck: None, .. })
            if without_limits && matches!(*cause, ChangeError::CannotLimit { .. }) =>
        {
            let unlimited = Anchor { properties: EntryProperties::default(), ..anchor.clone() };
            changes.add_anchor(location, unlimited, asker)
        }
        done => done,
    }
}

fn remove(bench: &Bench<'_>, args: &RemoveArgs, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let asker = asker();
    let locations = find_locations(bench, &args.place, &asker, args.told.locale())?;
    let (mut changes, settled) = bench.open()?;
    tell_settled(&settled);
    let mut outcomes = Vec::new();
    for location in &locations {
        let _progress = Progress::of(format!("changing {location}"));
        let done = changes.remove_anchor(location, args.certificate, &asker);
        outcomes.push(Outcome::of(location, args.certificate, done)?);
    }
    tell(&outcomes, args.told, out)?;
    Ok(exit_code(&outcomes))
}

fn find_locations(bench: &Bench<'_>, place: &Where, asker: &Asker, locale: Locale) -> Result<Vec<Location>, Failure> {
    let Asker::LocalOperator { log_on_name } = asker;
    let known = bench.locations(|store| store.anchors().is_some());
    let meant = place.meant();
    let mut found = meant.among(&known, log_on_name);
    let shown = |locations: &[Location]| -> Vec<String> { locations.iter().map(ToString::to_string).collect() };
    // A path of several users names nobody's store: what one person trusts is not every other person's.
    if place.location.is_some() && found.len() > 1 {
        return Err(Failure::several_places(&shown(&found), locale));
    }
    // Whoever says "all" means those that can be changed; whoever names one wants to hear why it cannot.
    if place.location.is_none() && place.store == StoreWord::All {
        found.retain(|location| bench.stores.iter().any(|store| can_change(store, location)));
    }
    if found.is_empty() {
        return Err(Failure::no_place(&meant, &shown(&known), locale));
    }
    Ok(found)
}

fn can_change(store: &Arc<dyn inkan_trust_store::StoreBackend>, location: &Location) -> bool {
    let anchors = store.anchors().filter(|_| store.discover().contains(location));
    anchors.is_some_and(|anchors| anchors.can_change(location).is_ok())
}

fn exit_code(outcomes: &[Outcome]) -> ExitCode {
    if outcomes.iter().all(Outcome::is_well) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
