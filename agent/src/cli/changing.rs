//! What the commands that change stores share: the ground they work on, and how they say what came out.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use inkan_model::id::ChangeId;
use inkan_model::locale::{Bilingual, Locale};
use inkan_model::store::Location;
use inkan_model::{Fingerprint, limits};
use inkan_trust_store::{ChangeError, Removed, StoreBackend};
use serde::Serialize;
use zeroize::Zeroizing;

use super::doctor::Language;
use super::progress::Progress;
use super::{Failure, print, print_json};
use crate::causes::with_causes;
use crate::chance::SystemChance;
use crate::changes::record::{Asker, ChangeRecord};
use crate::changes::{Changes, ChangesError, Done, Ground, Settled, depended_on};
use crate::clock::SystemClock;
use crate::disk::Disk;
use crate::identity::IdentityFolder;
use crate::scanner::backends;
use crate::settings::AgentSettings;

/// How long a command waits for another one to finish.
const PATIENCE: Duration = Duration::from_mins(1);

/// How what came out is told.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Told {
    /// Print what came out as JSON, in both languages
    #[arg(long)]
    pub(super) json: bool,
    /// Language of the words
    #[arg(long, value_enum, default_value_t = Language::Ja)]
    lang: Language,
}

impl Told {
    pub(super) const fn locale(self) -> Locale {
        self.lang.locale()
    }
}

/// What a command works with.
pub(super) struct Bench<'a> {
    pub(super) settings: &'a AgentSettings,
    disk: Disk,
    clock: SystemClock,
    protected: BTreeSet<Fingerprint>,
    pub(super) stores: Vec<Arc<dyn StoreBackend>>,
}

impl<'a> Bench<'a> {
    pub(super) fn new(settings: &'a AgentSettings) -> Self {
        let disk = Disk::default();
        // Whoever cannot read the identity cannot change the machine's stores either.
        let identity = IdentityFolder::new(disk.clone(), &settings.data_dir).find();
        let identity = identity.ok().flatten().map(|(identity, _)| identity);
        let protected = identity.as_ref().map(depended_on).unwrap_or_default();
        Self { settings, disk, clock: SystemClock, protected, stores: backends(settings) }
    }

    #[cfg(test)]
    pub(super) fn with_stores(self, stores: Vec<Arc<dyn StoreBackend>>) -> Self {
        Self { stores, ..self }
    }

    /// Waits for other commands, and first finishes or takes back what was cut off.
    pub(super) fn open(&self) -> Result<(Changes<'_>, Vec<Settled>), Failure> {
        let _progress = Progress::of("waiting for other changes of the stores".to_owned());
        let ground = Ground {
            disk: &self.disk,
            data_dir: &self.settings.data_dir,
            stores: &self.stores,
            clock: &self.clock,
            chance: &SystemChance,
            protected: &self.protected,
        };
        Changes::open(ground, PATIENCE).map_err(Failure::changes)
    }

    /// The Locations that can be changed in this way, each once.
    pub(super) fn locations(&self, can: impl Fn(&dyn StoreBackend) -> bool) -> Vec<Location> {
        let _progress = Progress::of("looking for stores".to_owned());
        let found = self.stores.iter().filter(|store| can(&***store)).flat_map(|store| store.discover());
        let mut found: Vec<_> = found.collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Who runs this command, as the session says.
pub(super) fn asker() -> Asker {
    Asker::LocalOperator { log_on_name: log_on_name(|variable| std::env::var(variable).ok()) }
}

/// The log-on name, and of `sudo` whoever asked for it.
fn log_on_name(variable: impl Fn(&str) -> Option<String>) -> String {
    let said = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let name = match (said("USERDOMAIN"), said("USERNAME")) {
        (Some(domain), Some(name)) => Some(format!(r"{domain}\{name}")),
        (None, Some(name)) => Some(name),
        (_, None) => said("SUDO_USER").or_else(|| said("LOGNAME")).or_else(|| said("USER")),
    };
    limits::tame_text(name.as_deref().unwrap_or("unknown"), limits::SHORT_TEXT)
}

/// Reads a file that a person named, as far as `limit` and a byte, so that the reader can say that it is too large.
pub(super) fn read_file(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |why: String| Failure::usage(format!("could not read {}: {why}", path.display()));
    match Disk::find(path, limit) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(failed("there is no such file".to_owned())),
        Err(error) => Err(failed(with_causes(&error))),
    }
}

/// How one change came out, for a person and for scripts.
#[derive(Serialize)]
pub(super) struct Outcome {
    location: Location,
    certificate: Fingerprint,
    #[serde(rename = "outcome")]
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<ChangeId>,
    /// The application that sees the change only after it was started again.
    #[serde(skip_serializing_if = "Option::is_none")]
    restart: Option<String>,
    words: Bilingual,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    AlreadySo,
    Changed,
    Failed,
    Refused,
}

impl Outcome {
    /// From what a change came to. What the journal does not take ends the command.
    pub(super) fn of(
        location: &Location,
        certificate: Fingerprint,
        done: Result<Done, ChangesError>,
    ) -> Result<Self, Failure> {
        let base =
            |kind, words| Self { location: location.clone(), certificate, kind, change: None, restart: None, words };
        Ok(match done {
            Ok(Done::AlreadySo) => base(
                Kind::AlreadySo,
                Bilingual::new(
                    format!("{location}：すでにそのとおりになっています。"),
                    format!("{location}: it is so already."),
                ),
            ),
            Ok(Done::Made { record, removed }) => {
                let ChangeRecord { id, restart, .. } = record;
                let words = made(location, restart.as_deref(), removed.as_ref());
                Self { change: Some(id), restart, ..base(Kind::Changed, words) }
            }
            Err(ChangesError::Refused(refusal)) => base(Kind::Refused, refusal.words()),
            Err(error @ ChangesError::Store { .. }) => base(Kind::Failed, failed(location, &error)),
            Err(error @ ChangesError::Journal(_)) => return Err(Failure::changes(error)),
        })
    }

