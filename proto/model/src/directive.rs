//! Directives: the state that a host should be in. Never a script, never a command to run.

use serde::{Deserialize, Serialize};

use crate::digest::Fingerprint;
use crate::id::{CheckupId, RenewalId};
use crate::programme::Programme;
use crate::store::Location;

/// The ever-growing number of a host's directives. An agent refuses an older one, and the same one with other content.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Everything that a host should bring about, replacing what it was told before.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Directives {
    /// Their number.
    pub generation: Generation,
    /// Renewals that should go on. One that is no longer listed is over, and its left-overs are cleaned up.
    pub renewals: Vec<RenewalDirective>,
    /// Checkups that are waited for. One that is no longer listed is over.
    #[serde(default)]
    pub checkups: Vec<CheckupDirective>,
}

/// An examination by the host's doctor, to be made once. It only reads.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CheckupDirective {
    /// Which checkup.
    pub checkup: CheckupId,
    /// The programme that the PC should be fit for; `None` for the checks that every PC has to pass.
    pub programme: Option<Programme>,
}

/// One renewal, as far as the server wants it to be.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RenewalDirective {
    /// Which renewal.
    pub renewal: RenewalId,
    /// Where the old certificate is, and the new one goes.
    pub location: Location,
    /// The certificate to succeed.
    pub old: Fingerprint,
    /// How far to go.
    pub want: RenewalWant,
}

/// How far a host should bring a renewal. Each step includes all before it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "want")]
pub enum RenewalWant {
    /// A new key on the PC, and a request (PKCS#10) with the old certificate's subject.
    Request,
    /// The new certificate installed beside the old one, and proven.
    Install {
        /// The new certificate, then its issuers, as DER.
        chain: Vec<Vec<u8>>,
        /// Random bytes for the new key to sign; the agent adds a label of its own before them.
        challenge: Vec<u8>,
        /// A site that must accept the new certificate as TLS client certificate, where one is configured.
        probe: Option<ProbeTarget>,
    },
    /// The old certificate archived; the new one stays.
    ArchiveOld {
        /// The new certificate, which must be in its place before the old one goes.
        new: Fingerprint,
    },
}

/// A TLS server that asks for a client certificate.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct ProbeTarget {
    /// DNS name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The certificate to trust for this probe, as DER, where the PC's own trust does not cover the site.
    pub anchor: Option<Vec<u8>>,
}

/// The label before a challenge when the new key signs it, so that the signature can mean nothing else.
pub const PROOF_LABEL: &[u8] = b"inkan proof of renewal v1\0";
