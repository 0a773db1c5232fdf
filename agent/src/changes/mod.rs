//! Changes to what this PC trusts and holds: planned, journaled, read back, and able to be taken back.
//!
//! ```text
//! plan      pure: what is wanted, what stands there, the journal → a deed or a refusal; and the way back
//! screen    pure: files and certificates that a person names; refuses plain nonsense
//! limits    pure: what a person limits an anchor to, as properties
//! record    one change, and the states that it goes through · refusal: why one is not begun, in words
//! journal   the sealed file, and the lock among processes
//! place     one Location: what stands there, a step, reading back
//! recovery  finishes or takes back what a crash cut off · restore: takes everything back
//! ```
//! The order never varies: the intent is journaled and durable, the store is changed, the change is read back through the
//! backend's own reading as well, and then the journal says so. On failure everything is brought back and journaled. So a
//! kill anywhere leaves a journal from which the next start, or the next command, finishes or takes back what was begun.
//!
//! It must never write key material, never remove what the agent's own connection depends on, and never touch a place
//! that no backend finds by itself.

mod journal;
pub mod limits;
mod place;
pub mod plan;
pub mod record;
mod recovery;
pub mod refusal;
mod restore;
pub mod screen;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use inkan_model::id::ChangeId;
use inkan_model::store::Location;
use inkan_model::{Clock, Fingerprint};
use inkan_trust_store::{Anchor, ChangeError, KeyedCertificate, Removed, StoreBackend};
use tracing::info;

use self::journal::Journal;
pub use self::journal::{FILE, JournalError, LOCK, list_damaged, read};
use self::place::{Place, Step};
use self::plan::{Plan, Wanted, plan, way_back};
use self::record::{Asker, Because, ChangeRecord, ChangeState};
pub use self::recovery::{Settled, recover};
use self::refusal::{PlaceProblem, Refusal};
pub use self::restore::Restored;
use crate::causes::with_causes;
use crate::chance::Chance;
use crate::disk::Disk;
use crate::identity::Identity;

/// What changes are made with.
#[derive(Clone, Copy)]
pub struct Ground<'s> {
    /// The way to the agent's own files.
    pub disk: &'s Disk,
    /// Where the journal is.
    pub data_dir: &'s Path,
    /// The stores of this PC.
    pub stores: &'s [Arc<dyn StoreBackend>],
    /// The PC's clock.
    pub clock: &'s dyn Clock,
    /// Chance, for identifiers.
    pub chance: &'s dyn Chance,
    /// Certificates on which the agent's own connection depends.
    pub protected: &'s BTreeSet<Fingerprint>,
}

/// Makes changes. While one exists, no other process changes stores through the journal.
pub struct Changes<'s> {
    ground: Ground<'s>,
    journal: Journal,
}

/// The certificates that vouch for the server, and for this PC towards it: none of them is ever removed.
pub fn depended_on(identity: &Identity) -> BTreeSet<Fingerprint> {
    identity.chain.iter().chain(&identity.anchors).map(|der| Fingerprint::of(der)).collect()
}

/// How a change came out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Done {
    /// Nothing had to be done, and nothing was journaled.
    AlreadySo,
    /// It was made, read back and journaled.
    Made {
        /// The change.
        record: ChangeRecord,
        /// What became of the key, where a certificate was taken away.
        removed: Option<Removed>,
    },
}

/// A change that was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// The journal cannot be used.
    #[error("could not journal the change; the next command finishes or takes back what was begun")]
    Journal(#[from] JournalError),
    /// It was not begun.
    #[error("{0}")]
    Refused(Refusal),
    /// It went wrong.
    #[error("could not change {location}; {}", standing(.stuck.as_deref()))]
    Store {
        /// The change.
        change: ChangeId,
        /// Where.
        location: Location,
        /// What kept it from being taken back, where that failed as well.
        stuck: Option<String>,
        /// What went wrong.
        #[source]
        cause: Box<ChangeError>,
    },
}

fn standing(stuck: Option<&str>) -> String {
    match stuck {
        None => "all is as before".to_owned(),
        Some(why) => format!("it could not be taken back either ({why}) and is tried again at the next start"),
    }
}

impl<'s> Changes<'s> {
    /// Waits for the lock as long as `patience`, opens the journal, and finishes or takes back what was cut off.
    pub fn open(ground: Ground<'s>, patience: Duration) -> Result<(Self, Vec<Settled>), ChangesError> {
        let journal = Journal::open(ground.disk.clone(), ground.data_dir, ground.clock, patience)?;
        let mut changes = Self { ground, journal };
        let settled = changes.settle_all()?;
        Ok((changes, settled))
    }

    /// Every change, oldest first.
    pub fn records(&self) -> &[ChangeRecord] {
        self.journal.records()
    }

    /// Adds an anchor, or brings one that is there to these limits.
    pub fn add_anchor(&mut self, location: &Location, anchor: Anchor, asker: &Asker) -> Result<Done, ChangesError> {
        self.change(&Wanted::Anchor(anchor), location, asker, None)
    }

    /// Removes an anchor.
    pub fn remove_anchor(
        &mut self,
        location: &Location,
        certificate: Fingerprint,
        asker: &Asker,
    ) -> Result<Done, ChangesError> {
        self.change(&Wanted::NoAnchor(certificate), location, asker, None)
    }

