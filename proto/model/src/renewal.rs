//! Renewals: one certificate's way to its successor, as a state machine whose states own their facts.
//!
//! ```text
//! Planned → Directed → Requested → Issued → Installed → Proven → Closed
//!     └─ any state before Closed → NeedsPerson | Failed (→ back, at retry_at) | Abandoned
//! ```
//! A move consumes the state and returns the next or says why it cannot be made, so that a replayed or late message
//! never turns a record back.

use serde::{Deserialize, Serialize};

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
    /// The store cannot be changed by the agent.
    StoreReadOnly {
        /// What the store said.
        why: String,
    },
    /// It failed too often.
    RepeatedFailure {
        /// The last reason.
        why: String,
    },
}

/// Evidence that a new certificate works.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Proof {
    /// The new key's signature over [`crate::directive::PROOF_LABEL`] and the challenge; checked by the server.
    pub signature: Vec<u8>,
    /// What the site said, where one is configured.
    pub probe: Option<ProbeResult>,
}

/// What a TLS client-auth probe saw.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ProbeResult {
    /// Host and port that were asked.
    pub target: String,
    /// Whether the handshake with the new certificate was completed and not refused afterwards.
    pub accepted: bool,
    /// TLS version and server's certificate, or the error, in words.
    pub detail: String,
}

/// Something that a host did, or could not do, about a directive. Comes back until it is acknowledged.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Outcome {
    /// Which renewal.
    pub renewal: RenewalId,
    /// What came of it.
    pub result: OutcomeResult,
}

/// What came of a step on the PC.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum OutcomeResult {
    /// A key was made, and a request (PKCS#10) for it.
    Requested {
        /// The request as DER.
        csr: Vec<u8>,
    },
    /// The new certificate stands beside the old one, read back from the store.
    Installed {
        /// The new certificate.
        new: Fingerprint,
    },
    /// The new certificate was proven.
    Proven {
        /// The new certificate.
        new: Fingerprint,
        /// The evidence.
        proof: Proof,
    },
    /// The old certificate is archived, read back from the store.
    OldArchived {
        /// The new certificate, which stands in its place.
        new: Fingerprint,
    },
    /// A step failed; the PC is as it was before the step.
    Failed {
        /// Which step.
        step: RenewalStep,
        /// Why.
        why: String,
        /// Whether trying again can help.
        retry: bool,
    },
    /// A kind of outcome that this build does not know, by its number on the wire.
    Unrecognized(i32),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::{Scope, StoreKind};

    fn planned() -> Renewal {
        let now = Timestamp::from_unix_seconds(1_000);
        Renewal {
            id: RenewalId::new(now, [1; 10]),
            vendor: VendorId::new(now, [2; 10]),
            host: HostId::new(now, [3; 10]),
            location: Location { kind: StoreKind::Directory, scope: Scope::Machine, path: "/c".to_owned() },
            old: Fingerprint::of(b"old"),
            requested_by: Requester::Planner,
            reason: None,
            created_at: now,
            failures: 0,
            state: RenewalState::Planned { not_before: now },
        }
    }

    #[derive(Clone, Debug)]
    enum Move {
        Direct,
        Request,
        Issue,
        Install,
        InstallOther,
        Prove,
        Close,
        Fail,
        Retry,
        Abandon,
    }

    fn make(renewal: Renewal, step: &Move, now: Timestamp) -> Result<Renewal, InvalidTransition> {
        let new = Fingerprint::of(b"new");
        match step {
            Move::Direct => renewal.direct(Generation(1), now),
            Move::Request => renewal.request(vec![1], now),
            Move::Issue => renewal.issue(new, vec![vec![1]], vec![2], now),
            Move::Install => renewal.install(new, now),
            Move::InstallOther => renewal.install(Fingerprint::of(b"other"), now),
            Move::Prove => renewal.prove(new, Proof { signature: vec![3], probe: None }, now),
            Move::Close => renewal.close(new, now),
            Move::Fail => renewal.fail(RenewalStep::Prove, "x".to_owned(), now, now),
            Move::Retry => renewal.retry(now),
            Move::Abandon => renewal.abandon(None, "x".to_owned(), now),
        }
    }

    fn any_move() -> impl Strategy<Value = Move> {
        prop::sample::select(vec![
            Move::Direct,
            Move::Request,
            Move::Issue,
            Move::Install,
            Move::InstallOther,
            Move::Prove,
            Move::Close,
            Move::Fail,
            Move::Retry,
            Move::Abandon,
        ])
    }

    #[test]
    fn the_straight_way_leads_from_planned_to_closed() {
        let now = Timestamp::from_unix_seconds(2_000);
        let way = [Move::Direct, Move::Request, Move::Issue, Move::Install, Move::Prove, Move::Close];
        let closed = way.iter().try_fold(planned(), |renewal, step| make(renewal, step, now)).unwrap();
        assert!(closed.state.is_over());
        assert_eq!(closed.state.new_certificate(), Some(Fingerprint::of(b"new")));
    }

    #[test]
    fn a_failure_goes_on_from_where_it_stood() {
        let now = Timestamp::from_unix_seconds(2_000);
        let way = [Move::Direct, Move::Request, Move::Issue, Move::Install];
        let installed = way.iter().try_fold(planned(), |renewal, step| make(renewal, step, now)).unwrap();
        let failed = make(make(installed.clone(), &Move::Fail, now).unwrap(), &Move::Fail, now).unwrap();
        assert_eq!(failed.failures, 2);
        assert_eq!(failed.retry(now).unwrap().state, installed.state);
    }

    #[test]
    fn a_state_survives_being_stored_as_json() {
        let now = Timestamp::from_unix_seconds(2_000);
        let failed = make(make(planned(), &Move::Direct, now).unwrap(), &Move::Fail, now).unwrap();
        let json = serde_json::to_string(&failed.state).unwrap();
        assert_eq!(serde_json::from_str::<RenewalState>(&json).unwrap(), failed.state);
    }

    proptest! {
        /// Whatever order messages arrive in: nothing leaves a state that is over, progress on the straight way never
        /// shrinks, and nobody closes what was not proven.
        #[test]
        fn no_order_of_moves_turns_a_record_back(moves in prop::collection::vec(any_move(), 0..40)) {
            let now = Timestamp::from_unix_seconds(2_000);
            let mut renewal = planned();
            let mut furthest = 0;
            for step in &moves {
                let was_over = renewal.state.is_over();
                match make(renewal.clone(), step, now) {
                    Ok(next) => {
                        prop_assert!(!was_over);
                        if let Some(progress) = next.state.progress() {
                            prop_assert!(progress >= furthest);
                            furthest = progress;
                        }
                        renewal = next;
                    }
                    Err(refused) => prop_assert_eq!(refused.from, renewal.state.name()),
                }
            }
        }
    }
}
