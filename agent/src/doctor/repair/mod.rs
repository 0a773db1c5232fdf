//! Repairs: changes of a user's Internet Options and of browser policies, each by name, each taken back by name.
//!
//! ```text
//! plan (pure over what the registry holds) ──► journal what was there ──► change ──► read back
//! ```
//! What was there before is journaled on disk before anything changes, so a repair that was cut off anywhere can be taken
//! back. Taking back leaves alone what somebody else has changed since. A repair never touches certificates or keys.

mod journal;
mod plan;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use inkan_model::Timestamp;
use inkan_model::locale::Bilingual;
use serde::{Deserialize, Serialize};

pub use self::journal::RepairJournal;
pub use self::plan::{NothingToRepair, plan};
use super::registry::{EditRegistry, Hive, KeyPath, Value};

/// The repairs there are.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repair {
    /// Lets a programme's sites open windows.
    PopUps,
    /// Lets a programme's hosts go past the proxy.
    ProxyException,
    /// Switches TLS 1.2 on, and SSL 2.0 and 3.0 off.
    Tls,
    /// Puts a programme's sites into the trusted zone.
    TrustedSite,
}

/// One value of the registry, before and after.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ValueChange {
    /// The key.
    pub key: KeyPath,
    /// The value's name.
    pub name: String,
    /// What was there.
    pub before: Option<Value>,
    /// What is to be there.
    pub after: Option<Value>,
}

/// A repair that was made, and is not taken back yet.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Applied {
    /// Which repair.
    pub repair: Repair,
    /// When.
    pub at: Timestamp,
    /// What it changed.
    pub changes: Vec<ValueChange>,
}

/// What taking back came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Undone {
    /// Values that are as they were.
    pub restored: usize,
    /// Values that somebody has changed since, which were left alone.
    pub left: Vec<ValueChange>,
    /// Values of users who are not logged on now. They stay journaled.
    pub waiting: Vec<ValueChange>,
}

/// A repair that was not made, or not taken back.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The registry cannot be read or changed.
    #[error("could not {step} {value} in {key}")]
    Registry {
        /// What was being done.
        step: &'static str,
        /// The key.
        key: KeyPath,
        /// The value's name.
        value: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// What was written does not read back.
    #[error("{value} in {key} does not hold what was written")]
    NotConfirmed {
        /// The key.
        key: KeyPath,
        /// The value's name.
        value: String,
    },
    /// What was there before cannot be journaled. Nothing was changed.
    #[error("could not write the journal of repairs {}", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The journal is not what was written.
    #[error("the journal of repairs {} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl Repair {
    /// All repairs.
    pub const ALL: [Self; 4] = [Self::Tls, Self::TrustedSite, Self::ProxyException, Self::PopUps];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PopUps => "pop-ups",
            Self::ProxyException => "proxy-exception",
            Self::Tls => "tls",
            Self::TrustedSite => "trusted-site",
        }
    }

    /// The opposite of [`Self::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|repair| repair.name() == name)
    }

    /// What it does, in a sentence.
    pub fn what(self) -> Bilingual {
        match self {
            Self::PopUps => Bilingual::new(
                "システムのサイトのポップアップを許可します (IE と Edge・Chrome のポリシー)。",
                "Lets the system’s sites open windows (Internet Explorer, and policies of Edge and Chrome).",
            ),
            Self::ProxyException => Bilingual::new(
                "システムのホストをプロキシの例外に加えます。",
                "Adds the system’s hosts to the exceptions of the proxy.",
            ),
            Self::Tls => Bilingual::new(
                "インターネットオプションで TLS 1.2 を有効に、SSL 2.0 と 3.0 を無効にします。",
                "Switches TLS 1.2 on, and SSL 2.0 and 3.0 off, in Internet Options.",
            ),
            Self::TrustedSite => Bilingual::new(
                "システムのサイトを信頼済みサイトに加えます。",
                "Puts the system’s sites among the trusted sites.",
            ),
        }
    }
}

/// Makes a repair: journals what was there, changes it, reads it back. Returns what was journaled, or `None` when all is
/// as it should be already.
pub fn apply(
    repair: Repair,
    changes: Vec<ValueChange>,
    registry: &dyn EditRegistry,
    journal: &mut RepairJournal,
    now: Timestamp,
) -> Result<Option<Applied>, RepairError> {
    if changes.is_empty() {
        return Ok(None);
    }
    let applied = Applied { repair, at: now, changes };
    journal.push(applied.clone())?;
    for change in &applied.changes {
        write(registry, change, change.after.as_ref())?;
    }
    Ok(Some(applied))
}

/// Takes back every repair of this name, the newest first.
pub fn undo(repair: Repair, registry: &dyn EditRegistry, journal: &mut RepairJournal) -> Result<Undone, RepairError> {
    let mut undone = Undone::default();
    let mut waiting = Vec::new();
    let loaded = registry.list_roots(Hive::Users).unwrap_or_default();
    for applied in journal.of(repair).into_iter().rev() {
        let (here, away): (Vec<_>, Vec<_>) = applied.changes.iter().cloned().partition(|one| is_loaded(one, &loaded));
        if !away.is_empty() {
            undone.waiting.extend(away.iter().cloned());
            waiting.insert(0, Applied { changes: away, ..applied.clone() });
        }
        for change in here.iter().rev() {
            let found = find(registry, change)?;
            if found == change.before {
                continue;
            }
            if found == change.after {
                write(registry, change, change.before.as_ref())?;
                undone.restored += 1;
            } else {
                undone.left.push(change.clone());
            }
        }
    }
    journal.keep(repair, waiting)?;
    Ok(undone)
}

/// Whether the user of a value is logged on: otherwise there is no hive in which it could be seen or changed.
fn is_loaded(change: &ValueChange, loaded: &[String]) -> bool {
    let sid = change.key.path.split('\\').next().unwrap_or_default();
    change.key.hive != Hive::Users || loaded.iter().any(|root| root.eq_ignore_ascii_case(sid))
}

fn find(registry: &dyn EditRegistry, change: &ValueChange) -> Result<Option<Value>, RepairError> {
    registry.find(&change.key, &change.name).map_err(|cause| failed("read", change, cause))
}

fn write(registry: &dyn EditRegistry, change: &ValueChange, to: Option<&Value>) -> Result<(), RepairError> {
    let written = match to {
        Some(value) => registry.set(&change.key, &change.name, value),
        None => registry.remove(&change.key, &change.name),
    };
    written.map_err(|cause| failed("change", change, cause))?;
    if find(registry, change)?.as_ref() == to {
        Ok(())
    } else {
        Err(RepairError::NotConfirmed { key: change.key.clone(), value: change.name.clone() })
    }
}

fn failed(step: &'static str, change: &ValueChange, cause: io::Error) -> RepairError {
    RepairError::Registry { step, key: change.key.clone(), value: change.name.clone(), cause }
}
