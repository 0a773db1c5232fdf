//! Join tokens, and the identities of hosts.

pub(in crate::sqlite) mod identities;
mod joining;
pub(in crate::sqlite) mod tokens;

use async_trait::async_trait;
use inkan_core::ports::{
    DbResult, EnrolmentRecord, Enrolments, HostSession, NewEnrolment, NewIdentity, Page, PageRequest,
};
use inkan_model::join_token::JoinToken;
use inkan_model::{HostId, JoinTokenId, Timestamp, VendorId};
use tracing::instrument;

use super::SqliteDatabase;
use super::fault::At as _;

#[async_trait]
impl Enrolments for SqliteDatabase {
    #[instrument(name = "db.join_token.create", level = "debug", skip_all)]
    async fn create_join_token(&self, token: &JoinToken, hash: [u8; 32]) -> DbResult<()> {
        let token = token.clone();
        let operation = self
            .writer
            .run("store a join token", move |db| Box::pin(async move { tokens::create(db, &token, hash).await }));
        operation.await
    }

    #[instrument(name = "db.join_token.find", level = "debug", skip_all)]
    async fn find_join_token(&self, hash: [u8; 32]) -> DbResult<Option<JoinToken>> {
        let step = "find a join token";
        let mut db = self.snapshot().await.at(step)?;
        tokens::find(&mut db, hash).await.at(step)
    }

    #[instrument(name = "db.join_token.list", level = "debug", skip_all)]
    async fn list_join_tokens(&self, vendor: VendorId, page: &PageRequest) -> DbResult<Page<JoinToken>> {
        let step = "list join tokens";
        let mut db = self.snapshot().await.at(step)?;
        tokens::list(&mut db, vendor, page).await.at(step)
    }

    #[instrument(name = "db.join_token.revoke", level = "debug", skip_all)]
    async fn revoke_join_token(&self, vendor: VendorId, token: JoinTokenId, at: Timestamp) -> DbResult<bool> {
        let operation = self.writer.run("withdraw a join token", move |db| {
            Box::pin(async move { tokens::revoke(db, vendor, token, at).await })
        });
        operation.await
    }

    #[instrument(name = "db.host.enrol", level = "debug", skip_all)]
    async fn record_enrolment(&self, enrolment: &NewEnrolment) -> DbResult<EnrolmentRecord> {
        let enrolment = enrolment.clone();
        let operation = self
            .writer
            .run("record an enrolment", move |db| Box::pin(async move { joining::record(db, &enrolment).await }));
        operation.await
    }

    #[instrument(name = "db.session.find", level = "debug", skip_all)]
    async fn find_session(&self, host: HostId) -> DbResult<Option<HostSession>> {
        let step = "find a host's session";
        let mut db = self.reader().await.at(step)?;
        identities::find_session(&mut db, host).await.at(step)
    }

    #[instrument(name = "db.identity.record_pending", level = "debug", skip_all)]
    async fn record_pending_identity(&self, host: HostId, identity: &NewIdentity) -> DbResult<()> {
        let identity = identity.clone();
        let operation = self.writer.run("store an identity", move |db| {
            Box::pin(async move { identities::record_pending(db, host, &identity).await })
        });
        operation.await
    }

    #[instrument(name = "db.identity.activate", level = "debug", skip_all)]
    async fn activate_identity(&self, host: HostId, serial: [u8; 16], at: Timestamp) -> DbResult<()> {
        let operation = self.writer.run("activate an identity", move |db| {
            Box::pin(async move { identities::activate(db, host, serial, at).await })
        });
        operation.await
    }

    #[instrument(name = "db.identity.record_conflict", level = "debug", skip_all)]
    async fn record_identity_conflict(&self, host: HostId, at: Timestamp) -> DbResult<()> {
        let operation = self.writer.run("record an identity conflict", move |db| {
            Box::pin(async move { identities::record_conflict(db, host, at).await })
        });
        operation.await
    }

    #[instrument(name = "db.identity.record_recovery", level = "debug", skip_all)]
    async fn record_recovery(&self, host: HostId, used_before: u32, identity: &NewIdentity) -> DbResult<()> {
        let identity = identity.clone();
        let operation = self.writer.run("record a recovery", move |db| {
            Box::pin(async move { identities::record_recovery(db, host, used_before, &identity).await })
        });
        operation.await
    }
}
