//! Renewals: one certificate's way to its successor, as a state machine whose states own their facts.
//!
//! ```text
//! Planned → Directed → Requested → Issued → Installed → Proven → Closed
//!     └─ any state before Closed → NeedsPerson | Failed (→ back, at retry_at) | Abandoned
//! ```
//! A move consumes the state and returns the next or says why it cannot be made, so that a replayed or late message
//! never turns a record back.

mod outcome;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::outcome::{Outcome, OutcomeResult, ProbeResult, Proof};

use crate::digest::Fingerprint;
use crate::directive::Generation;
use crate::id::{HostId, OperatorId, RenewalId, VendorId};
use crate::store::Location;
use crate::time::Timestamp;

/// One certificate's way to its successor.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Renewal {
    /// Which one.
    pub id: RenewalId,
    /// Whose.
    pub vendor: VendorId,
    /// On which PC.
    pub host: HostId,
    /// In which store.
    pub location: Location,
    /// The certificate to succeed.
    pub old: Fingerprint,
    /// Who asked for it.
    pub requested_by: Requester,
    /// Why, in the words of who asked.
    pub reason: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Times it failed so far.
    pub failures: u32,
    /// Where it stands.
    pub state: RenewalState,
}

/// Who asked for a renewal.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Requester {
    /// A person.
    Operator(OperatorId),
    /// The planner, because the time had come.
    Planner,
}

/// Where a renewal stands, with the facts of that place.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum RenewalState {
    /// Wanted; the host does not know yet.
    Planned {
        /// Not to be directed before.
        not_before: Timestamp,
    },
    /// Stands in the host's directives.
    Directed {
        /// Since when.
        at: Timestamp,
        /// The first generation that has it.
        generation: Generation,
    },
    /// The PC made a key and a request.
    Requested {
        /// Since when.
        at: Timestamp,
        /// The request (PKCS#10) as DER.
        csr: Vec<u8>,
    },
    /// The certification authority issued.
    Issued {
        /// Since when.
        at: Timestamp,
        /// The new certificate.
        new: Fingerprint,
        /// The new certificate, then its issuers, as DER.
        chain: Vec<Vec<u8>>,
        /// What the new key is to sign.
        challenge: Vec<u8>,
    },
    /// The new certificate stands beside the old one, but is not proven yet.
    Installed {
        /// Since when.
        at: Timestamp,
        /// The new certificate.
        new: Fingerprint,
        /// The new certificate, then its issuers, as DER.
        chain: Vec<Vec<u8>>,
        /// What the new key is to sign.
        challenge: Vec<u8>,
    },
    /// The new key signed, and the site accepted it where one is configured. The old one may go now.
    Proven {
        /// Since when.
        at: Timestamp,
        /// The new certificate.
        new: Fingerprint,
        /// What was shown.
        proof: Proof,
    },
    /// Done: the old certificate is archived.
    Closed {
        /// Since when.
        at: Timestamp,
        /// The new certificate.
        new: Fingerprint,
        /// What was shown.
        proof: Proof,
    },
    /// Waits for a person.
    NeedsPerson {
        /// Since when.
        at: Timestamp,
        /// What the person has to do.
        what: PersonTask,
    },
    /// A step failed; it goes on from `resume` at `retry_at`.
    Failed {
        /// Since when.
        at: Timestamp,
        /// Which step.
        step: RenewalStep,
        /// Why, in the words of whoever failed.
        why: String,
        /// Not to be tried again before.
        retry_at: Timestamp,
        /// The state to go on from.
        resume: Box<RenewalState>,
    },
    /// Given up. The old certificate stays as it is.
    Abandoned {
        /// Since when.
        at: Timestamp,
        /// Who gave it up; `None` when the host or the certificate is gone.
        by: Option<OperatorId>,
        /// Why.
        why: String,
    },
}

/// A step of a renewal, for words about progress and failure.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RenewalStep {
    /// Making the key and the request.
    Request,
    /// Issuing at the certification authority.
    Issue,
    /// Installing beside the old one.
    Install,
    /// Proving key and site.
    Prove,
    /// Archiving the old one.
    ArchiveOld,
    /// A step that this build does not know, by its number on the wire.
    Unrecognized(i32),
}

