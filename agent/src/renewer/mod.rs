//! The renewer: carries out one step of a renewal in the PC's stores. It has no choices left.
//!
//! The private key never passes through here: it signs where it lives ([`PrivateKey`]). A certificate is installed only
//! when it carries that key and the old certificate's subject byte for byte, because the systems of the clinic know the PC
//! by its subject. What went wrong becomes words that the server shows to a person.

mod backends;
mod probe;
mod successor;

use std::error::Error;
use std::sync::Arc;

use inkan_issuance::proof;
use inkan_issuance::request::{self, RequestError, RequestSigner};
use inkan_model::directive::{ProbeTarget, RenewalDirective, RenewalWant};
use inkan_model::renewal::{ProbeResult, Proof};
use inkan_model::store::Location;
use inkan_model::{Certificate, Fingerprint};
use inkan_trust_store::{ChangeError, Keyring, PrivateKey, RenewalSlot};

pub use self::backends::Backends;
pub use self::probe::TlsProber;
pub(crate) use self::probe::client_key;
pub use self::successor::WrongSuccessor;
use crate::ledger::Stage;
use crate::reconciler::{CleanUp, Step};

/// The stores of the PC, as far as a renewal needs them.
pub trait Stores: Send + Sync {
    /// Finds one certificate at a Location.
    fn find_certificate(&self, location: &Location, certificate: Fingerprint) -> Option<Certificate>;

    /// The way to change a Location, where there is one.
    fn find_keyring(&self, location: &Location) -> Option<&dyn Keyring>;
}

/// Asks a site whether it accepts a certificate.
pub trait Prober: Send + Sync {
    /// Connects once with the certificate and its key. Never fails: what went wrong is part of the result.
    fn probe(&self, target: &ProbeTarget, chain: &[Vec<u8>], key: Arc<dyn PrivateKey>) -> ProbeResult;
}

/// A step that could not be taken. The PC is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The store refused.
    #[error("could not change the store")]
    Change(#[source] ChangeError),
    /// The old certificate is not where it should be.
    #[error("certificate {certificate} is not at {location}")]
    Missing {
        /// Which certificate.
        certificate: Fingerprint,
        /// Where it was looked for.
        location: Location,
    },
    /// No store of this PC that can be changed is there.
    #[error("{location} is not a store that the agent can change on this PC")]
    NoKeyring {
        /// Where.
        location: Location,
    },
    /// The directive names another certificate than the one that this renewal was begun for.
    #[error("the renewal was begun for another certificate or place")]
    OtherCertificate,
    /// The site did not accept the new certificate.
    #[error("{} did not accept the new certificate: {}", .0.target, .0.detail)]
    Refused(ProbeResult),
    /// No request could be made.
    #[error("could not make a request")]
    Request(#[source] RequestError),
    /// The new certificate is not one for this key and subject.
    #[error("the new certificate is refused")]
    Successor(#[source] WrongSuccessor),
    /// The directive does not say what the step needs.
    #[error("the directive does not say what is needed for this step")]
    Unsaid,
}

impl StepError {
    /// Whether trying again can help without anybody doing something else.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Change(ChangeError::ReadOnly { .. })
            | Self::NoKeyring { .. }
            | Self::OtherCertificate
            | Self::Request(_)
            | Self::Successor(_)
            | Self::Unsaid => false,
            Self::Change(_) | Self::Missing { .. } | Self::Refused(_) => true,
        }
    }
}

/// Carries out steps with the PC's stores and its network.
#[derive(Clone)]
pub struct Renewer {
    stores: Arc<dyn Stores>,
    prober: Arc<dyn Prober>,
}

impl Renewer {
    /// Takes what the steps need.
    pub fn new(stores: Arc<dyn Stores>, prober: Arc<dyn Prober>) -> Self {
        Self { stores, prober }
    }

    /// Takes one step, or finds it taken, and says how far the renewal has come by it.
    pub fn carry_out(&self, step: Step, directive: &RenewalDirective) -> Result<Stage, StepError> {
        let RenewalDirective { renewal, location, old, want } = directive;
        let slot = RenewalSlot { renewal: *renewal, location: location.clone(), old: *old };
        match (step, want) {
            (Step::Request, _) => self.request(&slot),
            (Step::Install, RenewalWant::Install { chain, .. }) => self.install(&slot, chain),
            (Step::Prove, RenewalWant::Install { chain, challenge, probe }) => {
                self.prove(&slot, chain, challenge, probe.as_ref())
            }
            (Step::ArchiveOld, RenewalWant::ArchiveOld { new }) => self.archive_old(&slot, *new),
            (Step::Install | Step::Prove | Step::ArchiveOld, _) => Err(StepError::Unsaid),
        }
    }

