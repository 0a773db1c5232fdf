//! One Sync: the report and its answer.

use std::collections::HashMap;

use inkan_model::digest::{Fingerprint, SetDigest, StateDigest};
use inkan_model::directive::Generation;
use inkan_model::limits;
use inkan_model::store::ReadError;
use inkan_model::sync::{HostReport, Lacks, LocationState, SpoolEntry, SpoolPosition, SyncAnswer, SyncReport};
use inkan_model::time::Timestamp;
use time::Duration;

use crate::field::{self, InvalidMessage};
use crate::pb;

impl TryFrom<pb::SyncRequest> for SyncReport {
    type Error = InvalidMessage;

    fn try_from(message: pb::SyncRequest) -> Result<Self, InvalidMessage> {
        let pb::SyncRequest { epoch, entries, state, report, generation, clock_ms } = message;
        let entries = field::each("entries", entries, limits::OUTCOMES, SpoolEntry::try_from)?;
        oldest_first(&entries)?;
        Ok(Self {
            epoch,
            entries,
            state: field::digest("state", &state, StateDigest::from_slice)?,
            report: field::optional("report", report)?,
            generation: Generation(generation),
            clock: Timestamp::from_unix_millis(clock_ms),
        })
    }
}

/// The acknowledgement is one number, so it would cover entries that arrive out of order without having counted them.
fn oldest_first(entries: &[SpoolEntry]) -> Result<(), InvalidMessage> {
    match entries.windows(2).position(|pair| pair[0].sequence >= pair[1].sequence) {
        Some(before) => {
            Err(InvalidMessage::new(format!("entries[{}].sequence", before + 1), "is not after the one before it"))
        }
        None => Ok(()),
    }
}

impl From<SyncReport> for pb::SyncRequest {
    fn from(report: SyncReport) -> Self {
        let SyncReport { epoch, entries, state, report, generation, clock } = report;
        Self {
            epoch,
            entries: entries.into_iter().map(Into::into).collect(),
            state: state.as_bytes().to_vec(),
            report: report.map(Into::into),
            generation: generation.0,
            clock_ms: clock.as_unix_millis(),
        }
    }
}

impl TryFrom<pb::HostReport> for HostReport {
    type Error = InvalidMessage;

    fn try_from(message: pb::HostReport) -> Result<Self, InvalidMessage> {
        let pb::HostReport { facts, locations } = message;
        let facts = field::message("facts", facts)?;
        let locations = field::each("locations", locations, limits::LOCATIONS, LocationState::try_from)?;
        each_location_once(&locations)?;
        Ok(Self { facts, locations })
    }
}

fn each_location_once(locations: &[LocationState]) -> Result<(), InvalidMessage> {
    let mut seen = HashMap::with_capacity(locations.len());
    for (index, state) in locations.iter().enumerate() {
        if let Some(first) = seen.insert(&state.location, index) {
            let field = format!("locations[{index}].location");
            return Err(InvalidMessage::new(field, format!("is the same as that of locations[{first}]")));
        }
    }
    Ok(())
}

impl From<HostReport> for pb::HostReport {
    fn from(report: HostReport) -> Self {
        let HostReport { facts, locations } = report;
        Self { facts: Some(facts.into()), locations: locations.into_iter().map(Into::into).collect() }
    }
}

impl TryFrom<pb::LocationState> for LocationState {
    type Error = InvalidMessage;

    fn try_from(message: pb::LocationState) -> Result<Self, InvalidMessage> {
        let pb::LocationState { location, set, errors } = message;
        Ok(Self {
            location: field::message("location", location)?,
            set: field::digest("set", &set, SetDigest::from_slice)?,
            errors: field::each("errors", errors, limits::READ_ERRORS, ReadError::try_from)?,
        })
    }
}

impl From<LocationState> for pb::LocationState {
    fn from(state: LocationState) -> Self {
        let LocationState { location, set, errors } = state;
        Self {
            location: Some(location.into()),
            set: set.as_bytes().to_vec(),
            errors: errors.into_iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<pb::SyncResponse> for SyncAnswer {
    type Error = InvalidMessage;

    fn try_from(message: pb::SyncResponse) -> Result<Self, InvalidMessage> {
        let pb::SyncResponse {
            acknowledged_epoch,
            acknowledged_sequence,
            lacks,
            directives,
            server_time_ms,
            next_sync_seconds,
            renew_identity,
        } = message;
        Ok(Self {
            acknowledged: SpoolPosition { epoch: acknowledged_epoch, sequence: acknowledged_sequence },
            lacks: field::optional("lacks", lacks)?.unwrap_or_default(),
            directives: field::optional("directives", directives)?,
            server_time: Timestamp::from_unix_millis(server_time_ms),
            next_sync: Duration::seconds(next_sync_seconds.into()),
            renew_identity,
        })
    }
}

/// The time to the next Sync travels in whole seconds, rounded down.
impl From<SyncAnswer> for pb::SyncResponse {
    fn from(answer: SyncAnswer) -> Self {
        let SyncAnswer { acknowledged, lacks, directives, server_time, next_sync, renew_identity } = answer;
        let longest = i64::from(u32::MAX);
        let next_sync_seconds = u32::try_from(next_sync.whole_seconds().clamp(0, longest)).unwrap_or(u32::MAX);
        Self {
            acknowledged_epoch: acknowledged.epoch,
            acknowledged_sequence: acknowledged.sequence,
            lacks: Some(lacks.into()),
            directives: directives.map(Into::into),
            server_time_ms: server_time.as_unix_millis(),
            next_sync_seconds,
            renew_identity,
        }
    }
}

impl TryFrom<pb::Lacks> for Lacks {
    type Error = InvalidMessage;

    fn try_from(message: pb::Lacks) -> Result<Self, InvalidMessage> {
        let pb::Lacks { report, sets, certificates } = message;
        Ok(Self {
            report,
            sets: field::digests("sets", sets, limits::LACKS, SetDigest::from_slice)?,
            certificates: field::digests("certificates", certificates, limits::LACKS, Fingerprint::from_slice)?,
        })
    }
}

/// Names at most [`limits::LACKS`] of each kind. The rest is not lost: it is still lacking, so the next answer names
/// it.
impl From<Lacks> for pb::Lacks {
    fn from(lacks: Lacks) -> Self {
        let Lacks { report, sets, certificates } = lacks;
        Self {
            report,
            sets: sets.iter().take(limits::LACKS).map(|set| set.as_bytes().to_vec()).collect(),
            certificates: certificates.iter().take(limits::LACKS).map(|one| one.as_bytes().to_vec()).collect(),
        }
    }
}

impl TryFrom<pb::UploadResponse> for Lacks {
    type Error = InvalidMessage;

    fn try_from(message: pb::UploadResponse) -> Result<Self, InvalidMessage> {
        Ok(field::optional("lacks", message.lacks)?.unwrap_or_default())
    }
}

impl From<Lacks> for pb::UploadResponse {
    fn from(lacks: Lacks) -> Self {
        Self { lacks: Some(lacks.into()) }
    }
}
