//! How far one renewal has come on this PC, and what the server has still to be told about it.

use inkan_model::directive::{Generation, RenewalDirective};
use inkan_model::renewal::{OutcomeResult, Proof, RenewalStep};
use inkan_model::store::Location;
use inkan_model::sync::SpoolPosition;
use inkan_model::{Fingerprint, RenewalId, Timestamp};
use inkan_trust_store::RenewalSlot;
use serde::{Deserialize, Serialize};

/// Outcomes of one renewal that may be owed at a time. Steps are few, and a failure that is owed already is not owed
/// again, so a real record stays far below.
const OWED: usize = 16;

/// One renewal's journal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RenewalRecord {
    /// Which renewal.
    pub renewal: RenewalId,
    /// Where the old certificate is, and the new one goes.
    pub location: Location,
    /// The certificate to succeed.
    pub old: Fingerprint,
    /// How far it has come.
    pub stage: Stage,
    /// The step that was begun, and of whose end nothing is known yet.
    pub begun: Option<RenewalStep>,
    /// The last step, where it failed.
    pub failure: Option<FailedStep>,
    /// The generation under which the server was told last.
    pub told_under: Generation,
    /// Outcomes that the server has not acknowledged, oldest first.
    pub owed: Vec<Owed>,
}

/// How far a renewal has come. Each stage includes all before it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "stage")]
pub enum Stage {
    /// Nothing is done.
    Listed,
    /// There is a key, and a request.
    Requested {
        /// The request (PKCS#10) as DER.
        csr: Vec<u8>,
    },
    /// The new certificate stands beside the old one.
    Installed {
        /// The new certificate.
        new: Fingerprint,
    },
    /// The new certificate is proven.
    Proven {
        /// The new certificate.
        new: Fingerprint,
        /// The evidence.
        proof: Proof,
    },
    /// The old certificate is archived.
    OldArchived {
        /// The new certificate.
        new: Fingerprint,
    },
}

/// A step that failed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FailedStep {
    /// Which step.
    pub step: RenewalStep,
    /// When.
    pub at: Timestamp,
    /// Under which generation.
    pub under: Generation,
    /// Whether trying again can help.
    pub retry: bool,
}

/// An outcome that the server has not acknowledged.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Owed {
    /// What came of it.
    pub result: OutcomeResult,
    /// When.
    pub at: Timestamp,
    /// Epoch and sequence under which it is spooled, or was about to be.
    pub spooled: Option<(u64, u64)>,
}

impl Owed {
    /// Where in the spool it stands, or was about to.
    pub fn position(&self) -> Option<SpoolPosition> {
        self.spooled.map(|(epoch, sequence)| SpoolPosition { epoch, sequence })
    }

    /// Whether an acknowledgement up to `acknowledged` covers it.
    pub fn is_settled_by(&self, acknowledged: SpoolPosition) -> bool {
        self.position().is_some_and(|SpoolPosition { epoch, sequence }| {
            epoch == acknowledged.epoch && sequence <= acknowledged.sequence
        })
    }
}

impl RenewalRecord {
    /// A renewal of which nothing is done.
    pub fn new(directive: &RenewalDirective) -> Self {
        let RenewalDirective { renewal, location, old, want: _ } = directive;
        Self {
            renewal: *renewal,
            location: location.clone(),
            old: *old,
            stage: Stage::Listed,
            begun: None,
            failure: None,
            told_under: Generation::default(),
            owed: Vec::new(),
        }
    }

    /// What the stores call it.
    pub fn slot(&self) -> RenewalSlot {
        let Self { renewal, location, old, .. } = self;
        RenewalSlot { renewal: *renewal, location: location.clone(), old: *old }
    }

    /// Owes an outcome. A failure of a step that is owed already adds nothing.
    pub fn owe(&mut self, result: OutcomeResult, at: Timestamp) {
        let says_nothing_new = match &result {
            OutcomeResult::Failed { step, .. } => self
                .owed
                .iter()
                .any(|owed| matches!(&owed.result, OutcomeResult::Failed { step: other, .. } if other == step)),
            other => self.owed.iter().any(|owed| owed.result == *other),
        };
        if says_nothing_new {
            return;
        }
        if self.owed.len() >= OWED {
            self.owed.remove(0);
        }
        self.owed.push(Owed { result, at, spooled: None });
    }

    /// What the stage means in words to the server. `Installed` comes before `Proven`, as it happened.
    pub fn told(&self) -> Vec<OutcomeResult> {
        match &self.stage {
            Stage::Listed => Vec::new(),
            Stage::Requested { csr } => vec![OutcomeResult::Requested { csr: csr.clone() }],
            Stage::Installed { new } => vec![OutcomeResult::Installed { new: *new }],
            Stage::Proven { new, proof } => {
                vec![OutcomeResult::Installed { new: *new }, OutcomeResult::Proven { new: *new, proof: proof.clone() }]
            }
            Stage::OldArchived { new } => vec![OutcomeResult::OldArchived { new: *new }],
        }
    }
}
