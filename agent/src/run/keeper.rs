//! The keeper of the identity: renews it in time, and recovers it when the PC was off for too long.
//!
//! A new certificate rests on the disk before anybody speaks with it, and the one before stays good at the server until the
//! new one is used. So a crash between any two steps leaves an identity that works.

use std::sync::Arc;

use inkan_issuance::request::RequestError;
use inkan_model::{Clock, Timestamp};
use time::Duration;
use tracing::info;

use crate::identity::{Identity, IdentityError, IdentityFolder, identity_request};
use crate::session::{Uplink, UplinkError};

/// How long a renewal that failed is left alone.
const RETRY: Duration = Duration::minutes(10);

/// An identity that could not be renewed. The one before stays in use.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The server did not answer as it should.
    #[error("could not get a new identity certificate")]
    Uplink(#[source] UplinkError),
    /// No request could be made.
    #[error("could not ask for a new identity certificate")]
    Request(#[source] RequestError),
    /// The new certificate is refused, or cannot be kept.
    #[error("could not take a new identity certificate")]
    Take(#[source] IdentityError),
}

/// Keeps the identity fresh.
pub struct IdentityKeeper {
    folder: IdentityFolder,
    identity: Arc<Identity>,
    uplink: Arc<dyn Uplink>,
    clock: Arc<dyn Clock>,
    not_again_before: Option<Timestamp>,
}

impl IdentityKeeper {
    /// Keeps this identity, which rests in the folder.
    pub fn new(
        folder: IdentityFolder,
        identity: Arc<Identity>,
        uplink: Arc<dyn Uplink>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { folder, identity, uplink, clock, not_again_before: None }
    }

    /// The identity in use.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether it should be renewed now. `asked` is whether the server says so.
    pub fn is_due(&self, asked: bool) -> bool {
        let now = self.clock.now();
        let waits = self.not_again_before.is_some_and(|until| now < until && until <= now.plus(RETRY));
        (asked || self.identity.renew_at() <= now) && !waits
    }

    /// Whether its time is over, by the PC's clock.
    pub fn has_expired(&self) -> bool {
        self.identity.not_after <= self.clock.now()
    }

    /// Gets a new certificate over the session, and speaks with it from now on.
    pub async fn renew(&mut self) -> Result<(), KeeperError> {
        self.not_again_before = Some(self.clock.now().plus(RETRY));
        let csr = identity_request(&*self.identity.key).map_err(KeeperError::Request)?;
        let chain = self.uplink.renew_identity(csr).await.map_err(KeeperError::Uplink)?;
        self.take(chain, None).await
    }

    /// Gets a new certificate by the key alone, after the one in use has expired.
    pub async fn recover(&mut self) -> Result<(), KeeperError> {
        let recovered = self.uplink.recover_identity(&self.identity).await.map_err(KeeperError::Uplink)?;
        self.take(recovered.chain, Some(recovered.server_url)).await
    }

    async fn take(&mut self, chain: Vec<Vec<u8>>, server_url: Option<String>) -> Result<(), KeeperError> {
        let renewed = self.folder.renew(&self.identity, chain, server_url).map_err(KeeperError::Take)?;
        let renewed = Arc::new(renewed);
        self.uplink.adopt(Arc::clone(&renewed)).await.map_err(KeeperError::Uplink)?;
        info!(generation = renewed.generation, not_after = %renewed.not_after, "took a new identity certificate");
        self.identity = renewed;
        Ok(())
    }
}