    pub(super) fn is_well(&self) -> bool {
        matches!(self.kind, Kind::AlreadySo | Kind::Changed)
    }
}

fn made(location: &Location, restart: Option<&str>, removed: Option<&Removed>) -> Bilingual {
    let restart = restart.map(|application| {
        Bilingual::new(
            format!("{application} を再起動すると有効になります。"),
            format!(" {application} sees it after it was started again."),
        )
    });
    let key = removed.map(|removed| match removed {
        Removed::WithKey => Bilingual::new("鍵も削除しました。", " Its key is gone, too."),
        Removed::WithoutKey | Removed::AlreadyGone => {
            Bilingual::new("ここに鍵はありませんでした。", " It had no key here.")
        }
        Removed::KeyStays { used_by } => Bilingual::new(
            format!("鍵はほかで使われているため残しました（{}）。", used_by.join("、")),
            format!(" Its key stays, because these use it: {}.", used_by.join(", ")),
        ),
    });
    let more =
        |locale| [&restart, &key].map(|words| words.as_ref().map_or("", |words| words.in_locale(locale))).concat();
    Bilingual::new(
        format!("{location}：変更し、読み戻して確かめました。{}", more(Locale::Ja)),
        format!("{location}: changed, and read back.{}", more(Locale::En)),
    )
}

fn failed(location: &Location, error: &ChangesError) -> Bilingual {
    if let ChangesError::Store { stuck: None, cause, .. } = error
        && let ChangeError::CannotLimit { limit, .. } = &**cause
    {
        return Bilingual::new(
            format!(
                "{location}：この保管場所は制限（{limit}）を守れないため、変更していません。元のままです。\
                 制限なしで信頼してよければ --without-limits を付けてください。"
            ),
            format!(
                "{location} cannot enforce {limit}; all is as before. If it may be trusted there without them, add \
                 --without-limits."
            ),
        );
    }
    let en = with_causes(error);
    let ja = match error {
        ChangesError::Store { stuck: None, cause, .. } => {
            format!("{location}：変更できませんでした。元のままです。{}", with_causes(cause))
        }
        ChangesError::Store { stuck: Some(why), cause, .. } => format!(
            "{location}：変更できず、元にも戻せませんでした（{why}）。次の起動時にもう一度試します。{}",
            with_causes(cause)
        ),
        ChangesError::Journal(_) | ChangesError::Refused(_) => en.clone(),
    };
    Bilingual::new(ja, en)
}

/// Says how changes came out.
pub(super) fn tell(outcomes: &[Outcome], told: Told, out: &mut dyn Write) -> Result<(), Failure> {
    if told.json {
        return print_json(out, &outcomes);
    }
    for outcome in outcomes {
        let mark = if outcome.is_well() { "○" } else { "×" };
        let certificate = outcome.certificate.short();
        print(out, format_args!("{mark} {} [{certificate}]\n", outcome.words.in_locale(told.locale())))?;
    }
    Ok(())
}

/// Says what became of changes that were cut off earlier. To stderr, because nobody asked.
pub(super) fn tell_settled(settled: &[Settled]) {
    for Settled { record, stuck } in settled {
        match stuck {
            None => tracing::info!(change = %record.id, "settled a change that was cut off"),
            Some(why) => tracing::warn!(change = %record.id, why, "a change that was cut off cannot be settled yet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_person_is_named_as_the_session_says() {
        let name = |said: &[(&str, &str)]| {
            log_on_name(|variable| {
                said.iter().find(|(name, _)| *name == variable).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(name(&[("USERDOMAIN", "CLINIC"), ("USERNAME", "hanako")]), r"CLINIC\hanako");
        assert_eq!(name(&[("SUDO_USER", "hanako"), ("USER", "root")]), "hanako");
        assert_eq!(name(&[("USER", "ha\nnako")]), "ha nako");
        assert_eq!(name(&[("USER", " ")]), "unknown");
    }
}
