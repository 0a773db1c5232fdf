//! Taking what agents bring: Sync and Upload. Digest first, committed before acknowledged, idempotent throughout.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use inkan_model::identity::renew_at;
use inkan_model::limits;
use inkan_model::store::{SetDelta, StoreSet};
use inkan_model::sync::{Lacks, SpoolEntry, SpoolPosition, SyncAnswer, SyncReport, Told, state_digest};
use inkan_model::time::DAY;
use inkan_model::{Certificate, HostId, SetDigest, Timestamp};
use time::Duration;

use crate::assess::{assess, is_clock_wrong};
use crate::core::Core;
use crate::error::AgentRefusal;
use crate::feed::Change;
use crate::ports::{DbResult, HostSession, Presence};

/// Signs of life that wait to be written, one for each host. A crash loses ten seconds of "last seen" and nothing else.
#[derive(Default)]
pub(crate) struct PresenceBuffer(Mutex<HashMap<HostId, Presence>>);

impl PresenceBuffer {
    fn note(&self, presence: Presence) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(presence.host, presence);
    }

    pub(crate) fn take(&self) -> Vec<Presence> {
        let taken = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut seen: Vec<_> = taken.into_values().collect();
        seen.sort_unstable_by_key(|presence| presence.host);
        seen
    }

    fn put_back(&self, seen: Vec<Presence>) {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for presence in seen {
            buffer.entry(presence.host).or_insert(presence);
        }
    }
}

/// Counters of agents beyond this are nonsense, and would not fit the database's integers.
pub(crate) const MOST_COUNTED: u64 = 1 << 60;

/// Contents that an agent brings because the server lacks them.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Certificates.
    pub certificates: Vec<Certificate>,
    /// Whole sets; their digests were recomputed when they were read.
    pub sets: Vec<(SetDigest, StoreSet)>,
    /// Sets told by what changed, with the digest that must come out.
    pub deltas: Vec<(SetDigest, SetDelta)>,
}

impl Core {
    /// Takes one Sync of the host whose session this is.
    ///
    /// # Errors
    /// When a field is wrong or something failed; nothing is acknowledged then.
    pub async fn sync(
        &self,
        host: HostId,
        session: &HostSession,
        report: SyncReport,
    ) -> Result<SyncAnswer, AgentRefusal> {
        let now = self.now();
        self.note_presence(host, session, report.clock, now).await?;
        let acknowledged = self.take_entries(host, session, &report, now).await?;
        let lacks = self.take_report(host, session, &report, now).await?;
        // A quiet Sync costs one read: the session that was checked at the door. Only outcomes make it stale.
        let directives = if acknowledged == session.spool {
            self.directives_for(host, session, report.generation).await?
        } else {
            match self.db().find_session(host).await? {
                Some(session) => self.directives_for(host, &session, report.generation).await?,
                None => None,
            }
        };
        Ok(SyncAnswer {
            acknowledged,
            lacks,
            directives,
            server_time: now,
            next_sync: self.settings().sync_interval,
            renew_identity: is_identity_due(host, session, now),
        })
    }

    async fn note_presence(
        &self,
        host: HostId,
        session: &HostSession,
        clock: Timestamp,
        now: Timestamp,
    ) -> Result<(), AgentRefusal> {
        let presence = Presence { host, at: now, clock_offset_ms: clock.since(now).whole_milliseconds_clamped() };
        self.inner.presence.note(presence);
        let came_back = now.since(session.last_seen) >= DAY;
        let clock_changed = is_clock_wrong(presence.clock_offset_ms) != is_clock_wrong(session.clock_offset_ms);
        if came_back || clock_changed {
            self.db().record_presence(&[presence]).await?;
            self.review_host(host).await?;
            self.inner.feed.publish(Change { vendor: session.vendor, host });
        }
        Ok(())
    }

