//! `repair`: changes of Windows' Internet Options by name, shown before they are made, and taken back by name.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use inkan_model::Clock as _;
use inkan_model::locale::Locale;
use inkan_model::programme::Programme;

use super::doctor::{Language, programme};
use super::{Failure, firefox_roots, print};
use crate::clock::SystemClock;
use crate::disk::Disk;
use crate::doctor::registry::EditRegistry;
use crate::doctor::repair::{self, Repair, RepairJournal, ValueChange};
use crate::settings::AgentSettings;

/// Repairs an option of this PC by name, and takes it back.
#[derive(Args, Debug)]
pub struct RepairArgs {
    /// Which repair; without one, all are listed, and those that were made
    #[arg(value_name = "NAME", value_parser = name)]
    repair: Option<Named>,
    /// System whose sites and hosts it is for: one of those shipped, or a programme's file
    #[arg(long, value_name = "ID|FILE", value_parser = programme)]
    programme: Option<Programme>,
    /// Log-on name of the only user whose options are changed
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Take back what this repair changed
    #[arg(long, requires = "repair", conflicts_with_all = ["programme", "user", "dry_run"])]
    undo: bool,
    /// Only show what would be changed
    #[arg(long, requires = "repair")]
    dry_run: bool,
    /// Language of the words
    #[arg(long, value_enum, default_value_t = Language::Ja)]
    lang: Language,
}

/// There is nothing of the kind on this operating system.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("repairs change options of Windows, which this PC does not have")]
struct NotWindows;

/// A repair by its name: of the registry, or of Firefox's policies.
#[derive(Clone, Copy, Debug)]
enum Named {
    Options(Repair),
    FirefoxRoots,
}

fn name(given: &str) -> Result<Named, String> {
    if given == firefox_roots::NAME {
        return Ok(Named::FirefoxRoots);
    }
    let names = || Repair::ALL.map(Repair::name).join(", ");
    let unknown = || format!("there is no such repair; there are: {}, {}", names(), firefox_roots::NAME);
    Repair::from_name(given).map(Named::Options).ok_or_else(unknown)
}

#[cfg(windows)]
fn registry() -> Result<impl EditRegistry, NotWindows> {
    Ok(crate::doctor::registry::WindowsRegistry)
}

#[cfg(not(windows))]
fn registry() -> Result<Box<dyn EditRegistry>, NotWindows> {
    Err(NotWindows)
}