/// What a person has to do before a renewal can go on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "task")]
pub enum PersonTask {
    /// Nobody here can issue a successor: the certificate's issuer is not one that inkan can reach.
    IssuerUnreachable {
        /// The issuer's name.
        issuer: String,
    },
    /// A step was refused in a way that trying again does not change: a store that is read-only, a request that does not
    /// fit.
    StepRefused {
        /// Which step.
        step: RenewalStep,
        /// Why, in the words of whoever refused.
        why: String,
    },
    /// It failed too often.
    RepeatedFailure {
        /// The last reason.
        why: String,
    },
}

/// A move that the record's state does not allow.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a renewal that is {from} cannot become {to}")]
pub struct InvalidTransition {
    /// The name of the state it is in.
    pub from: &'static str,
    /// The name of the state it was to become.
    pub to: &'static str,
}

impl RenewalState {
    /// The state's name as stored, filtered by and shown in the API.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Planned { .. } => "planned",
            Self::Directed { .. } => "directed",
            Self::Requested { .. } => "requested",
            Self::Issued { .. } => "issued",
            Self::Installed { .. } => "installed",
            Self::Proven { .. } => "proven",
            Self::Closed { .. } => "closed",
            Self::NeedsPerson { .. } => "needs_person",
            Self::Failed { .. } => "failed",
            Self::Abandoned { .. } => "abandoned",
        }
    }

    /// Whether nothing more will happen by itself or otherwise.
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Closed { .. } | Self::Abandoned { .. })
    }

    /// The new certificate, once there is one.
    pub fn new_certificate(&self) -> Option<Fingerprint> {
        match self {
            Self::Issued { new, .. }
            | Self::Installed { new, .. }
            | Self::Proven { new, .. }
            | Self::Closed { new, .. } => Some(*new),
            Self::Failed { resume, .. } => resume.new_certificate(),
            Self::Planned { .. }
            | Self::Directed { .. }
            | Self::Requested { .. }
            | Self::NeedsPerson { .. }
            | Self::Abandoned { .. } => None,
        }
    }

    /// How far along it is: 0 planned … 6 closed; `None` beside the straight way.
    pub const fn progress(&self) -> Option<u8> {
        match self {
            Self::Planned { .. } => Some(0),
            Self::Directed { .. } => Some(1),
            Self::Requested { .. } => Some(2),
            Self::Issued { .. } => Some(3),
            Self::Installed { .. } => Some(4),
            Self::Proven { .. } => Some(5),
            Self::Closed { .. } => Some(6),
            Self::NeedsPerson { .. } | Self::Failed { .. } | Self::Abandoned { .. } => None,
        }
    }
}

impl Renewal {
    fn moved(self, state: RenewalState) -> Self {
        Self { state, ..self }
    }

    fn refuse<T>(&self, to: &'static str) -> Result<T, InvalidTransition> {
        Err(InvalidTransition { from: self.state.name(), to })
    }

    /// The host is told.
    ///
    /// # Errors
    /// Unless the renewal is planned.
    pub fn direct(self, generation: Generation, at: Timestamp) -> Result<Self, InvalidTransition> {
        match self.state {
            RenewalState::Planned { .. } => Ok(self.moved(RenewalState::Directed { at, generation })),
            _ => self.refuse("directed"),
        }
    }

    /// The PC made a key and a request.
    ///
    /// # Errors
    /// Unless the renewal is directed.
    pub fn request(self, csr: Vec<u8>, at: Timestamp) -> Result<Self, InvalidTransition> {
        match self.state {
            RenewalState::Directed { .. } => Ok(self.moved(RenewalState::Requested { at, csr })),
            _ => self.refuse("requested"),
        }
    }

