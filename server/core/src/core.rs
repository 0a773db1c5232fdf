//! The use cases' common ground: the ports, the settings, and what lives only in memory.

use std::net::IpAddr;
use std::sync::Arc;

use inkan_model::directive::ProbeTarget;
use inkan_model::operator::{Operator, Permission};
use inkan_model::programme::Programme;
use inkan_model::{Clock, Timestamp};
use time::Duration;
use tokio::sync::Semaphore;

use crate::error::Error;
use crate::feed::{Feed, Nudges};
use crate::hosts::FleetView;
use crate::intake::PresenceBuffer;
use crate::ports::{Authorities, Database, Entropy, IdentityAuthority, Sealer};
use crate::throttle::Throttle;

/// What the use cases are built from.
pub struct Parts {
    /// What is remembered.
    pub db: Arc<dyn Database>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where chance comes from.
    pub entropy: Arc<dyn Entropy>,
    /// The vendors' certification authorities.
    pub authorities: Arc<dyn Authorities>,
    /// The deployment's own CA.
    pub identity_authority: Arc<dyn IdentityAuthority>,
    /// Seals secrets before they are stored.
    pub sealer: Arc<dyn Sealer>,
    /// How the deployment wants it.
    pub settings: Settings,
}

/// How the deployment wants it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often a quiet agent syncs.
    pub sync_interval: Duration,
    /// Validity of client certificates from the private CA.
    pub leaf_lifetime: Duration,
    /// A site that must accept each renewed certificate, where one is configured.
    pub probe: Option<ProbeTarget>,
    /// How long a browser stays signed in.
    pub browser_session: Duration,
    /// How long a program's token is good for.
    pub token_session: Duration,
    /// First wait after a failed step; doubled each time, at most a day.
    pub retry_after: Duration,
    /// The systems that PCs can be examined for.
    pub programmes: Vec<Programme>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sync_interval: Duration::minutes(5),
            leaf_lifetime: Duration::days(730),
            probe: None,
            browser_session: Duration::hours(12),
            token_session: Duration::days(30),
            retry_after: Duration::minutes(1),
            // A test reads every file that is shipped, so that none is missing here.
            programmes: crate::programmes::shipped().unwrap_or_default(),
        }
    }
}

/// All use cases. Cheap to clone; each module of this crate adds its own methods.
#[derive(Clone)]
pub struct Core {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) parts: Parts,
    pub(crate) nudges: Nudges,
    pub(crate) feed: Feed,
    pub(crate) presence: PresenceBuffer,
    /// Keys the nonces of identity recovery; a restart makes those under way begin again.
    pub(crate) recovery_key: [u8; 32],
    /// A hash to compare with when the mail address is unknown, so that both cases take the same time.
    pub(crate) decoy_hash: String,
    /// Wrong log-ins by address and by mail address, and wrong join tokens by address.
    pub(crate) throttles: Throttles,
    /// Passwords hashed at the same moment.
    pub(crate) hashing: Semaphore,
}

/// Places for [`Inner::hashing`].
const HASHED_AT_ONCE: usize = 2;

pub(crate) struct Throttles {
    pub(crate) log_in_source: Throttle<IpAddr>,
    pub(crate) log_in_mail: Throttle<String>,
    pub(crate) join_source: Throttle<IpAddr>,
}

impl Throttles {
    fn new() -> Self {
        Self { log_in_source: Throttle::new(10), log_in_mail: Throttle::new(5), join_source: Throttle::new(5) }
    }
}

impl Core {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let recovery_key = parts.entropy.bytes();
        let decoy_hash = crate::operators::decoy_hash(parts.entropy.as_ref());
        let inner = Inner {
            nudges: Nudges::default(),
            feed: Feed::default(),
            presence: PresenceBuffer::default(),
            recovery_key,
            decoy_hash,
            throttles: Throttles::new(),
            hashing: Semaphore::new(HASHED_AT_ONCE),
            parts,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The current moment.
    pub fn now(&self) -> Timestamp {
        self.inner.parts.clock.now()
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.inner.parts.settings
    }

    /// Wakes agents.
    pub fn nudges(&self) -> &Nudges {
        &self.inner.nudges
    }

    /// Tells pages what changed.
    pub fn feed(&self) -> &Feed {
        &self.inner.feed
    }

    /// The vendors' certification authorities.
    pub fn authorities(&self) -> &dyn Authorities {
        self.inner.parts.authorities.as_ref()
    }

    /// What an operator may look at.
    ///
    /// # Errors
    /// When the operator's role does not allow reading.
    pub fn view(&self, operator: &Operator) -> Result<FleetView, Error> {
        require(operator, Permission::ReadFleet)?;
        Ok(FleetView::new(Arc::clone(&self.inner.parts.db), operator.vendor))
    }

    /// The database, for background work and diagnosis that belong to no tenant.
    pub fn db(&self) -> &dyn Database {
        self.inner.parts.db.as_ref()
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        self.inner.parts.entropy.as_ref()
    }
}

pub(crate) fn require(operator: &Operator, needs: Permission) -> Result<(), Error> {
    if operator.role.may(needs) { Ok(()) } else { Err(Error::Forbidden { needs }) }
}
