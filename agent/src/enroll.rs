//! Enrolling: a join token and a key made here, for an identity.
//!
//! The key is on the disk before the server hears of it, so that an enrolment that is cut off is repeated with the same key
//! and yields the same host. What an earlier identity left behind is forgotten in the moment before the new one takes its
//! place, and not before: a mistyped token costs nothing.

use inkan_issuance::identity_ca::CaPin;
use inkan_issuance::request::RequestError;
use inkan_model::HostId;
use inkan_model::host::HostFacts;
use inkan_model::join_token::JoinTokenSecret;
use inkan_wire::Enroll;
use tracing::info;

use crate::data_dir::{DataDir, DataDirError};
use crate::disk::Disk;
use crate::identity::{Identity, IdentityError, IdentityFolder, MachineBinding, NewIdentity, identity_request};
use crate::session::{ConnectError, EnrolmentClient, Proxy, ServerAddress, UplinkError};

/// What an enrolment needs to know.
#[derive(Debug)]
pub struct EnrollOrder {
    /// Address of the enrolment listener.
    pub server: String,
    /// The permission.
    pub token: JoinTokenSecret,
    /// By what the deployment's authority is known.
    pub pin: CaPin,
    /// Whether to give up an identity that is there.
    pub replace: bool,
    /// The way out, where there is no straight one.
    pub proxy: Option<Proxy>,
}

/// What came of it.
#[derive(Debug)]
pub enum Enrolment {
    /// It was enrolled before, by the same authority; nothing was done.
    Already {
        /// The host.
        host: HostId,
    },
    /// It is enrolled now.
    Done {
        /// The identity.
        identity: Box<Identity>,
        /// Whether an operator still has to approve this host.
        report_only: bool,
    },
}

/// An enrolment that did not come to its end. An identity that was there before is untouched.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// The address is not one.
    #[error("could not use the server's address")]
    Address(#[source] ConnectError),
    /// The data directory cannot be used.
    #[error("could not forget what an earlier identity left behind")]
    DataDir(#[source] DataDirError),
    /// The identity cannot be kept.
    #[error(transparent)]
    Identity(IdentityError),
    /// No request could be made.
    #[error("could not make a request for an identity")]
    Request(#[source] RequestError),
    /// The server did not answer as it should.
    #[error("could not enrol at {server}")]
    Uplink {
        /// The address.
        server: String,
        /// Why.
        #[source]
        cause: UplinkError,
    },
}

/// Enrols this PC. The caller holds the lock of the data directory.
pub async fn enroll(
    order: EnrollOrder,
    data_dir: &DataDir,
    disk: &Disk,
    facts: HostFacts,
    machine: MachineBinding,
) -> Result<Enrolment, EnrollError> {
    let EnrollOrder { server, token, pin, replace, proxy } = order;
    let address = ServerAddress::parse(&server).map_err(EnrollError::Address)?;
    let folder = IdentityFolder::new(disk.clone(), data_dir.path());
    if !replace && let Some(host) = enrolled_before(&folder, pin, machine)? {
        return Ok(Enrolment::Already { host });
    }
    let key = folder.begin().map_err(EnrollError::Identity)?;
    let csr = identity_request(&*key).map_err(EnrollError::Request)?;
    let failed = |cause| EnrollError::Uplink { server: server.clone(), cause };
    let mut client = EnrolmentClient::pinned(&address, pin, proxy).map_err(failed)?;
    info!("asking for an identity");
    let asked = Enroll { token, csr, facts, machine_binding: machine.0 };
    let answer = client.enroll(asked).await.map_err(failed)?;
    data_dir.forget_state(disk).map_err(EnrollError::DataDir)?;
    let new =
        NewIdentity { chain: answer.chain, pin, server_url: answer.server_url, enrolment_url: server.clone(), machine };
    let identity = folder.commit(&new).map_err(EnrollError::Identity)?;
    info!(host = %identity.agent.host, "enrolled");
    Ok(Enrolment::Done { identity: Box::new(identity), report_only: answer.report_only })
}

/// The host that this PC is already, where it is one of the same deployment and no copy.
fn enrolled_before(
    folder: &IdentityFolder,
    pin: CaPin,
    machine: MachineBinding,
) -> Result<Option<HostId>, EnrollError> {
    folder.finish().map_err(EnrollError::Identity)?;
    let Some((identity, made_on)) = folder.find().map_err(EnrollError::Identity)? else { return Ok(None) };
    if made_on != machine {
        return Err(EnrollError::Identity(IdentityError::OtherMachine));
    }
    let host = identity.agent.host;
    let same = identity.anchors.iter().any(|anchor| CaPin::of_certificate(anchor).is_ok_and(|found| found == pin));
    if same { Ok(Some(host)) } else { Err(EnrollError::Identity(IdentityError::Enrolled { host })) }
}
