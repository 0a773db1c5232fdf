//! The calls of agents with an identity. Each one is checked anew, so that taking a PC out of service counts at once.

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use inkan_core::Core;
use inkan_core::ports::{HostSession, VerifiedIdentity};
use inkan_model::sync::SyncReport;
use inkan_wire::pb;
use inkan_wire::pb::agent_server::Agent;
use inkan_wire::{IdentityChain, RenewIdentity};
use tonic::{Extensions, Request, Response, Status, Streaming};

use super::peer::Peer;
use super::rate::HostRate;
use super::refusal::to_status;
use super::upload::take_upload;
use super::watch::{Watcher, watch};
use crate::listener::Limits;

/// The calls of agents.
pub(super) struct AgentService {
    core: Core,
    rate: Arc<HostRate>,
    limits: Limits,
}

impl AgentService {
    pub(super) fn new(core: Core, rate: Arc<HostRate>, limits: Limits) -> Self {
        Self { core, rate, limits }
    }

    /// Who calls, and everything that is known about them.
    async fn authenticate(&self, extensions: &Extensions) -> Result<(Arc<VerifiedIdentity>, HostSession), Status> {
        let identity = Arc::clone(Peer::of(extensions)?.identity()?);
        self.rate.check(identity.host)?;
        // TLS looked at the end of validity when the connection began, which may be half an hour ago.
        if identity.not_after < self.core.now() {
            return Err(Status::unauthenticated("the certificate has expired: recover the identity"));
        }
        let session = self.core.authenticate(&identity).await.map_err(to_status)?;
        Ok((identity, session))
    }
}

#[tonic::async_trait]
impl Agent for AgentService {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<pb::Nudge, Status>> + Send>>;

    async fn sync(&self, request: Request<pb::SyncRequest>) -> Result<Response<pb::SyncResponse>, Status> {
        let (peer, session) = self.authenticate(request.extensions()).await?;
        let report = SyncReport::try_from(request.into_inner())?;
        let answer = self.core.sync(peer.host, &session, report).await.map_err(to_status)?;
        Ok(Response::new(answer.into()))
    }

    async fn upload(
        &self,
        request: Request<Streaming<pb::UploadRequest>>,
    ) -> Result<Response<pb::UploadResponse>, Status> {
        self.authenticate(request.extensions()).await?;
        let lacks = take_upload(&self.core, request.into_inner(), self.limits.call_timeout).await?;
        Ok(Response::new(lacks.into()))
    }

    async fn watch(&self, request: Request<pb::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let closing = Peer::of(request.extensions())?.closing.clone();
        let host = Peer::of(request.extensions())?.identity()?.host;
        // Before the session is read, so that no nudge falls between.
        let nudges = self.core.nudges().subscribe(host);
        let (peer, session) = self.authenticate(request.extensions()).await?;
        let watcher =
            Watcher::new(self.core.clone(), peer, nudges, closing, session.generation, self.limits.watch_interval);
        Ok(Response::new(Box::pin(watch(watcher))))
    }

    async fn renew_identity(
        &self,
        request: Request<pb::RenewIdentityRequest>,
    ) -> Result<Response<pb::RenewIdentityResponse>, Status> {
        let (peer, session) = self.authenticate(request.extensions()).await?;
        let RenewIdentity { csr } = RenewIdentity::try_from(request.into_inner())?;
        let chain = self.core.renew_identity(peer.host, &session, &csr).await.map_err(to_status)?;
        Ok(Response::new(IdentityChain(chain).into()))
    }
}