    /// Imports a certificate with its key. The key passes through here and is not kept.
    pub fn import(
        &mut self,
        location: &Location,
        certificate: &KeyedCertificate,
        asker: &Asker,
    ) -> Result<Done, ChangesError> {
        let leaf = certificate.chain.first().map(Vec::as_slice).unwrap_or_default();
        let wanted = Wanted::Keyed { certificate: Fingerprint::of(leaf), name: certificate.name.clone() };
        self.change(&wanted, location, asker, Some(certificate))
    }

    /// Takes a certificate away, with its key where nothing else uses that. There is no way back.
    pub fn remove_certificate(
        &mut self,
        location: &Location,
        certificate: Fingerprint,
        asker: &Asker,
    ) -> Result<Done, ChangesError> {
        self.change(&Wanted::NotKeyed(certificate), location, asker, None)
    }

    fn change(
        &mut self,
        wanted: &Wanted,
        location: &Location,
        asker: &Asker,
        key: Option<&KeyedCertificate>,
    ) -> Result<Done, ChangesError> {
        let refused = |problem| ChangesError::Refused(Refusal::Place { location: location.clone(), problem });
        let about_anchor = matches!(wanted, Wanted::Anchor(_) | Wanted::NoAnchor(_));
        let place = Place::find(self.ground.stores, location).ok_or_else(|| refused(PlaceProblem::Unknown))?;
        let certificate = wanted.certificate();
        let unknown = |error| refused(PlaceProblem::UnknownStanding { why: with_causes(&error) });
        let standing = place.standing(certificate, about_anchor).map_err(unknown)?;
        let now = self.ground.clock.now();
        let planned = plan(wanted, location, &standing, self.records(), self.ground.protected, now);
        let Plan::Do(deed) = planned.map_err(ChangesError::Refused)? else { return Ok(Done::AlreadySo) };
        place.can_change(about_anchor).map_err(|error| refused(PlaceProblem::ReadOnly { why: with_causes(&error) }))?;
        let record = ChangeRecord {
            id: self.new_id(),
            location: location.clone(),
            certificate,
            deed,
            asked_by: asker.clone(),
            asked_at: now,
            state: ChangeState::Planned,
            state_at: now,
            restart: None,
        };
        self.journal.put(vec![record.clone()])?;
        self.carry_out(record, &place, key)
    }

    fn carry_out(
        &mut self,
        record: ChangeRecord,
        place: &Place<'_>,
        key: Option<&KeyedCertificate>,
    ) -> Result<Done, ChangesError> {
        match place.apply(&record.deed, record.certificate, key) {
            Ok(step) => self.finish(record, place, step),
            // A key that is gone in spite of the error is gone; to say that all is as before would be wrong.
            Err(_) if way_back(&record.deed).is_none() && place.confirm(&record.deed, record.certificate).is_ok() => {
                self.finish(record, place, Step::default())
            }
            Err(cause) => Err(self.give_up(record, place, cause)?),
        }
    }

    /// Journals that a step was made, reads it back, and journals that, too.
    fn finish(&mut self, record: ChangeRecord, place: &Place<'_>, step: Step) -> Result<Done, ChangesError> {
        let Step { restart, removed } = step;
        let restart = restart.or_else(|| record.restart.clone());
        let mut record = ChangeRecord { restart, ..record };
        if record.state == ChangeState::Planned {
            record = self.journal_as(record, ChangeState::Applied)?;
        }
        match place.confirm(&record.deed, record.certificate) {
            Ok(()) => {
                let record = self.journal_as(record, ChangeState::Confirmed)?;
                info!(change = %record.id, "changed a store");
                Ok(Done::Made { record, removed })
            }
            Err(cause) => Err(self.give_up(record, place, cause)?),
        }
    }

    /// Brings back what stood there before a change that went wrong.
    fn give_up(
        &mut self,
        record: ChangeRecord,
        place: &Place<'_>,
        cause: ChangeError,
    ) -> Result<ChangesError, JournalError> {
        let (change, location) = (record.id, record.location.clone());
        let because = Because::Failed { why: with_causes(&cause) };
        let record = self.journal_as(record, ChangeState::Undoing { because: because.clone(), stuck: None })?;
        let brought_back = match way_back(&record.deed) {
            Some(original) => place.bring_back(&original, record.certificate).map(drop),
            None => Ok(()),
        };
        let stuck = brought_back.err().map(|error| with_causes(&error));
        let state = match &stuck {
            None => because.ends_in(),
            Some(_) => ChangeState::Undoing { because, stuck: stuck.clone() },
        };
        self.journal_as(record, state)?;
        Ok(ChangesError::Store { change, location, stuck, cause: Box::new(cause) })
    }

    fn journal_as(&mut self, record: ChangeRecord, state: ChangeState) -> Result<ChangeRecord, JournalError> {
        let record = ChangeRecord { state, state_at: self.ground.clock.now(), ..record };
        self.journal.put(vec![record.clone()])?;
        Ok(record)
    }

    fn new_id(&self) -> ChangeId {
        let mut chance = [0; 10];
        self.ground.chance.fill(&mut chance);
        ChangeId::new(self.ground.clock.now(), chance)
    }
}

#[cfg(test)]
mod tests;
