//! What agent and server tell each other in one Sync. Digest first: contents travel only when the server lacks them.

use time::Duration;

use crate::checkup::CheckupOutcome;
use crate::digest::{FieldHasher, Fingerprint, SetDigest, StateDigest};
use crate::directive::{Directives, Generation};
use crate::host::HostFacts;
use crate::renewal::Outcome;
use crate::store::{Location, ReadError, Scope};
use crate::time::Timestamp;

/// What a host holds at one Location, told by digest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocationState {
    /// Where.
    pub location: Location,
    /// The set that the last scan saw.
    pub set: SetDigest,
    /// What could not be read.
    pub errors: Vec<ReadError>,
}

/// Everything that a host reports about itself: its facts, and each Location.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HostReport {
    /// Facts of the PC.
    pub facts: HostFacts,
    /// Each Location once, sorted.
    pub locations: Vec<LocationState>,
}

/// Digest over a whole report. Equal digests mean that the server has everything already.
pub fn state_digest(report: &HostReport) -> StateDigest {
    let mut hasher = FieldHasher::new("inkan state v1");
    report.facts.feed(&mut hasher);
    let mut locations: Vec<_> = report.locations.iter().collect();
    locations.sort_unstable_by(|a, b| a.location.cmp(&b.location));
    hasher.number(locations.len() as u64);
    for LocationState { location, set, errors } in locations {
        hasher.code(location.kind.number());
        hasher.optional(match &location.scope {
            Scope::Machine => None,
            Scope::User(name) => Some(name),
        });
        hasher.field(location.path.as_bytes());
        hasher.field(set.as_bytes());
        hasher.number(errors.len() as u64);
        for ReadError { kind, item, detail } in errors {
            hasher.code(kind.number());
            hasher.field(item.as_bytes());
            hasher.field(detail.as_bytes());
        }
    }
    StateDigest::from_bytes(hasher.finish())
}

/// Where in an agent's spool an entry stands. Entries are replayed until the server acknowledges them, and recognised
/// by this pair, so that nothing counts twice.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SpoolPosition {
    /// Grows each time an agent has to begin a new spool.
    pub epoch: u64,
    /// Grows with each entry of one spool; the first is 1, and 0 is before the first.
    pub sequence: u64,
}

/// One entry of an agent's spool: something that happened and must reach the server exactly once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SpoolEntry {
    /// Sequence within the spool's epoch.
    pub sequence: u64,
    /// When it happened, by the PC's clock.
    pub at: Timestamp,
    /// What happened.
    pub told: Told,
}

/// What an entry of a spool tells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Told {
    /// What came of a step of a renewal.
    Renewal(Outcome),
    /// What the host's doctor found.
    Checkup(CheckupOutcome),
}

/// One Sync from an agent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SyncReport {
    /// Epoch of the agent's spool.
    pub epoch: u64,
    /// Entries that are not acknowledged yet, oldest first, without gaps.
    pub entries: Vec<SpoolEntry>,
    /// Digest over `report`, whether or not it is sent along.
    pub state: StateDigest,
    /// The whole report; sent when it changed since the last acknowledged Sync, or when the server asked.
    pub report: Option<HostReport>,
    /// The newest generation of directives that the agent has journaled.
    pub generation: Generation,
    /// The PC's clock.
    pub clock: Timestamp,
}

/// What the server still lacks before it can take a report.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Lacks {
    /// The report itself: its digest is not the one that the server holds.
    pub report: bool,
    /// Sets whose content the server has never seen.
    pub sets: Vec<SetDigest>,
    /// Certificates whose bytes the server has never seen.
    pub certificates: Vec<Fingerprint>,
}

impl Lacks {
    /// Whether the server has all that it needs.
    pub fn is_nothing(&self) -> bool {
        let Self { report, sets, certificates } = self;
        !report && sets.is_empty() && certificates.is_empty()
    }
}

/// The server's answer to one Sync. Everything acknowledged in it is committed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SyncAnswer {
    /// Up to where the spool is acknowledged. A greater epoch than the agent's tells it to begin a new one after it.
    pub acknowledged: SpoolPosition,
    /// What the server still lacks.
    pub lacks: Lacks,
    /// Directives, when the server's generation differs from the agent's.
    pub directives: Option<Directives>,
    /// The server's clock.
    pub server_time: Timestamp,
    /// When to sync next, unless nudged before.
    pub next_sync: Duration,
    /// Whether the agent should renew its identity now.
    pub renew_identity: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{StoreKind, StoreSet};

    fn at(path: &str) -> LocationState {
        let location = Location { kind: StoreKind::Directory, scope: Scope::Machine, path: path.to_owned() };
        LocationState { location, set: StoreSet::default().digest(), errors: Vec::new() }
    }

    #[test]
    fn the_state_digest_does_not_depend_on_the_order_of_locations() {
        let facts = HostFacts::default();
        let one = HostReport { facts: facts.clone(), locations: vec![at("/a"), at("/b")] };
        let other = HostReport { facts, locations: vec![at("/b"), at("/a")] };
        assert_eq!(state_digest(&one), state_digest(&other));
    }

    #[test]
    fn a_new_read_error_changes_the_state_digest() {
        let plain = HostReport { facts: HostFacts::default(), locations: vec![at("/a")] };
        let mut broken = plain.clone();
        broken.locations[0].errors.push(ReadError {
            kind: crate::store::ReadErrorKind::AccessDenied,
            item: String::new(),
            detail: "permission denied".to_owned(),
        });
        assert_ne!(state_digest(&plain), state_digest(&broken));
    }
}