    /// The certification authority issued `chain`, leaf first.
    ///
    /// # Errors
    /// Unless the renewal is requested.
    pub fn issue(
        self,
        new: Fingerprint,
        chain: Vec<Vec<u8>>,
        challenge: Vec<u8>,
        at: Timestamp,
    ) -> Result<Self, InvalidTransition> {
        match self.state {
            RenewalState::Requested { .. } => Ok(self.moved(RenewalState::Issued { at, new, chain, challenge })),
            _ => self.refuse("issued"),
        }
    }

    /// The new certificate stands beside the old one.
    ///
    /// # Errors
    /// Unless that very certificate was issued for this renewal.
    pub fn install(self, installed: Fingerprint, at: Timestamp) -> Result<Self, InvalidTransition> {
        match self.state.clone() {
            RenewalState::Issued { new, chain, challenge, .. } if new == installed => {
                Ok(self.moved(RenewalState::Installed { at, new, chain, challenge }))
            }
            _ => self.refuse("installed"),
        }
    }

    /// The new certificate is proven. Whoever calls this has checked the signature.
    ///
    /// # Errors
    /// Unless that very certificate is installed.
    pub fn prove(self, proven: Fingerprint, proof: Proof, at: Timestamp) -> Result<Self, InvalidTransition> {
        match self.state {
            RenewalState::Installed { new, .. } if new == proven => {
                Ok(self.moved(RenewalState::Proven { at, new, proof }))
            }
            _ => self.refuse("proven"),
        }
    }

    /// The old certificate is archived.
    ///
    /// # Errors
    /// Unless the new one is proven.
    pub fn close(self, in_place: Fingerprint, at: Timestamp) -> Result<Self, InvalidTransition> {
        match self.state.clone() {
            RenewalState::Proven { new, proof, .. } if new == in_place => {
                Ok(self.moved(RenewalState::Closed { at, new, proof }))
            }
            _ => self.refuse("closed"),
        }
    }

    /// A step failed, to be tried again at `retry_at` from where the renewal stood.
    ///
    /// # Errors
    /// When the renewal is over, or waits for a person.
    pub fn fail(
        self,
        step: RenewalStep,
        why: String,
        at: Timestamp,
        retry_at: Timestamp,
    ) -> Result<Self, InvalidTransition> {
        let resume = match self.state.clone() {
            RenewalState::Closed { .. } | RenewalState::Abandoned { .. } | RenewalState::NeedsPerson { .. } => {
                return self.refuse("failed");
            }
            RenewalState::Failed { resume, .. } => resume,
            straight => Box::new(straight),
        };
        let failures = self.failures.saturating_add(1);
        Ok(Self { failures, state: RenewalState::Failed { at, step, why, retry_at, resume }, ..self })
    }

    /// Goes on from where it failed, once `retry_at` has come.
    ///
    /// # Errors
    /// Unless it failed and the time has come.
    pub fn retry(self, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self.state.clone() {
            RenewalState::Failed { retry_at, resume, .. } if retry_at <= now => Ok(self.moved(*resume)),
            _ => self.refuse("tried again"),
        }
    }

    /// Begins again after a person did what they had to.
    ///
    /// # Errors
    /// Unless it waits for a person.
    pub fn start_over(self, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self.state {
            RenewalState::NeedsPerson { .. } => {
                Ok(Self { failures: 0, state: RenewalState::Planned { not_before: now }, ..self })
            }
            _ => self.refuse("planned"),
        }
    }

    /// A person has to act.
    ///
    /// # Errors
    /// When it is over.
    pub fn ask_person(self, what: PersonTask, at: Timestamp) -> Result<Self, InvalidTransition> {
        if self.state.is_over() {
            return self.refuse("needs_person");
        }
        Ok(self.moved(RenewalState::NeedsPerson { at, what }))
    }

    /// Gives up.
    ///
    /// # Errors
    /// When it is over already.
    pub fn abandon(self, by: Option<OperatorId>, why: String, at: Timestamp) -> Result<Self, InvalidTransition> {
        if self.state.is_over() {
            return self.refuse("abandoned");
        }
        Ok(self.moved(RenewalState::Abandoned { at, by, why }))
    }
}
