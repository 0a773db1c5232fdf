//! The ledger: what the host was told to bring about, and how far each renewal has come. It outlives every crash.
//!
//! The whole ledger is one small file, written anew in one moment for each change, so that directives and the journal of
//! their steps never disagree. Memory changes only after the disk has. Directives only move forward: an older generation,
//! or the same one with other content, is refused, because either means that somebody else speaks in the server's place
//! or that the server forgot something that this host has already done.
//!
//! The ledger decides nothing. What to do next is [`crate::reconciler`]'s.

mod checkup;
mod record;

use std::io;
use std::path::{Path, PathBuf};

use inkan_model::directive::{Directives, Generation};
use inkan_model::sync::SpoolPosition;
use inkan_model::{CheckupId, HostId, RenewalId, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::warn;

pub use self::checkup::{CheckupRecord, MOST_BEGUN};
pub use self::record::{FailedStep, Owed, RenewalRecord, Stage};
use crate::disk::{self, Disk, Unsealed};

/// Bytes of a ledger: the most renewals that a host is given, with their chains.
const FILE: usize = 256 * 1024 * 1024;

/// A ledger that cannot be used, or that does not take what it is given.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The same generation came with other content.
    #[error("directives of generation {} came again with other content", generation.0)]
    Contradiction {
        /// The generation.
        generation: Generation,
    },
    /// The directives cannot be written as JSON.
    #[error("could not encode the ledger")]
    Encode(#[source] serde_json::Error),
    /// An older generation than the one journaled.
    #[error("directives of generation {} came after generation {}", given.0, journaled.0)]
    Older {
        /// The generation that came.
        given: Generation,
        /// The generation that the ledger has.
        journaled: Generation,
    },
    /// The file cannot be read.
    #[error("could not read the ledger {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The file cannot be written. The ledger is as it was before.
    #[error("could not write the ledger {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

/// The ledger of one host.
pub struct Ledger {
    disk: Disk,
    path: PathBuf,
    content: Content,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Content {
    host: HostId,
    directives: Directives,
    renewals: Vec<RenewalRecord>,
    #[serde(default)]
    checkups: Vec<CheckupRecord>,
}

impl Ledger {
    /// Opens the ledger at `path`. One of another host, or a damaged one, is put aside and an empty one takes its place:
    /// the server tells everything again, and every step finds what was done before.
    pub fn open(disk: Disk, path: &Path, host: HostId, now: Timestamp) -> Result<Self, LedgerError> {
        let read = |cause| LedgerError::Read { path: path.to_path_buf(), cause };
        let empty = Content { host, directives: Directives::default(), renewals: Vec::new(), checkups: Vec::new() };
        let content = match Disk::find(path, FILE).map_err(read)? {
            None => empty,
            Some(bytes) => match disk::unseal::<Content>(&bytes) {
                Unsealed::Whole(content) if content.host == host => content,
                Unsealed::Whole(_) => put_aside(&disk, path, "it is another host's", now).map(|()| empty)?,
                Unsealed::Damaged { why } => put_aside(&disk, path, &why, now).map(|()| empty)?,
            },
        };
        Ok(Self { disk, path: path.to_path_buf(), content })
    }

    /// The directives that count.
    pub const fn directives(&self) -> &Directives {
        &self.content.directives
    }

    /// The newest generation that is journaled.
    pub const fn generation(&self) -> Generation {
        self.content.directives.generation
    }

    /// How far a renewal has come, if anything was begun.
    pub fn find_record(&self, renewal: RenewalId) -> Option<&RenewalRecord> {
        self.content.renewals.iter().find(|record| record.renewal == renewal)
    }

    /// Every renewal that was begun, in the order in which it was.
    pub fn records(&self) -> &[RenewalRecord] {
        &self.content.renewals
    }

    /// How far a checkup has come, if it was begun.
    pub fn find_checkup(&self, checkup: CheckupId) -> Option<&CheckupRecord> {
        self.content.checkups.iter().find(|record| record.checkup == checkup)
    }

    /// Every checkup that was begun and is still listed.
    pub fn checkups(&self) -> &[CheckupRecord] {
        &self.content.checkups
    }

    /// Takes directives in place of those before; `false` when they are the same.
    pub fn accept(&mut self, directives: Directives) -> Result<bool, LedgerError> {
        let (given, journaled) = (directives.generation, self.generation());
        if given < journaled {
            return Err(LedgerError::Older { given, journaled });
        }
        if given == journaled {
            let same = directives == self.content.directives;
            return if same { Ok(false) } else { Err(LedgerError::Contradiction { generation: given }) };
        }
        self.write(Content { directives, ..self.content.clone() }).map(|()| true)
    }

    /// Journals how far a renewal has come.
    pub fn put_record(&mut self, record: RenewalRecord) -> Result<(), LedgerError> {
        self.put_records(vec![record])
    }

    /// Journals how far several renewals have come, in one moment.
    pub fn put_records(&mut self, records: Vec<RenewalRecord>) -> Result<(), LedgerError> {
        let mut content = self.content.clone();
        for record in records {
            match content.renewals.iter_mut().find(|known| known.renewal == record.renewal) {
                Some(known) => *known = record,
                None => content.renewals.push(record),
            }
        }
        self.write(content)
    }

    /// Journals how far several checkups have come, in one moment.
    pub fn put_checkups(&mut self, records: Vec<CheckupRecord>) -> Result<(), LedgerError> {
        let mut content = self.content.clone();
        for record in records {
            match content.checkups.iter_mut().find(|known| known.checkup == record.checkup) {
                Some(known) => *known = record,
                None => content.checkups.push(record),
            }
        }
        self.write(content)
    }

    /// Forgets the checkups that are no longer listed.
    pub fn retain_checkups(&mut self, listed: &[CheckupId]) -> Result<(), LedgerError> {
        if self.content.checkups.iter().all(|record| listed.contains(&record.checkup)) {
            return Ok(());
        }
        let mut content = self.content.clone();
        content.checkups.retain(|record| listed.contains(&record.checkup));
        self.write(content)
    }

    /// Forgets a renewal that is over.
    pub fn remove_record(&mut self, renewal: RenewalId) -> Result<(), LedgerError> {
        let mut content = self.content.clone();
        content.renewals.retain(|record| record.renewal != renewal);
        self.write(content)
    }

    /// Forgets what is owed up to where the server has acknowledged the spool.
    pub fn settle(&mut self, acknowledged: SpoolPosition) -> Result<(), LedgerError> {
        let mut content = self.content.clone();
        for record in &mut content.renewals {
            record.owed.retain(|owed| !owed.is_settled_by(acknowledged));
        }
        for record in &mut content.checkups {
            record.settle(acknowledged);
        }
        if content.renewals == self.content.renewals && content.checkups == self.content.checkups {
            return Ok(());
        }
        self.write(content)
    }

    fn write(&mut self, content: Content) -> Result<(), LedgerError> {
        let bytes = disk::seal(&content).map_err(LedgerError::Encode)?;
        self.disk.replace(&self.path, &bytes).map_err(|cause| LedgerError::Write { path: self.path.clone(), cause })?;
        self.content = content;
        Ok(())
    }
}

fn put_aside(disk: &Disk, path: &Path, why: &str, now: Timestamp) -> Result<(), LedgerError> {
    let aside = disk::beside(path, &format!(".damaged-{}", now.as_unix_millis()));
    warn!(ledger = %path.display(), aside = %aside.display(), why, "put a ledger aside");
    disk.rename(path, &aside).map_err(|cause| LedgerError::Write { path: path.to_path_buf(), cause })
}

#[cfg(test)]
mod tests;
