//! Checkups as rows: asked for by an operator, answered by the host's doctor.

use async_trait::async_trait;
use inkan_model::checkup::Checkup;
use inkan_model::directive::Generation;
use inkan_model::{HostId, VendorId};

use super::DbResult;

/// Answered checkups of one host that are kept; older ones go when a newer one is answered.
pub const KEPT_CHECKUPS: u16 = 10;

/// Checkups as rows. What a host answered is stored by [`super::Renewals::record_renewals`], together with the spool's
/// position.
#[async_trait]
pub trait Checkups: Send + Sync {
    /// Stores a checkup and moves the host's generation from the first to the second, in one transaction; unless one for
    /// the same programme waits for this host: then that one is the answer. `Conflict` when the host is not the vendor's
    /// or its generation is not the expected one.
    async fn create_checkup(
        &self,
        checkup: &Checkup,
        generation: (Generation, Generation),
    ) -> DbResult<CheckupCreation>;

    /// The host's checkups that wait for its answer, oldest first.
    async fn list_waiting_checkups(&self, host: HostId) -> DbResult<Vec<Checkup>>;

    /// At most `limit` of a host's checkups, newest first.
    async fn list_checkups(&self, vendor: VendorId, host: HostId, limit: u16) -> DbResult<Vec<Checkup>>;
}

/// What became of a new checkup.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CheckupCreation {
    /// It was stored.
    Created,
    /// One waited already.
    Waiting(Checkup),
}
