//! The report that the server has taken last, kept so that a restart is as quiet as any other minute, and so that a set
//! that changed is told by what changed.
//!
//! Losing it costs one full report. It must never claim more than the server has said.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use inkan_model::HostId;
use inkan_model::digest::StateDigest;
use inkan_model::store::{Location, SetEntry, StoreSet};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::Observed;
use crate::disk::{self, Disk, Unsealed};

const FILE: usize = 256 * 1024 * 1024;

/// What the server has taken last.
pub struct Acknowledged {
    disk: Disk,
    path: PathBuf,
    host: HostId,
    state: Option<StateDigest>,
    sets: BTreeMap<Location, StoreSet>,
}

/// It could not be written. The next start reports in full.
#[derive(Debug, thiserror::Error)]
#[error("could not write {}", path.display())]
pub struct NotKept {
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub cause: io::Error,
}

#[derive(Deserialize, Serialize)]
struct Content {
    host: HostId,
    state: StateDigest,
    locations: Vec<Held>,
}

#[derive(Deserialize, Serialize)]
struct Held {
    location: Location,
    entries: Vec<SetEntry>,
}

impl Acknowledged {
    /// Reads what was kept for this host. Anything else counts as nothing.
    pub fn open(disk: Disk, path: &Path, host: HostId) -> Self {
        let mut acknowledged = Self { disk, path: path.to_path_buf(), host, state: None, sets: BTreeMap::new() };
        match Disk::find(path, FILE) {
            Ok(None) => {}
            Ok(Some(bytes)) => match disk::unseal::<Content>(&bytes) {
                Unsealed::Whole(content) if content.host == host => {
                    acknowledged.state = Some(content.state);
                    let held = |held: Held| (held.location, StoreSet::new(held.entries));
                    acknowledged.sets = content.locations.into_iter().map(held).collect();
                }
                Unsealed::Whole(_) => {}
                Unsealed::Damaged { why } => warn!(file = %path.display(), why, "reporting in full"),
            },
            Err(error) => warn!(file = %path.display(), %error, "reporting in full"),
        }
        acknowledged
    }

    /// The digest of the report that the server has taken last.
    pub const fn state(&self) -> Option<StateDigest> {
        self.state
    }

    /// The content of a Location that the server has taken last.
    pub fn find_set(&self, location: &Location) -> Option<&StoreSet> {
        self.sets.get(location)
    }

    /// Keeps what the server has taken.
    pub fn record(&mut self, observed: &Observed) -> Result<(), NotKept> {
        let content = |location: &Location| self.sets.get(location);
        let sets: BTreeMap<Location, StoreSet> = observed
            .report
            .locations
            .iter()
            .filter_map(|state| {
                let set = observed.sets.get(&state.set).or_else(|| content(&state.location))?;
                Some((state.location.clone(), set.clone()))
            })
            .collect();
        (self.state, self.sets) = (Some(observed.state), sets);
        self.write(observed.state)
    }

    fn write(&self, state: StateDigest) -> Result<(), NotKept> {
        let held = |(location, set): (&Location, &StoreSet)| Held {
            location: location.clone(),
            entries: set.entries().to_vec(),
        };
        let content = Content { host: self.host, state, locations: self.sets.iter().map(held).collect() };
        let sealed = disk::seal(&content).map_err(io::Error::from);
        let written = sealed.and_then(|bytes| self.disk.replace(&self.path, &bytes));
        written.map_err(|cause| NotKept { path: self.path.clone(), cause })
    }
}
