//! The identity: who this PC is towards the server, and what it knows of the server.
//!
//! ```text
//! identity/key.pem        the device key (on Windows key.dpapi); made once, and kept for as long as the PC is enrolled
//! identity/identity.json  certificate, authorities, addresses; replaced in one moment at each renewal
//! identity.next/          an enrolment that is going on; takes the place of identity/ in one moment when it is whole
//! ```
//! An identity belongs to one machine: it is bound to the machine's own identifier, so that an image of an enrolled PC
//! that is started on another one is refused and not taken for the first one.

mod certificate;
mod device_key;
mod folder;
pub mod machine;
mod protection;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use inkan_issuance::identity_ca::{CaPin, IdentityError as InvalidChain};
use inkan_issuance::key::KeyError;
use inkan_model::Timestamp;
use inkan_model::identity::{AgentIdentity, renew_at};
use rustls::sign::CertifiedKey;

pub use self::certificate::identity_request;
pub use self::device_key::{DeviceKey, FileKey};
pub use self::folder::{IdentityFolder, NewIdentity};
pub use self::machine::MachineBinding;
use crate::tls::ClientKey;

/// What this PC is towards the server, and what it knows of the server.
#[derive(Clone)]
pub struct Identity {
    /// Vendor and host, as the certificate says.
    pub agent: AgentIdentity,
    /// The identity certificate, then its issuers, as DER.
    pub chain: Vec<Vec<u8>>,
    /// Authorities of the deployment, as DER. Nothing else is trusted in a session.
    pub anchors: Vec<Vec<u8>>,
    /// Address of the agents' listener.
    pub server_url: String,
    /// Address of the enrolment listener, which also does recoveries.
    pub enrolment_url: String,
    /// Grows with each certificate of this identity.
    pub generation: u64,
    /// First moment of the certificate.
    pub not_before: Timestamp,
    /// Last moment of the certificate.
    pub not_after: Timestamp,
    /// The device key.
    pub key: Arc<dyn DeviceKey>,
}

impl Identity {
    /// The certificate and its key, for TLS.
    pub(crate) fn certified_key(&self) -> CertifiedKey {
        ClientKey::new(device_key::for_tls(Arc::clone(&self.key))).with_chain(&self.chain)
    }

    /// When to renew: at half of the certificate's validity, ±10 % by the certificate's own bytes, so that each restart
    /// comes to the same moment.
    pub fn renew_at(&self) -> Timestamp {
        let chance = self.chain.first().map_or(0, |leaf| {
            let fingerprint = inkan_model::Fingerprint::of(leaf);
            u16::from_be_bytes([fingerprint.as_bytes()[0], fingerprint.as_bytes()[1]])
        });
        renew_at(self.not_before, self.not_after, chance)
    }
}

/// Never shows a key.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("agent", &self.agent)
            .field("generation", &self.generation)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// An identity that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The chain has no authority with the pinned key.
    #[error("the server's answer has no authority with the key of pin {pin}")]
    Authority {
        /// The pin.
        pin: CaPin,
    },
    /// The certificate is not an identity of this deployment.
    #[error("the identity certificate is refused")]
    Chain(#[source] InvalidChain),
    /// There is an identity already.
    #[error("this PC is enrolled already, as host {host}: add --replace to give that up and enrol it anew")]
    Enrolled {
        /// The host.
        host: inkan_model::HostId,
    },
    /// A file cannot be read or written.
    #[error("could not {step} {}", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The device key cannot be made or used.
    #[error("could not use the device key {}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: KeyError,
    },
    /// The certificate was issued for another key.
    #[error("the identity certificate was issued for another key than this PC's")]
    KeyMismatch,
    /// The identity's file is not what the agent writes.
    #[error("{} is damaged ({why}): enrol this PC again with `inkan-agent enroll --replace`", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The device key's file does not open.
    #[error(
        "{} does not open: it was made on another PC, or is damaged: \
         enrol this PC by itself with `inkan-agent enroll --replace`",
        path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// There is no identity.
    #[error("this PC is not enrolled: ask your vendor for a join token and run `inkan-agent enroll`")]
    NotEnrolled,
    /// The certificate is another host's.
    #[error("the new identity certificate is for another host")]
    OtherHost,
    /// The identity was made on another machine.
    #[error(
        "this identity was made on another machine, so this is a copy of an enrolled PC: \
         enrol this one by itself with `inkan-agent enroll --replace`"
    )]
    OtherMachine,
}
