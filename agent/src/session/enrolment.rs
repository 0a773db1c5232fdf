//! The enrolment listener: coming into the fleet, and coming back to it.

use std::time::Duration;

use inkan_issuance::identity_ca::CaPin;
use inkan_issuance::proof;
use inkan_wire::{BeginRecovery, Enroll, Enrolled, Recover, RecoveryNonce, pb};
use pb::enrolment_client::EnrolmentClient as GrpcClient;
use tonic::Request;
use tonic::transport::Channel;

use super::{Proxy, ServerAddress, UplinkError};
use crate::identity::Identity;
use crate::tls;

/// How long one call may take.
const CALL: Duration = Duration::from_secs(20);

/// Speaks with the enrolment listener.
pub struct EnrolmentClient(GrpcClient<Channel>);

impl EnrolmentClient {
    /// For a PC that trusts nothing yet but a pin.
    pub fn pinned(address: &ServerAddress, pin: CaPin, proxy: Option<Proxy>) -> Result<Self, UplinkError> {
        let config = tls::enrolment(pin).map_err(UplinkError::Tls)?;
        Ok(Self(GrpcClient::new(address.channel(config, proxy))))
    }

    /// For a PC that knows the deployment's authorities.
    pub fn known(address: &ServerAddress, anchors: &[Vec<u8>], proxy: Option<Proxy>) -> Result<Self, UplinkError> {
        let config = tls::recovery(anchors).map_err(UplinkError::Tls)?;
        Ok(Self(GrpcClient::new(address.channel(config, proxy))))
    }

    /// Trades a join token and a request for an identity.
    pub async fn enroll(&mut self, enroll: Enroll) -> Result<Enrolled, UplinkError> {
        let answer = self.0.enroll(in_time(pb::EnrollRequest::from(enroll))).await?;
        Enrolled::try_from(answer.into_inner()).map_err(UplinkError::Answer)
    }

    /// Trades a signature of an expired identity's key for a new certificate.
    pub async fn recover(&mut self, expired: &Identity) -> Result<Enrolled, UplinkError> {
        let certificate = expired.chain.first().cloned().unwrap_or_default();
        let begin = pb::BeginRecoveryRequest::from(BeginRecovery { certificate: certificate.clone() });
        let answer = self.0.begin_recovery(in_time(begin)).await?;
        let RecoveryNonce(nonce) = answer.into_inner().try_into().map_err(UplinkError::Answer)?;
        let signature = expired.key.sign(&proof::recovery_message(&nonce)).map_err(UplinkError::Sign)?;
        let recover = pb::RecoverRequest::from(Recover { certificate, nonce, signature });
        let answer = self.0.recover(in_time(recover)).await?;
        Enrolled::try_from(answer.into_inner()).map_err(UplinkError::Answer)
    }
}

/// A request with a deadline that both sides know.
pub(super) fn in_time<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL);
    request
}
