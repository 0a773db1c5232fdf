//! The fake server behind the agent's port, with a network that can fail, and identities for it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use inkan_issuance::identity_ca::AgentCa;
use inkan_issuance::request::Request;
use inkan_model::directive::Generation;
use inkan_model::identity::AgentIdentity;
use inkan_model::sync::{Lacks, SyncReport};
use inkan_model::{Timestamp, VendorId};
use inkan_wire::{Enrolled, Upload, pb};
use prost::Message as _;
use time::Duration;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{FakeServer, NOW, Pc};
use crate::identity::{Identity, IdentityFolder, MachineBinding, NewIdentity, identity_request};
use crate::session::{Answered, Nudges, Uplink, UplinkError};

/// The deployment's authority, and who this PC is under it.
pub(crate) struct Deployment {
    pub(crate) ca: AgentCa,
    pub(crate) agent: AgentIdentity,
    serial: AtomicUsize,
}

impl Deployment {
    fn new() -> Self {
        let domain = "fleet.example".parse().unwrap();
        let ca = AgentCa::create(&domain, [1; 16], NOW, Duration::days(3_650)).unwrap();
        let agent = AgentIdentity { deployment: domain, vendor: VendorId::new(NOW, [3; 10]), host: Pc::host() };
        Self { ca, agent, serial: AtomicUsize::new(2) }
    }

    fn issue(&self, csr: &[u8], from: Timestamp) -> Vec<Vec<u8>> {
        let spki = Request::parse(csr).unwrap().spki_der().to_vec();
        self.issue_for(&spki, from)
    }

    fn issue_for(&self, spki: &[u8], from: Timestamp) -> Vec<Vec<u8>> {
        let serial = [u8::try_from(self.serial.fetch_add(1, Ordering::Relaxed)).unwrap(); 16];
        let leaf = self.ca.issue_agent(&self.agent, spki, serial, from, from.plus(Duration::days(30))).unwrap();
        vec![leaf, self.ca.certificate().to_vec()]
    }
}

/// An identity of a deployment of its own, enrolled at `from` and resting in the folder.
pub(crate) fn identity_under(folder: &IdentityFolder, from: Timestamp) -> (Arc<Deployment>, Identity) {
    let deployment = Arc::new(Deployment::new());
    let key = folder.begin().unwrap();
    let chain = deployment.issue(&identity_request(&*key).unwrap(), from);
    let new = NewIdentity {
        chain,
        pin: deployment.ca.pin(),
        server_url: "https://inkan.example:443".to_owned(),
        enrolment_url: "https://inkan.example:8444".to_owned(),
        machine: MachineBinding::of("machine"),
    };
    let identity = folder.commit(&new).unwrap();
    (deployment, identity)
}

/// The network between an agent and the fake server.
pub(crate) struct FakeUplink {
    pub(crate) server: Mutex<FakeServer>,
    pub(crate) deployment: Arc<Deployment>,
    /// Whether there is a network.
    pub(crate) connected: AtomicBool,
    /// Whether the server takes uploads.
    pub(crate) takes_uploads: AtomicBool,
    /// Whether the server takes the identity for expired.
    pub(crate) expired: AtomicBool,
    pub(crate) syncs: Mutex<Vec<tokio::time::Instant>>,
    pub(crate) recoveries: AtomicUsize,
    /// Generations that were adopted, with how many Syncs there were before.
    pub(crate) adopted: Mutex<Vec<(u64, usize)>>,
    pub(crate) watches: AtomicUsize,
    /// The clock for new identities.
    pub(crate) clock: Arc<dyn inkan_model::Clock>,
    nudges: Mutex<Option<mpsc::Sender<Generation>>>,
}

impl FakeUplink {
    pub(crate) fn new(server: FakeServer, deployment: Arc<Deployment>, clock: Arc<dyn inkan_model::Clock>) -> Self {
        Self {
            server: Mutex::new(server),
            deployment,
            connected: AtomicBool::new(true),
            takes_uploads: AtomicBool::new(true),
            expired: AtomicBool::new(false),
            syncs: Mutex::default(),
            recoveries: AtomicUsize::new(0),
            adopted: Mutex::default(),
            watches: AtomicUsize::new(0),
            clock,
            nudges: Mutex::default(),
        }
    }

    /// Nudges whoever listens.
    pub(crate) fn nudge(&self, generation: u64) {
        if let Some(nudges) = &*self.nudges.lock().unwrap() {
            nudges.try_send(Generation(generation)).unwrap();
        }
    }

    pub(crate) fn sync_count(&self) -> usize {
        self.syncs.lock().unwrap().len()
    }

    fn reach(&self) -> Result<(), UplinkError> {
        if !self.connected.load(Ordering::Relaxed) {
            return Err(Status::unavailable("no network").into());
        }
        if self.expired.load(Ordering::Relaxed) {
            return Err(Status::unavailable("the connection was closed").into());
        }
        Ok(())
    }
}

#[async_trait]
impl Uplink for FakeUplink {
    async fn sync(&self, report: SyncReport) -> Result<Answered, UplinkError> {
        self.syncs.lock().unwrap().push(tokio::time::Instant::now());
        self.reach()?;
        let asked = pb::SyncRequest::from(report.clone()).encoded_len();
        let answer = self.server.lock().unwrap().sync(report);
        let bytes = (asked + pb::SyncResponse::from(answer.clone()).encoded_len()) as u64;
        Ok(Answered { answer, bytes })
    }

    async fn upload(&self, messages: Vec<Upload>) -> Result<Lacks, UplinkError> {
        self.reach()?;
        if !self.takes_uploads.load(Ordering::Relaxed) {
            return Err(Status::unavailable("too much to do").into());
        }
        Ok(self.server.lock().unwrap().upload(messages))
    }

    async fn watch(&self) -> Result<Nudges, UplinkError> {
        self.reach()?;
        self.watches.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = mpsc::channel(8);
        *self.nudges.lock().unwrap() = Some(sender);
        Ok(Box::pin(ReceiverStream::new(receiver).map(Ok)))
    }

    async fn renew_identity(&self, csr: Vec<u8>) -> Result<Vec<Vec<u8>>, UplinkError> {
        self.reach()?;
        self.server.lock().unwrap().renew_identity = false;
        Ok(self.deployment.issue(&csr, self.clock.now()))
    }

    async fn recover_identity(&self, expired: &Identity) -> Result<Enrolled, UplinkError> {
        if !self.connected.load(Ordering::Relaxed) {
            return Err(Status::unavailable("no network").into());
        }
        self.recoveries.fetch_add(1, Ordering::Relaxed);
        self.expired.store(false, Ordering::Relaxed);
        let now = self.clock.now();
        let chain = self.deployment.issue_for(&expired.key.public_key(), now);
        let server_url = expired.server_url.clone();
        Ok(Enrolled { chain, server_url, report_only: false, server_time: now })
    }

    async fn adopt(&self, identity: Arc<Identity>) -> Result<(), UplinkError> {
        let syncs = self.sync_count();
        self.adopted.lock().unwrap().push((identity.generation, syncs));
        Ok(())
    }
}