    /// Takes the spool's entries that are new, and says up to where the spool is acknowledged.
    async fn take_entries(
        &self,
        host: HostId,
        session: &HostSession,
        report: &SyncReport,
        now: Timestamp,
    ) -> Result<SpoolPosition, AgentRefusal> {
        let Some(new) = new_entries(session.spool, report)? else { return Ok(session.spool) };
        let Some(last) = new.last() else { return Ok(session.spool) };
        let position = SpoolPosition { epoch: report.epoch, sequence: last.sequence };
        let (mut outcomes, mut checkups) = (Vec::new(), Vec::new());
        for entry in new {
            match entry.told.clone() {
                Told::Renewal(outcome) => outcomes.push(outcome),
                Told::Checkup(checkup) => checkups.push(checkup),
            }
        }
        self.apply_outcomes(host, session, &outcomes, checkups, position, now).await?;
        Ok(position)
    }

    async fn take_report(
        &self,
        host: HostId,
        session: &HostSession,
        report: &SyncReport,
        now: Timestamp,
    ) -> Result<Lacks, AgentRefusal> {
        if session.state_digest == Some(report.state) {
            return Ok(Lacks::default());
        }
        let Some(full) = &report.report else { return Ok(Lacks { report: true, ..Lacks::default() }) };
        if state_digest(full) != report.state {
            return Err(AgentRefusal::invalid("state", "is not the digest of the report"));
        }
        let mut sets: Vec<_> = full.locations.iter().map(|location| location.set).collect();
        sets.sort_unstable();
        sets.dedup();
        let lacks = self.db().find_lacking(&sets, &[]).await?;
        if lacks.is_nothing() {
            self.db().record_report(host, full, report.state, now).await?;
            self.review_host(host).await?;
            self.inner.feed.publish(Change { vendor: session.vendor, host });
        }
        Ok(lacks)
    }

    /// Takes contents, and says what is still lacking of what they name.
    ///
    /// # Errors
    /// When a delta does not lead to its digest, or the database failed.
    pub async fn take_contents(&self, contents: Contents) -> Result<Lacks, AgentRefusal> {
        let Contents { certificates, mut sets, deltas } = contents;
        let mut lacks = Lacks::default();
        for (digest, delta) in deltas {
            match self.db().find_set(delta.base).await? {
                None => lacks.sets.push(digest),
                Some(base) => {
                    let set = base.apply(&delta);
                    if set.digest() != digest || set.entries().len() > limits::SET_ENTRIES {
                        return Err(AgentRefusal::invalid("deltas", format!("{digest} does not come out of its base")));
                    }
                    sets.push((digest, set));
                }
            }
        }
        lacks.certificates = self.db().record_contents(&certificates, &sets).await?;
        let wanted: Vec<_> = sets.iter().map(|(digest, _)| *digest).collect();
        lacks.sets.extend(self.db().find_lacking(&wanted, &[]).await?.sets);
        Ok(lacks)
    }

    /// Applies the rules to one host and stores what they find.
    pub(crate) async fn review_host(&self, host: HostId) -> DbResult<()> {
        let now = self.now();
        if let Some(observed) = self.db().find_observation(host).await? {
            let assessment = assess(&observed, now);
            self.db().record_assessment(host, &assessment.diagnoses, assessment.next_review, now).await?;
        }
        Ok(())
    }

    /// Writes the signs of life that have gathered; they are kept when that fails.
    pub(crate) async fn flush_presence(&self) -> DbResult<usize> {
        let seen = self.inner.presence.take();
        if seen.is_empty() {
            return Ok(0);
        }
        match self.db().record_presence(&seen).await {
            Ok(()) => Ok(seen.len()),
            Err(error) => {
                self.inner.presence.put_back(seen);
                Err(error)
            }
        }
    }
}

fn is_identity_due(host: HostId, session: &HostSession, now: Timestamp) -> bool {
    // The host's own bytes spread the fleet, and give the same moment each time it is asked.
    let bytes = host.as_bytes();
    let chance = u16::from_be_bytes([bytes[14], bytes[15]]);
    session.pending_serial.is_none() && renew_at(session.identity_issued_at, session.identity_not_after, chance) <= now
}

