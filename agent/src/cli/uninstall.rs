//! `uninstall`: takes back what the agent put on this PC, and removes what it keeps of its own.
//!
//! Files are removed by the names that the agent gives them and never by folder, so that a mistyped data directory costs
//! nothing. As long as something could not be taken back, the journal that knows of it stays.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use inkan_model::locale::{Bilingual, Locale};
use serde::Serialize;

use super::changes::in_words;
use super::changing::{Bench, Told, tell_settled};
use super::progress::Progress;
use super::{Failure, print, print_json};
use crate::changes::plan::{Extent, plan_restore};
use crate::changes::record::ChangeRecord;
use crate::changes::{self, Restored, list_damaged};
use crate::data_dir::DataDir;
use crate::disk::Disk;
use crate::doctor::repair::RepairJournal;
use crate::service::{self, ServiceError, Standing};
use crate::settings::AgentSettings;

/// Folders of the agent in its data directory.
const FOLDERS: [&str; 4] = ["identity", "identity.next", "identity.before", "spool"];
/// Beginnings of the names of the agent's files there, the journal of changes and locks apart.
const FILES: [&str; 5] = ["acknowledged.json", "agent.log", "ledger.json", "notices.json", "status.json"];

const EXAMPLES: &str = "\
Examples:
  inkan-agent uninstall --restore-trust
  inkan-agent uninstall --restore-trust --keep-data

The program itself is removed by the package or installer that brought it.";

/// Takes back what the agent changed, and removes its service, identity and data.
#[derive(Args, Clone, Copy, Debug)]
#[command(after_help = EXAMPLES)]
pub struct UninstallArgs {
    /// Bring what this PC trusts back to what it was before the agent came
    #[arg(long)]
    restore_trust: bool,
    /// Remove certificates that were imported through the agent as well, with their keys: nobody can bring them back
    #[arg(long, requires = "restore_trust")]
    imported_certificates: bool,
    /// Keep identity and data
    #[arg(long)]
    keep_data: bool,
    #[command(flatten)]
    told: Told,
}

/// What an uninstallation came to.
#[derive(Default, Serialize)]
struct Uninstalled {
    /// Changes that were taken back.
    restored: Vec<ChangeRecord>,
    /// Changes that could not be taken back, and why.
    stuck: Vec<(ChangeRecord, String)>,
    /// Changes to which there is no way back.
    irreversible: Vec<ChangeRecord>,
    /// Imported certificates that stay.
    kept_certificates: Vec<ChangeRecord>,
    /// Repairs that could not be taken back, and why.
    repairs_stuck: Vec<String>,
    /// Journals that were damaged and stay.
    damaged: Vec<String>,
    /// Whether identity and data are removed.
    data_removed: bool,
}

pub(super) fn run(args: UninstallArgs, settings: &AgentSettings, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    remove_service()?;
    run_on(&Bench::new(settings), args, out)
}

