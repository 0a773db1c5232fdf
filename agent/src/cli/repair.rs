//! `repair`: changes of Windows' Internet Options by name, shown before they are made, and taken back by name.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use inkan_model::Clock as _;
use inkan_model::locale::Locale;
use inkan_model::programme::Programme;

use super::doctor::{Language, programme};
use super::{Failure, print};
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
    repair: Option<Repair>,
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

fn name(given: &str) -> Result<Repair, String> {
    let names = || Repair::ALL.map(Repair::name).join(", ");
    Repair::from_name(given).ok_or_else(|| format!("there is no such repair; there are: {}", names()))
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
    let Some(repair) = args.repair else {
        list(&journal, locale, out)?;
        return Ok(ExitCode::SUCCESS);
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

fn list(journal: &RepairJournal, locale: Locale, out: &mut dyn Write) -> Result<(), Failure> {
    for repair in Repair::ALL {
        print(out, format_args!("{:<16} {}\n", repair.name(), repair.what().in_locale(locale)))?;
    }
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