/// The entries that come after what is acknowledged; `None` when the epoch is an old one.
fn new_entries(acknowledged: SpoolPosition, report: &SyncReport) -> Result<Option<&[SpoolEntry]>, AgentRefusal> {
    if !report.entries.is_sorted_by(|one, next| one.sequence < next.sequence) {
        return Err(AgentRefusal::invalid("entries", "sequences must ascend"));
    }
    if report.epoch > MOST_COUNTED || report.entries.last().is_some_and(|last| last.sequence > MOST_COUNTED) {
        return Err(AgentRefusal::invalid("entries", "epoch or sequence is out of all proportion"));
    }
    if report.epoch < acknowledged.epoch {
        return Ok(None);
    }
    let known = if report.epoch == acknowledged.epoch { acknowledged.sequence } else { 0 };
    // A gap is no reason to refuse: after a restored backup this server knows less than the agent was told, and an
    // outcome says a state, not a difference.
    let from = report.entries.partition_point(|entry| entry.sequence <= known);
    Ok(Some(&report.entries[from..]))
}

trait WholeMilliseconds {
    fn whole_milliseconds_clamped(self) -> i64;
}

impl WholeMilliseconds for Duration {
    fn whole_milliseconds_clamped(self) -> i64 {
        i64::try_from(self.whole_milliseconds()).unwrap_or(if self.is_negative() { i64::MIN } else { i64::MAX })
    }
}

#[cfg(test)]
mod tests {
    use inkan_model::directive::Generation;
    use inkan_model::renewal::{Outcome, OutcomeResult};
    use inkan_model::{RenewalId, StateDigest};

    use super::*;

    fn report(epoch: u64, sequences: &[u64]) -> SyncReport {
        let entry = |sequence: &u64| SpoolEntry {
            sequence: *sequence,
            at: Timestamp::default(),
            told: Told::Renewal(Outcome {
                renewal: RenewalId::new(Timestamp::default(), [0; 10]),
                result: OutcomeResult::Unrecognized(0),
            }),
        };
        SyncReport {
            epoch,
            entries: sequences.iter().map(entry).collect(),
            state: StateDigest::from_bytes([0; 32]),
            report: None,
            generation: Generation(0),
            clock: Timestamp::default(),
        }
    }

    fn fresh(acknowledged: (u64, u64), epoch: u64, sequences: &[u64]) -> Result<Option<Vec<u64>>, String> {
        let acknowledged = SpoolPosition { epoch: acknowledged.0, sequence: acknowledged.1 };
        let report = report(epoch, sequences);
        let entries = new_entries(acknowledged, &report).map_err(|error| error.to_string())?;
        Ok(entries.map(|entries| entries.iter().map(|entry| entry.sequence).collect()))
    }

    #[test]
    fn entries_that_were_acknowledged_are_recognised() {
        assert_eq!(fresh((7, 3), 7, &[2, 3, 4, 5]), Ok(Some(vec![4, 5])));
        assert_eq!(fresh((7, 3), 7, &[1, 2, 3]), Ok(Some(vec![])));
    }

    #[test]
    fn a_new_epoch_begins_at_one_and_an_old_one_is_ignored() {
        assert_eq!(fresh((7, 3), 8, &[1, 2]), Ok(Some(vec![1, 2])));
        assert_eq!(fresh((7, 3), 6, &[1, 2]), Ok(None));
    }

    #[test]
    fn entries_out_of_order_are_refused_by_name_and_gaps_are_not() {
        assert!(fresh((7, 3), 7, &[5, 4]).unwrap_err().starts_with("entries:"));
        assert!(fresh((7, 3), 7, &[u64::MAX]).unwrap_err().starts_with("entries:"));
        assert_eq!(fresh((7, 3), 7, &[5, 9]), Ok(Some(vec![5, 9])));
    }
}
