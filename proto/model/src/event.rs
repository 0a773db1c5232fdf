//! What happened: the entries of a host's timeline. Written in the transaction that made them true.

use serde::{Deserialize, Serialize};

use crate::digest::Fingerprint;
use crate::finding::Subject;
use crate::host::HostState;
use crate::id::{EventId, HostId, OperatorId, RenewalId, VendorId};
use crate::store::Location;
use crate::time::Timestamp;

/// One entry of a timeline.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Event {
    /// Which one; sorts by time.
    pub id: EventId,
    /// Whose.
    pub vendor: VendorId,
    /// On which PC.
    pub host: HostId,
    /// When, by the server's clock.
    pub at: Timestamp,
    /// The person who did it, where a person did.
    pub by: Option<OperatorId>,
    /// What happened.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Happening {
    /// The PC joined.
    Enrolled,
    /// An operator or the server changed what the host may do.
    StateChanged {
        /// What it may do from now on.
        to: HostState,
    },
    /// A certificate with its own key or purpose was seen for the first time.
    CertificateAppeared {
        /// Which certificate.
        certificate: Fingerprint,
        /// Its name.
        name: String,
        /// Where.
        location: Location,
    },
    /// Such a certificate is gone.
    CertificateDisappeared {
        /// Which certificate.
        certificate: Fingerprint,
        /// Its name.
        name: String,
        /// Where it was.
        location: Location,
    },
    /// A store's content changed, told by numbers.
    StoreChanged {
        /// Which store.
        location: Location,
        /// Certificates that came.
        added: u32,
        /// Certificates that went.
        removed: u32,
    },
    /// A finding opened.
    FindingOpened {
        /// What it is about.
        subject: Subject,
    },
    /// A finding closed by itself.
    FindingClosed {
        /// What it was about.
        subject: Subject,
    },
    /// A renewal reached a state.
    RenewalMoved {
        /// Which renewal.
        renewal: RenewalId,
        /// The state's name; see [`crate::renewal::RenewalState::name`].
        state: String,
        /// The reason, where it failed or was given up.
        why: Option<String>,
    },
    /// The agent's identity was renewed.
    IdentityRenewed,
    /// The agent came back by its key after its identity had expired.
    IdentityRecovered,
    /// The identity was used in two places; directives are held back.
    IdentityConflict,
    /// Something that this build does not know.
    #[serde(other)]
    Unrecognized,
}