pub(super) fn run(args: &RepairArgs, settings: &AgentSettings, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let locale = args.lang.locale();
    let mut journal = RepairJournal::open(Disk::default(), &settings.data_dir).map_err(Failure::failed)?;
    let repair = match args.repair {
        None => {
            list(&journal, locale, out)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Named::FirefoxRoots) => return of_firefox(args, locale, out),
        Some(Named::Options(repair)) => repair,
    };
    let registry = registry().map_err(Failure::failed)?;
    #[cfg(not(windows))]
    let registry = &*registry;
    #[cfg(windows)]
    let registry = &registry as &dyn EditRegistry;
    if args.undo {
        let undone = repair::undo(repair, registry, &mut journal).map_err(Failure::failed)?;
        let count = undone.restored;
        say(out, locale, &format!("{count}件を元に戻しました。"), &format!("Restored: {count}."))?;
        for change in &undone.waiting {
            let (ja, en) = (
                "ユーザーがログオンしていないため、あとで戻してください",
                "its user is not logged on; take it back later",
            );
            say(out, locale, &format!("{} — {ja}", shown(change)), &format!("{} — {en}", shown(change)))?;
        }
        for change in &undone.left {
            let (ja, en) = ("あとから変更されているため、そのままにしました", "changed since, and left as it is");
            say(out, locale, &format!("{} — {ja}", shown(change)), &format!("{} — {en}", shown(change)))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let changes = repair::plan(repair, args.programme.as_ref(), args.user.as_deref(), registry);
    let changes = changes.map_err(Failure::failed)?;
    for change in &changes {
        print(out, format_args!("{}\n", shown(change)))?;
    }
    if args.dry_run {
        let count = changes.len();
        say(out, locale, &format!("{count}件を変更します。"), &format!("Would change: {count}."))?;
        return Ok(ExitCode::SUCCESS);
    }
    let applied = repair::apply(repair, changes, registry, &mut journal, SystemClock.now()).map_err(Failure::failed)?;
    match applied {
        None => say(out, locale, "直すところはありません。", "There is nothing to repair.")?,
        Some(applied) => {
            let count = applied.changes.len();
            let ja = format!(
                "{count}件を変更しました。ブラウザをすべて閉じて開き直してください。元に戻すには --undo を付けます。"
            );
            let en = format!("Changed: {count}. Close every browser and open it again. Take it back with --undo.");
            say(out, locale, &ja, &en)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes or takes back the repair of each Firefox.
fn of_firefox(args: &RepairArgs, locale: Locale, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let installations = firefox_roots::installations();
    if installations.is_empty() {
        say(out, locale, "この端末全体の Firefox はありません。", "No Firefox is installed for the whole PC.")?;
    }
    let mut all_well = true;
    for firefox in &installations {
        let (well, words) =
            if args.undo { firefox_roots::withdraw(firefox) } else { firefox_roots::apply(firefox, args.dry_run) };
        all_well &= well;
        print(out, format_args!("{}\n", words.in_locale(locale)))?;
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Takes back every repair that was made on this PC; says in words what could not be.
pub(super) fn take_back_all(settings: &AgentSettings) -> Result<Vec<String>, Failure> {
    let mut stuck: Vec<_> = firefox_roots::installations()
        .iter()
        .map(firefox_roots::withdraw)
        .filter_map(|(well, words)| (!well).then_some(words.en))
        .collect();
    let mut journal = match RepairJournal::open(Disk::default(), &settings.data_dir) {
        Ok(journal) => journal,
        Err(error) => {
            stuck.push(crate::causes::with_causes(&error));
            return Ok(stuck);
        }
    };
    if journal.applied().is_empty() {
        return Ok(stuck);
    }
    let registry = registry().map_err(Failure::failed)?;
    #[cfg(not(windows))]
    let registry = &*registry;
    #[cfg(windows)]
    let registry = &registry as &dyn EditRegistry;
    for repair in Repair::ALL {
        match repair::undo(repair, registry, &mut journal) {
            // What somebody else has changed since is theirs now.
            Ok(undone) => stuck.extend(undone.waiting.iter().map(shown)),
            Err(error) => stuck.push(crate::causes::with_causes(&error)),
        }
    }
    Ok(stuck)
}

fn list(journal: &RepairJournal, locale: Locale, out: &mut dyn Write) -> Result<(), Failure> {
    for repair in Repair::ALL {
        print(out, format_args!("{:<16} {}\n", repair.name(), repair.what().in_locale(locale)))?;
    }
    print(out, format_args!("{:<16} {}\n", firefox_roots::NAME, firefox_roots::what().in_locale(locale)))?;
    for applied in journal.applied() {
        let (at, name, count) = (applied.at, applied.repair.name(), applied.changes.len());
        say(out, locale, &format!("{at} {name}: {count}件を変更済み"), &format!("{at} {name}: changed {count}"))?;
    }
    Ok(())
}

fn shown(change: &ValueChange) -> String {
    let value = |value: &Option<crate::doctor::registry::Value>| match value {
        None => "(none)".to_owned(),
        Some(value) => value.to_string(),
    };
    format!("{}\\{}: {} → {}", change.key, change.name, value(&change.before), value(&change.after))
}

fn say(out: &mut dyn Write, locale: Locale, ja: &str, en: &str) -> Result<(), Failure> {
    print(out, format_args!("{}\n", if locale == Locale::Ja { ja } else { en }))
}
