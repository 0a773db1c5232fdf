//! The session over gRPC and mutual TLS 1.3.
//!
//! A server takes two certificates of one host in use at the same time for a copied PC, so a call never overlaps a change
//! of identity: calls share a lock that [`Uplink::adopt`] takes for itself, and connections of the identity before are
//! dropped with it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use inkan_model::directive::Generation;
use inkan_model::sync::{Lacks, SyncAnswer, SyncReport};
use inkan_wire::{Enrolled, IdentityChain, RenewIdentity, Upload, pb};
use pb::agent_client::AgentClient;
use prost::Message as _;
use tokio::sync::RwLock;
use tokio_stream::StreamExt as _;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::enrolment::in_time;
use super::pace::Pace;
use super::{Answered, EnrolmentClient, Nudges, Proxy, ServerAddress, Uplink, UplinkError};
use crate::identity::Identity;
use crate::tls;

/// How long an Upload may take: 32 MiB over a slow line.
const UPLOAD: Duration = Duration::from_mins(5);
/// How long a Watch may take to begin.
const WATCH: Duration = Duration::from_secs(20);

/// The server, over the network.
pub struct GrpcUplink {
    session: RwLock<Session>,
    proxy: Option<Proxy>,
    pace: Pace,
}

struct Session {
    identity: Arc<Identity>,
    address: ServerAddress,
    client: AgentClient<Channel>,
}

impl Session {
    fn new(identity: Arc<Identity>, proxy: Option<Proxy>) -> Result<Self, UplinkError> {
        let address = ServerAddress::parse(&identity.server_url).map_err(UplinkError::Address)?;
        let client = client(&identity, &address, proxy)?;
        Ok(Self { identity, address, client })
    }
}

fn client(
    identity: &Identity,
    address: &ServerAddress,
    proxy: Option<Proxy>,
) -> Result<AgentClient<Channel>, UplinkError> {
    let config = tls::session(&identity.anchors, identity.certified_key()).map_err(UplinkError::Tls)?;
    Ok(AgentClient::new(address.channel(config, proxy)))
}

impl GrpcUplink {
    /// Speaks with this identity. Nothing is connected before the first call.
    pub fn new(identity: Arc<Identity>, proxy: Option<Proxy>) -> Result<Self, UplinkError> {
        let session = Session::new(identity, proxy.clone())?;
        Ok(Self { session: RwLock::new(session), proxy, pace: Pace::default() })
    }

    /// Turns an answer into its message. A connection that broke, or went silent, is not used again: behind some
    /// firewalls it looks alive for hours.
    async fn settle<T>(&self, answer: Result<Response<T>, Status>) -> Result<T, UplinkError> {
        match answer {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => {
                let error = UplinkError::from(status);
                if matches!(error, UplinkError::Unreachable(_) | UplinkError::Expired(_)) {
                    let mut session = self.session.write().await;
                    session.client = client(&session.identity, &session.address, self.proxy.clone())?;
                }
                Err(error)
            }
        }
    }
}

#[async_trait]
impl Uplink for GrpcUplink {
    async fn sync(&self, report: SyncReport) -> Result<Answered, UplinkError> {
        let request = pb::SyncRequest::from(report);
        let asked = request.encoded_len();
        self.pace.keep().await;
        let answer = {
            let session = self.session.read().await;
            session.client.clone().sync(in_time(request)).await
        };
        let answer = self.settle(answer).await?;
        let bytes = (asked + answer.encoded_len()) as u64;
        Ok(Answered { answer: SyncAnswer::try_from(answer).map_err(UplinkError::Answer)?, bytes })
    }

    async fn upload(&self, messages: Vec<Upload>) -> Result<Lacks, UplinkError> {
        let messages: Vec<pb::UploadRequest> = messages.into_iter().map(Into::into).collect();
        let mut request = Request::new(tokio_stream::iter(messages));
        request.set_timeout(UPLOAD);
        self.pace.keep().await;
        let answer = {
            let session = self.session.read().await;
            session.client.clone().upload(request).await
        };
        Lacks::try_from(self.settle(answer).await?).map_err(UplinkError::Answer)
    }

    async fn watch(&self) -> Result<Nudges, UplinkError> {
        let answer = {
            let session = self.session.read().await;
            let mut client = session.client.clone();
            let begun = tokio::time::timeout(WATCH, client.watch(pb::WatchRequest {})).await;
            begun.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer")))
        };
        let nudges = self.settle(answer).await?;
        Ok(Box::pin(nudges.map(|nudge| nudge.map(Generation::from).map_err(UplinkError::from))))
    }

    async fn renew_identity(&self, csr: Vec<u8>) -> Result<Vec<Vec<u8>>, UplinkError> {
        let request = pb::RenewIdentityRequest::from(RenewIdentity { csr });
        let answer = {
            let session = self.session.read().await;
            session.client.clone().renew_identity(in_time(request)).await
        };
        let IdentityChain(chain) = self.settle(answer).await?.try_into().map_err(UplinkError::Answer)?;
        Ok(chain)
    }

    async fn recover_identity(&self, expired: &Identity) -> Result<Enrolled, UplinkError> {
        let address = ServerAddress::parse(&expired.enrolment_url).map_err(UplinkError::Address)?;
        EnrolmentClient::known(&address, &expired.anchors, self.proxy.clone())?.recover(expired).await
    }

    async fn adopt(&self, identity: Arc<Identity>) -> Result<(), UplinkError> {
        let mut session = self.session.write().await;
        *session = Session::new(identity, self.proxy.clone())?;
        Ok(())
    }
}
