//! `changes`: the journal of what the agent changed on this PC. Nothing is changed by looking.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use inkan_model::CertificateFacts;
use inkan_model::locale::{Bilingual, Locale};
use serde::Serialize;

use super::changing::Told;
use super::{Failure, print, print_json};
use crate::changes::record::{Asker, Because, ChangeRecord, ChangeState, Deed};
use crate::changes::{list_damaged, read};
use crate::settings::AgentSettings;

const EXAMPLES: &str = "\
Examples:
  inkan-agent changes
  inkan-agent changes --json

To take everything back: inkan-agent uninstall --restore-trust";

/// Shows what was changed in the stores of this PC, by whom, and how far it has come.
#[derive(Args, Clone, Copy, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ChangesArgs {
    #[command(flatten)]
    told: Told,
}

#[derive(Serialize)]
struct Shown {
    changes: Vec<ChangeRecord>,
    /// Journals that were damaged and put aside.
    damaged: Vec<String>,
}

pub(super) fn run(args: ChangesArgs, settings: &AgentSettings, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let (changes, damage) = read(&settings.data_dir).map_err(Failure::failed)?;
    let mut damaged: Vec<_> = list_damaged(&settings.data_dir).iter().map(|path| path.display().to_string()).collect();
    if damage.is_some() {
        damaged.push(settings.data_dir.join(crate::changes::FILE).display().to_string());
    }
    let shown = Shown { changes, damaged };
    if args.told.json {
        print_json(out, &shown)?;
    } else {
        print_words(out, &shown, args.told.locale())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_words(out: &mut dyn Write, shown: &Shown, locale: Locale) -> Result<(), Failure> {
    if shown.changes.is_empty() {
        let words = Bilingual::new(
            "エージェントはこのパソコンの証明書を変更していません。",
            "The agent has changed no certificates on this PC.",
        );
        print(out, format_args!("{}\n", words.in_locale(locale)))?;
    }
    for record in &shown.changes {
        print(out, format_args!("{}\n", in_words(record).in_locale(locale)))?;
    }
    for path in &shown.damaged {
        let words = Bilingual::new(
            format!("壊れた記録があり、その内容は自動では元に戻せません：{path}"),
            format!("A journal was damaged; what it held cannot be taken back by itself: {path}"),
        );
        print(out, format_args!("× {}\n", words.in_locale(locale)))?;
    }
    Ok(())
}

/// One change in two lines.
pub(super) fn in_words(record: &ChangeRecord) -> Bilingual {
    let ChangeRecord { id, location, certificate, deed, asked_by, asked_at, state, .. } = record;
    let facts = deed.der().and_then(|der| CertificateFacts::read(der).ok());
    let subject = facts.map(|facts| facts.common_name).unwrap_or_default();
    let Asker::LocalOperator { log_on_name } = asked_by;
    let (deed, state) = (deed_in_words(deed), state_in_words(state));
    let certificate = certificate.short();
    Bilingual::new(
        format!("{asked_at}  {}：{certificate} {subject}\n  {location}  {log_on_name}  {}  {id}", deed.ja, state.ja),
        format!("{asked_at}  {}: {certificate} {subject}\n  {location}  {log_on_name}  {}  {id}", deed.en, state.en),
    )
}

fn deed_in_words(deed: &Deed) -> Bilingual {
    match deed {
        Deed::AddAnchor { before: None, .. } => Bilingual::new("アンカーの追加", "anchor added"),
        Deed::AddAnchor { before: Some(_), .. } => Bilingual::new("アンカーの制限の変更", "anchor’s limits changed"),
        Deed::RemoveAnchor { .. } => Bilingual::new("アンカーの削除", "anchor removed"),
        Deed::Import { .. } => Bilingual::new("証明書の取り込み", "certificate imported"),
        Deed::RemoveCertificate { .. } => Bilingual::new("証明書の削除", "certificate removed"),
    }
}

fn state_in_words(state: &ChangeState) -> Bilingual {
    match state {
        ChangeState::Planned | ChangeState::Applied => {
            Bilingual::new("途中（次の起動時に続けます）", "under way (goes on at the next start)")
        }
        ChangeState::Confirmed => Bilingual::new("完了（確認済み）", "done, and read back"),
        ChangeState::Undoing { because: Because::Restore, stuck } => undoing(stuck.as_deref()),
        ChangeState::Undoing { because: Because::Failed { why }, stuck } => {
            let Bilingual { ja, en } = undoing(stuck.as_deref());
            Bilingual::new(format!("失敗：{why}　{ja}"), format!("failed: {why}; {en}"))
        }
        ChangeState::Undone => Bilingual::new("元に戻しました", "taken back"),
        ChangeState::Failed { why } => {
            Bilingual::new(format!("失敗（元のまま）：{why}"), format!("failed, all is as before: {why}"))
        }
    }
}

fn undoing(stuck: Option<&str>) -> Bilingual {
    match stuck {
        None => Bilingual::new("元に戻しています", "being taken back"),
        Some(why) => {
            Bilingual::new(format!("まだ元に戻せません（{why}）"), format!("cannot be taken back yet ({why})"))
        }
    }
}
