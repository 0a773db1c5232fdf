//! Enrolment and recovery: the only calls that need no certificate.

use std::sync::Arc;

use inkan_core::Core;
use inkan_core::enrolment::{Enrolled, Enrolment};
use inkan_wire::pb;
use inkan_wire::pb::enrolment_server::Enrolment as EnrolmentCalls;
use inkan_wire::{BeginRecovery, Enroll, Recover, RecoveryNonce};
use tonic::{Request, Response, Status};

use super::peer::Peer;
use super::rate::NetworkRate;
use super::refusal::to_status;

/// The calls of those who have no identity (any more).
pub(super) struct EnrolmentService {
    core: Core,
    agents_url: String,
    rate: Arc<NetworkRate>,
}

impl EnrolmentService {
    pub(super) fn new(core: Core, agents_url: String, rate: Arc<NetworkRate>) -> Self {
        Self { core, agents_url, rate }
    }

    fn answer(&self, enrolled: Enrolled) -> Response<pb::EnrollResponse> {
        let Enrolled { host: _, chain, report_only } = enrolled;
        let server_url = self.agents_url.clone();
        Response::new(inkan_wire::Enrolled { chain, server_url, report_only, server_time: self.core.now() }.into())
    }
}

#[tonic::async_trait]
impl EnrolmentCalls for EnrolmentService {
    async fn enroll(&self, request: Request<pb::EnrollRequest>) -> Result<Response<pb::EnrollResponse>, Status> {
        let source = Peer::of(request.extensions())?.address();
        self.rate.check(source)?;
        let Enroll { token, csr, facts, machine_binding } = Enroll::try_from(request.into_inner())?;
        let enrolment = Enrolment { token, csr, facts, machine_binding, source };
        let enrolled = self.core.enroll(enrolment).await.map_err(to_status)?;
        Ok(self.answer(enrolled))
    }

    async fn begin_recovery(
        &self,
        request: Request<pb::BeginRecoveryRequest>,
    ) -> Result<Response<pb::BeginRecoveryResponse>, Status> {
        self.rate.check(Peer::of(request.extensions())?.address())?;
        let BeginRecovery { certificate } = BeginRecovery::try_from(request.into_inner())?;
        let nonce = self.core.begin_recovery(&certificate).map_err(to_status)?;
        Ok(Response::new(RecoveryNonce(nonce).into()))
    }

    async fn recover(&self, request: Request<pb::RecoverRequest>) -> Result<Response<pb::EnrollResponse>, Status> {
        self.rate.check(Peer::of(request.extensions())?.address())?;
        let Recover { certificate, nonce, signature } = Recover::try_from(request.into_inner())?;
        let enrolled = self.core.recover(&certificate, &nonce, &signature).await.map_err(to_status)?;
        Ok(self.answer(enrolled))
    }
}