    /// Leaves a renewal that is no longer listed.
    pub fn clean_up(&self, plan: CleanUp, slot: &RenewalSlot) -> Result<(), StepError> {
        // Where the store is gone, what was made in it is gone too.
        let Some(keyring) = self.stores.find_keyring(&slot.location) else { return Ok(()) };
        match plan {
            CleanUp::Discard => keyring.discard(slot).map_err(StepError::Change),
            CleanUp::FinishArchive { new } => keyring.archive_old(slot, new).map_err(StepError::Change),
            CleanUp::Forget => Ok(()),
        }
    }

    fn request(&self, slot: &RenewalSlot) -> Result<Stage, StepError> {
        let old = self.old(slot)?;
        let subject = request::subject_of(&old.der).map_err(StepError::Request)?;
        let key = self.keyring(slot)?.ensure_key(slot).map_err(StepError::Change)?;
        let csr = request::build_request(&subject, &StoreKey(&*key)).map_err(StepError::Request)?;
        Ok(Stage::Requested { csr })
    }

    fn install(&self, slot: &RenewalSlot, chain: &[Vec<u8>]) -> Result<Stage, StepError> {
        let old = self.old(slot)?;
        let keyring = self.keyring(slot)?;
        let key = keyring.ensure_key(slot).map_err(StepError::Change)?;
        let leaf = chain.first().ok_or(StepError::Unsaid)?;
        successor::check(leaf, &old.der, &key.public_key()).map_err(StepError::Successor)?;
        keyring.install_beside(slot, chain).map_err(StepError::Change)?;
        Ok(Stage::Installed { new: Fingerprint::of(leaf) })
    }

    fn prove(
        &self,
        slot: &RenewalSlot,
        chain: &[Vec<u8>],
        challenge: &[u8],
        target: Option<&ProbeTarget>,
    ) -> Result<Stage, StepError> {
        let key: Arc<dyn PrivateKey> = self.keyring(slot)?.ensure_key(slot).map_err(StepError::Change)?.into();
        let leaf = chain.first().ok_or(StepError::Unsaid)?;
        let signature = sign_first(&*key, &proof::renewal_message(challenge)).map_err(StepError::Change)?;
        let probe = target.map(|target| self.prober.probe(target, chain, Arc::clone(&key)));
        match probe {
            Some(refused) if !refused.accepted => Err(StepError::Refused(refused)),
            probe => Ok(Stage::Proven { new: Fingerprint::of(leaf), proof: Proof { signature, probe } }),
        }
    }

    fn archive_old(&self, slot: &RenewalSlot, new: Fingerprint) -> Result<Stage, StepError> {
        self.keyring(slot)?.archive_old(slot, new).map_err(StepError::Change)?;
        Ok(Stage::OldArchived { new })
    }

    fn keyring(&self, slot: &RenewalSlot) -> Result<&dyn Keyring, StepError> {
        let location = &slot.location;
        self.stores.find_keyring(location).ok_or_else(|| StepError::NoKeyring { location: location.clone() })
    }

    fn old(&self, slot: &RenewalSlot) -> Result<Certificate, StepError> {
        let RenewalSlot { location, old, .. } = slot;
        let missing = || StepError::Missing { certificate: *old, location: location.clone() };
        self.stores.find_certificate(location, *old).ok_or_else(missing)
    }
}

/// Signs in the key's way for requests and proofs.
fn sign_first(key: &dyn PrivateKey, message: &[u8]) -> Result<Vec<u8>, ChangeError> {
    let none = || ChangeError::Crypto { what: "the key has no way to sign".to_owned() };
    key.sign(*key.schemes().first().ok_or_else(none)?, message)
}

/// A key in a store, as a request wants it.
struct StoreKey<'a>(&'a dyn PrivateKey);

impl RequestSigner for StoreKey<'_> {
    fn public_key(&self) -> Vec<u8> {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        Ok(sign_first(self.0, message)?)
    }
}