pub(super) fn run_on(bench: &Bench<'_>, args: UninstallArgs, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let settings = bench.settings;
    let data_dir = DataDir::new(&settings.data_dir);
    let lock = data_dir.lock().map_err(Failure::data_dir)?;
    let mut done = Uninstalled::default();
    if args.restore_trust {
        done = restore(bench, args)?;
        done.repairs_stuck = super::repair::take_back_all(settings)?;
    }
    let is_well = done.stuck.is_empty() && done.damaged.is_empty() && done.repairs_stuck.is_empty();
    if !args.keep_data {
        let knows = !is_well || !args.restore_trust;
        remove_data(&settings.data_dir, knows).map_err(Failure::failed)?;
        drop(lock);
        if !knows {
            remove_rest(&settings.data_dir);
        }
        done.data_removed = true;
    }
    if args.told.json {
        print_json(out, &done)?;
    } else {
        print_words(out, &done, args.told.locale())?;
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Stops the service and removes it, where this operating system has ours.
fn remove_service() -> Result<(), Failure> {
    let _progress = Progress::of("stopping the service".to_owned());
    match service::status() {
        Ok(Standing::NotInstalled) | Err(ServiceError::Unsupported | ServiceError::NotInstalled) => Ok(()),
        Ok(Standing::Running | Standing::Starting | Standing::Stopped | Standing::Stopping) => {
            service::stop().map_err(Failure::failed)?;
            service::uninstall().map_err(Failure::failed)
        }
        Err(error) => Err(Failure::failed(error)),
    }
}

fn restore(bench: &Bench<'_>, args: UninstallArgs) -> Result<Uninstalled, Failure> {
    let (mut changes, settled) = bench.open()?;
    tell_settled(&settled);
    let extent = if args.imported_certificates { Extent::Everything } else { Extent::Anchors };
    let mut progress = None;
    let mut begun = |location: &inkan_model::store::Location| {
        drop(progress.take());
        progress = Some(Progress::of(format!("bringing back {location}")));
    };
    let restored = changes.restore(extent, &mut begun).map_err(Failure::changes)?;
    drop(progress);
    let Restored { settled, irreversible } = restored;
    let mut done = Uninstalled { irreversible, ..Uninstalled::default() };
    for settled in settled {
        match settled.stuck {
            None => done.restored.push(settled.record),
            Some(why) => done.stuck.push((settled.record, why)),
        }
    }
    if !args.imported_certificates {
        let left = plan_restore(changes.records(), Extent::Everything);
        let stays = |record: &&ChangeRecord| left.restorations.iter().any(|one| one.changes.contains(&record.id));
        let is_import = |record: &&ChangeRecord| !record.deed.is_about_anchor();
        done.kept_certificates = changes.records().iter().filter(is_import).filter(stays).cloned().collect();
    }
    done.damaged = list_damaged(&bench.settings.data_dir).iter().map(|path| path.display().to_string()).collect();
    Ok(done)
}

/// Removes identity and data; the journals as well, unless they still know of something that stays.
fn remove_data(data_dir: &Path, journal_stays: bool) -> std::io::Result<()> {
    let disk = Disk::default();
    for folder in FOLDERS {
        disk.remove_folder(&data_dir.join(folder))?;
    }
    let journals: &[_] = if journal_stays { &[] } else { &[changes::FILE, RepairJournal::FILE] };
    for entry in std::fs::read_dir(data_dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_ours = |beginning: &&str| name.to_string_lossy().starts_with(*beginning);
        if entry.file_type()?.is_file() && FILES.iter().chain(journals).any(is_ours) {
            disk.remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes locks that nobody holds any more, and the directory where nothing else is in it.
fn remove_rest(data_dir: &Path) {
    for lock in ["lock", changes::LOCK] {
        // Somebody who holds it is at work there; then the directory stays, too.
        let _ = std::fs::remove_file(data_dir.join(lock));
    }
    let _ = std::fs::remove_dir(data_dir);
}

fn print_words(out: &mut dyn Write, done: &Uninstalled, locale: Locale) -> Result<(), Failure> {
    let Uninstalled { restored, stuck, irreversible, kept_certificates, repairs_stuck, damaged, data_removed } = done;
    let mut say = |mark: &str, words: Bilingual| print(out, format_args!("{mark} {}\n", words.in_locale(locale)));
    for record in restored {
        let Bilingual { ja, en } = in_words(record);
        say("○", Bilingual::new(ja, en))?;
    }
    for (record, _) in stuck {
        say("×", in_words(record))?;
    }
    for record in irreversible {
        let Bilingual { ja, en } = in_words(record);
        let words = Bilingual::new(format!("{ja}\n  元には戻せません。"), format!("{en}\n  There is no way back."));
        say("△", words)?;
    }
    for record in kept_certificates {
        let Bilingual { ja, en } = in_words(record);
        let words = Bilingual::new(
            format!("{ja}\n  取り込んだ証明書は残しました（--imported-certificates で削除）。"),
            format!("{en}\n  The imported certificate stays. (--imported-certificates removes it.)"),
        );
        say("△", words)?;
    }
    for why in repairs_stuck {
        let words = Bilingual::new(
            format!("修復を元に戻せませんでした：{why}"),
            format!("A repair could not be taken back: {why}"),
        );
        say("×", words)?;
    }
    for path in damaged {
        let words = Bilingual::new(
            format!("壊れた記録の内容は元に戻せません：{path}"),
            format!("What a damaged journal held cannot be taken back: {path}"),
        );
        say("×", words)?;
    }
    if *data_removed {
        let words = Bilingual::new(
            "このパソコンの登録情報とデータを削除しました。",
            "The identity and the data of this PC are removed.",
        );
        say("○", words)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_agent_wrote_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        std::fs::create_dir_all(data_dir.join("identity")).unwrap();
        for file in ["identity/identity.json", "ledger.json", "ledger.json.damaged-1", "changes.json", "agent.log.1"] {
            std::fs::write(data_dir.join(file), "x").unwrap();
        }
        std::fs::write(data_dir.join("letter.txt"), "mine").unwrap();
        let left = || {
            let names = std::fs::read_dir(&data_dir).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
            names.sort_unstable();
            names
        };
        remove_data(&data_dir, true).unwrap();
        assert_eq!(left(), ["changes.json", "letter.txt"]);
        remove_data(&data_dir, false).unwrap();
        remove_rest(&data_dir);
        assert_eq!(left(), ["letter.txt"]);
        std::fs::remove_file(data_dir.join("letter.txt")).unwrap();
        remove_rest(&data_dir);
        assert!(!data_dir.exists());
    }
}
