//! The spool: outcomes on their way to the server, durable until it has committed them.
//!
//! An entry is one of an epoch, and numbered within it, so that the server recognises what it has seen before. The epoch
//! stands in the file's name and outlives whatever happens to its content. A record that was cut off at the end is taken
//! away when the spool is opened; damage in the midst puts the whole file aside and begins a new epoch. Nothing is lost by
//! either, because the ledger owes every outcome until the server has acknowledged it, and spools it again.
//!
//! The spool must never renumber an entry, and never hand out one that is not durable.

mod record;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use inkan_model::sync::{SpoolEntry, SpoolPosition, Told};
use inkan_model::{Timestamp, limits};
use tracing::warn;

use crate::disk::Disk;
use record::{Contents, HEADER, Header};

/// Bytes of a spool's file. The ledger bounds what is owed, so a real one stays far below.
const FILE: usize = 64 * 1024 * 1024;
/// Bytes of requests, signatures and words in the entries of one Sync, beside which the rest is small.
const SYNC_BYTES: usize = 512 * 1024;

/// A spool that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It cannot be appended to. What it held before is untouched.
    #[error("could not append to the spool {}", path.display())]
    Append {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The new spool, or the shorter one, cannot be written.
    #[error("could not write the spool {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// It cannot be opened.
    #[error("could not open the spool {}", path.display())]
    Open {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The outcome is larger than any outcome can be.
    #[error("an outcome is too large to be spooled")]
    TooLarge,
}

/// The spool of one agent.
pub struct Spool {
    disk: Disk,
    folder: PathBuf,
    header: Header,
    entries: Vec<SpoolEntry>,
    /// Bytes of the file that are whole. The file is opened for each change: before Windows 10 a file that is open cannot
    /// be replaced.
    length: u64,
    /// Whether an append failed halfway, so that the file may be longer than that.
    ragged: bool,
}

impl Spool {
    /// Opens the newest spool in the folder, or begins the first one. `now` goes into the name of a damaged file.
    pub fn open(disk: Disk, folder: &Path, now: Timestamp) -> Result<Self, SpoolError> {
        let failed = |cause| SpoolError::Open { path: folder.to_path_buf(), cause };
        disk.create_folder(folder).map_err(failed)?;
        let newest = newest_epoch(folder).map_err(failed)?;
        let Some((epoch, path)) = newest else { return Self::begin(disk, folder, 1) };
        if path != epoch_path(folder, epoch) {
            // The newest one was put aside, and the agent ended before it began the next.
            return Self::begin(disk, folder, epoch.saturating_add(1));
        }
        let failed = |cause| SpoolError::Open { path: path.clone(), cause };
        let why = match Disk::find(&path, FILE) {
            Ok(bytes) => match record::read(&bytes.unwrap_or_default()) {
                Contents::Whole { header, entries, length } if header.epoch == epoch => {
                    return Self::resume(disk, folder, header, entries, length);
                }
                Contents::Whole { .. } => "its name and its header disagree",
                Contents::Damaged { why } => why,
            },
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => "it is too large",
            Err(cause) => return Err(failed(cause)),
        };
        let aside = folder.join(format!("{epoch:016}.damaged-{}", now.as_unix_millis()));
        warn!(spool = %path.display(), aside = %aside.display(), why, "put a damaged spool aside");
        disk.rename(&path, &aside).map_err(failed)?;
        Self::begin(disk, folder, epoch.saturating_add(1))
    }

    fn resume(
        disk: Disk,
        folder: &Path,
        header: Header,
        entries: Vec<SpoolEntry>,
        length: usize,
    ) -> Result<Self, SpoolError> {
        let path = epoch_path(folder, header.epoch);
        let failed = |cause| SpoolError::Open { path: path.clone(), cause };
        let mut file = disk.open_to_append(&path).map_err(failed)?;
        let ragged = file.metadata().map_err(failed)?.len() != length as u64;
        let folder_path = folder.to_path_buf();
        let mut spool = Self { disk, folder: folder_path, header, entries, length: length as u64, ragged };
        spool.mend(&mut file).map_err(failed)?;
        remove_older(&spool.disk, folder, header.epoch);
        Ok(spool)
    }

    fn begin(disk: Disk, folder: &Path, epoch: u64) -> Result<Self, SpoolError> {
        let header = Header { epoch, acknowledged: 0 };
        write_whole(&disk, folder, header, &[])?;
        remove_older(&disk, folder, epoch);
        let folder = folder.to_path_buf();
        Ok(Self { disk, folder, header, entries: Vec::new(), length: HEADER as u64, ragged: false })
    }

    /// Begins a new spool after `epoch`, and after this one. Entries of this one are no longer handed out.
    pub fn begin_after(&mut self, epoch: u64) -> Result<(), SpoolError> {
        let next = self.header.epoch.max(epoch).saturating_add(1);
        *self = Self::begin(self.disk.clone(), &self.folder, next)?;
        Ok(())
    }

    /// The epoch of this spool.
    pub const fn epoch(&self) -> u64 {
        self.header.epoch
    }

    /// Where the last entry stands, acknowledged or not.
    pub fn last(&self) -> SpoolPosition {
        let sequence = self.entries.last().map_or(self.header.acknowledged, |entry| entry.sequence);
        SpoolPosition { epoch: self.header.epoch, sequence }
    }

    /// Up to where the entries are acknowledged.
    pub const fn acknowledged(&self) -> SpoolPosition {
        SpoolPosition { epoch: self.header.epoch, sequence: self.header.acknowledged }
    }

    /// Entries that are not acknowledged.
    pub fn pending(&self) -> usize {
        self.entries.len()
    }

    /// The oldest entries that are not acknowledged, as many as fit one Sync.
    pub fn oldest(&self) -> Vec<SpoolEntry> {
        let mut bytes = 0;
        let fits = |entry: &&SpoolEntry| {
            bytes += weight(entry);
            bytes <= SYNC_BYTES
        };
        self.entries.iter().take(limits::OUTCOMES).take_while(fits).cloned().collect()
    }

    /// Appends what is to be told, and returns where it stands once it is durable.
    pub fn append(&mut self, told: Told, at: Timestamp) -> Result<SpoolPosition, SpoolError> {
        let path = epoch_path(&self.folder, self.header.epoch);
        let failed = |cause| SpoolError::Append { path: path.clone(), cause };
        let SpoolPosition { epoch, sequence } = self.last();
        let entry = SpoolEntry { sequence: sequence.saturating_add(1), at, told };
        let bytes = record::write_record(epoch, &entry).ok_or(SpoolError::TooLarge)?;
        let mut file = self.disk.open_to_append(&path).map_err(failed)?;
        self.mend(&mut file).map_err(failed)?;
        self.ragged = true;
        self.disk.append(&mut file, &bytes).map_err(failed)?;
        self.ragged = false;
        self.length += bytes.len() as u64;
        self.entries.push(entry);
        Ok(self.last())
    }

    /// Takes away what the server has committed. A position of another epoch, or beyond the last entry, changes nothing.
    pub fn acknowledge(&mut self, position: SpoolPosition) -> Result<(), SpoolError> {
        let SpoolPosition { epoch, sequence } = position;
        let last = self.last();
        if epoch != last.epoch || sequence <= self.header.acknowledged || sequence > last.sequence {
            return Ok(());
        }
        let header = Header { epoch, acknowledged: sequence };
        let entries: Vec<_> = self.entries.iter().filter(|entry| entry.sequence > sequence).cloned().collect();
        write_whole(&self.disk, &self.folder, header, &entries)?;
        self.length = whole_length(header, &entries)?;
        self.ragged = false;
        (self.header, self.entries) = (header, entries);
        Ok(())
    }

    /// Takes away what an append left behind that failed halfway.
    fn mend(&mut self, file: &mut File) -> io::Result<()> {
        if self.ragged {
            self.disk.cut(file, self.length)?;
            self.ragged = false;
        }
        Ok(())
    }
}

fn weight(entry: &SpoolEntry) -> usize {
    use inkan_model::renewal::OutcomeResult;
    match &entry.told {
        Told::Renewal(outcome) => match &outcome.result {
            OutcomeResult::Requested { csr } => csr.len(),
            OutcomeResult::Proven { proof, .. } => {
                proof.signature.len() + proof.probe.as_ref().map_or(0, |probe| probe.detail.len())
            }
            OutcomeResult::Failed { why, .. } => why.len(),
            OutcomeResult::Installed { .. } | OutcomeResult::OldArchived { .. } | OutcomeResult::Unrecognized(_) => 0,
        },
        Told::Checkup(checkup) => {
            let length = |text: &inkan_model::locale::Bilingual| text.ja.len() + text.en.len();
            let each = |result: &inkan_model::checkup::CheckResult| {
                length(&result.statement) + result.remedy.as_ref().map_or(0, length)
            };
            checkup.results.iter().map(each).sum()
        }
    }
}

fn whole(header: Header, entries: &[SpoolEntry]) -> Result<Vec<u8>, SpoolError> {
    let mut bytes = record::write_header(header);
    for entry in entries {
        bytes.extend(record::write_record(header.epoch, entry).ok_or(SpoolError::TooLarge)?);
    }
    Ok(bytes)
}

fn whole_length(header: Header, entries: &[SpoolEntry]) -> Result<u64, SpoolError> {
    whole(header, entries).map(|bytes| bytes.len() as u64)
}

fn write_whole(disk: &Disk, folder: &Path, header: Header, entries: &[SpoolEntry]) -> Result<(), SpoolError> {
    let path = epoch_path(folder, header.epoch);
    let failed = |cause| SpoolError::Write { path: path.clone(), cause };
    disk.replace(&path, &whole(header, entries)?).map_err(failed)
}

fn epoch_path(folder: &Path, epoch: u64) -> PathBuf {
    folder.join(format!("{epoch:016}.spool"))
}

/// The greatest epoch that the folder knows, damaged ones among them, and its file.
fn newest_epoch(folder: &Path) -> io::Result<Option<(u64, PathBuf)>> {
    let mut newest: Option<(u64, PathBuf)> = None;
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let Some((epoch, rest)) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.split_once('.'))
        else {
            continue;
        };
        let Ok(epoch) = epoch.parse::<u64>() else { continue };
        // Of a damaged file and a whole one of the same epoch the whole one counts.
        let rank = |path: &Path| path.extension().is_some_and(|extension| extension == "spool");
        if rest != "spool" && !rest.starts_with("damaged-") {
            continue;
        }
        if newest.as_ref().is_none_or(|(most, found)| (epoch, rank(&path)) > (*most, rank(found))) {
            newest = Some((epoch, path));
        }
    }
    Ok(newest)
}

/// Spools of older epochs hold nothing that is not spooled again. A damaged one stays for whoever wants to look at it.
fn remove_older(disk: &Disk, folder: &Path, epoch: u64) {
    let Ok(files) = fs::read_dir(folder) else { return };
    for path in files.flatten().map(|file| file.path()) {
        let is_spool = path.extension().is_some_and(|extension| extension == "spool");
        let older = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok());
        if is_spool && older.is_some_and(|older| older < epoch) {
            // It is tried again when the spool is opened next.
            let _ = disk.remove(&path);
        }
    }
}

#[cfg(test)]
mod tests;
