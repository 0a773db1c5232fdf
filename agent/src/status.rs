//! How it goes, in a small file beside the agent's state: for `inkan-agent status`, for monitoring, for whoever sits in
//! front of the PC. It holds no certificate and no name of a person.

use std::path::{Path, PathBuf};
use std::time::Duration;

use inkan_model::identity::AgentIdentity;
use inkan_model::{HostId, Timestamp, VendorId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing::debug;

use crate::disk::Disk;
use crate::identity::Identity;
use crate::sync::{Observed, Synced};

/// The file's name in the data directory.
pub const FILE: &str = "status.json";

/// How it goes. Moments are RFC 3339 in UTC, by the PC's clock unless said otherwise.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Status {
    /// Version of the agent.
    pub agent_version: String,
    /// Which host this is.
    pub host: HostId,
    /// Whose.
    pub vendor: VendorId,
    /// Address of the agents' listener.
    pub server_url: String,
    /// When the agent started.
    pub started_at: Moment,
    /// What the last scan saw.
    pub last_scan: Option<ScanStatus>,
    /// When the server last took everything.
    pub last_sync: Option<Moment>,
    /// The server's clock at that moment.
    pub server_time: Option<Moment>,
    /// How far the PC's clock is ahead of the server's.
    pub clock_ahead_ms: Option<i64>,
    /// When to sync next, unless nudged before.
    pub next_sync: Option<Moment>,
    /// Bytes of the last Sync in which nothing had to be said, question and answer.
    pub quiet_sync_bytes: Option<u64>,
    /// The newest generation of directives that is journaled.
    pub generation: u64,
    /// Directives that came and were refused, in words.
    pub refused_directives: Option<String>,
    /// Outcomes that the server has not acknowledged.
    pub outcomes_waiting: usize,
    /// The certificate of the agent itself.
    pub identity: IdentityStatus,
    /// What went wrong since the server last took everything.
    pub trouble: Option<Trouble>,
}

/// What a scan saw, in numbers.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ScanStatus {
    /// When.
    pub at: Moment,
    /// Stores.
    pub locations: usize,
    /// Different certificates.
    pub certificates: usize,
    /// Things that could not be read.
    pub errors: usize,
}

/// The certificate of the agent itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct IdentityStatus {
    /// Grows with each certificate.
    pub generation: u64,
    /// Its last moment.
    pub not_after: Moment,
    /// When it is going to be renewed.
    pub renew_at: Moment,
}

/// Something that went wrong.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Trouble {
    /// Since when.
    pub since: Moment,
    /// What could not be done.
    pub what: String,
    /// Why, the last time.
    pub why: String,
}

impl Status {
    /// Nothing has happened yet.
    pub fn new(identity: &Identity, now: Timestamp) -> Self {
        let AgentIdentity { deployment: _, vendor, host } = identity.agent;
        Self {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            host,
            vendor,
            server_url: identity.server_url.clone(),
            started_at: Moment(now),
            last_scan: None,
            last_sync: None,
            server_time: None,
            clock_ahead_ms: None,
            next_sync: None,
            quiet_sync_bytes: None,
            generation: 0,
            refused_directives: None,
            outcomes_waiting: 0,
            identity: identity_status(identity),
            trouble: None,
        }
    }

    pub(crate) fn scanned(&mut self, observed: &Observed) {
        let errors = observed.report.locations.iter().map(|state| state.errors.len()).sum();
        let (locations, certificates) = (observed.report.locations.len(), observed.certificates.len());
        self.last_scan = Some(ScanStatus { at: Moment(observed.at), locations, certificates, errors });
    }

    pub(crate) fn synced(&mut self, synced: &Synced, now: Timestamp, wait: Duration) {
        self.last_sync = Some(Moment(now));
        self.server_time = Some(Moment(synced.server_time));
        self.clock_ahead_ms = i64::try_from(synced.clock_ahead.whole_milliseconds()).ok();
        self.next_sync = time::Duration::try_from(wait).ok().map(|wait| Moment(now.plus(wait)));
        self.quiet_sync_bytes = synced.quiet_bytes.or(self.quiet_sync_bytes);
        self.refused_directives.clone_from(&synced.refused);
        self.trouble = None;
    }

    pub(crate) fn identity(&mut self, identity: &Identity) {
        self.identity = identity_status(identity);
        self.server_url.clone_from(&identity.server_url);
    }

    /// Takes note of what went wrong; `true` when the same went wrong the last time.
    pub(crate) fn troubled(&mut self, what: &str, why: &str, now: Timestamp) -> bool {
        let before = self.trouble.as_ref().filter(|trouble| trouble.what == what);
        let known = before.is_some_and(|trouble| trouble.why == why);
        let since = before.map_or(Moment(now), |trouble| trouble.since);
        self.trouble = Some(Trouble { since, what: what.to_owned(), why: why.to_owned() });
        known
    }
}

fn identity_status(identity: &Identity) -> IdentityStatus {
    let Identity { generation, not_after, .. } = *identity;
    IdentityStatus { generation, not_after: Moment(not_after), renew_at: Moment(identity.renew_at()) }
}

/// Writes the status whenever it changed.
pub struct StatusBoard {
    disk: Disk,
    path: PathBuf,
    status: Status,
}

impl StatusBoard {
    /// Shows this status in the data directory.
    pub fn new(disk: Disk, data_dir: &Path, mut status: Status) -> Self {
        // What a quiet Sync costs does not change because the agent was started anew.
        if let Ok(Some(before)) = read(data_dir)
            && before.host == status.host
        {
            status.quiet_sync_bytes = before.quiet_sync_bytes;
            status.last_sync = before.last_sync;
            status.server_time = before.server_time;
        }
        Self { disk, path: data_dir.join(FILE), status }
    }

    /// Changes the status. That it cannot be written is no reason to do anything else than before.
    pub fn update<T>(&mut self, change: impl FnOnce(&mut Status) -> T) -> T {
        let before = self.status.clone();
        let changed = change(&mut self.status);
        if self.status != before {
            let encoded = serde_json::to_vec_pretty(&self.status).map_err(std::io::Error::from);
            if let Err(error) = encoded.and_then(|bytes| self.disk.replace(&self.path, &bytes)) {
                debug!(%error, "could not write the status");
            }
        }
        changed
    }

    /// The status as it is now.
    pub const fn status(&self) -> &Status {
        &self.status
    }
}

/// Reads the status of the agent with this data directory; `None` when it has never run.
pub fn read(data_dir: &Path) -> std::io::Result<Option<Status>> {
    let bytes = Disk::find(&data_dir.join(FILE), 1024 * 1024)?;
    bytes.map(|bytes| serde_json::from_slice(&bytes).map_err(std::io::Error::from)).transpose()
}

/// A moment that is written in words of RFC 3339.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Moment(pub Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let moment = OffsetDateTime::parse(&text, &Rfc3339).map_err(serde::de::Error::custom)?;
        Ok(Self(Timestamp::from(moment)))
    }
}
