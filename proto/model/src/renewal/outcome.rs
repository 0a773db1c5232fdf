//! What a host says it did, or could not do, about a renewal, and the evidence that it gives.

use serde::{Deserialize, Serialize};

use super::RenewalStep;
use crate::digest::Fingerprint;
use crate::id::RenewalId;

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
