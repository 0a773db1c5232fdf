//! A PC that exists only on the wire: it enrols with a join token, reports invented stores, and keeps in touch, by the
//! same messages as a real agent.
//!
//! It does what a real one does with the protocol and nothing of what a real one does with a PC: it never follows a
//! directive, and it keeps nothing on disk.

mod connection;
mod stores;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use inkan_issuance::identity_ca::CaPin;
use inkan_issuance::key::SoftwareKey;
use inkan_issuance::proof::recovery_message;
use inkan_issuance::request::build_request;
use inkan_model::directive::Generation;
use inkan_model::host::HostFacts;
use inkan_model::join_token::JoinTokenSecret;
use inkan_model::sync::{Lacks, SpoolEntry, SyncAnswer, SyncReport, state_digest};
use inkan_model::{Fingerprint, HostId, StateDigest};
use inkan_wire::pb::enrolment_client::EnrolmentClient;
use inkan_wire::pb::{self, agent_client::AgentClient};
use inkan_wire::{BeginRecovery, Enroll, Enrolled, Recover, RecoveryNonce, RenewIdentity};
use tonic::transport::Channel;

pub use self::connection::{Bytes, Traffic, source};
pub use self::stores::Stores;
use crate::certificates::{chance, now};

/// Rounds of "you lack this" and "here it is" before something must be wrong.
const MOST_ROUNDS: usize = 6;
/// Seconds that it waits at most where the server finds that one PC calls too often.
const MOST_WAITS: usize = 15;

/// The doors of a server, as an agent is told them.
#[derive(Clone, Debug)]
pub struct Doors {
    /// The enrolment listener.
    pub enrolment: SocketAddr,
    /// By what the deployment's CA is known.
    pub ca_pin: CaPin,
}

/// A PC on the way into the fleet. It can come again with the same key, as after an answer that was lost.
#[derive(Debug)]
pub struct Candidate {
    key: SoftwareKey,
    facts: HostFacts,
    machine_binding: [u8; 32],
    source: IpAddr,
}

impl Candidate {
    /// A new PC with a new key. `source` is the loopback address that it comes from.
    ///
    /// # Errors
    /// When the operating system has no chance to give.
    pub fn new(facts: HostFacts, source: IpAddr) -> Result<Self> {
        let key = SoftwareKey::generate().context("could not make a key")?;
        Ok(Self { key, facts, machine_binding: chance(), source })
    }

    /// Enrols once; the server's answer, or its refusal.
    ///
    /// # Errors
    /// When the server refuses; a [`tonic::Status`] is in the error then.
    pub async fn ask(&self, doors: &Doors, token: &JoinTokenSecret) -> Result<Enrolled> {
        let connection = connection::to_enrolment(doors.enrolment, doors.ca_pin, self.source).await?;
        let subject = crate::certificates::subject(["simulated", "simulated"], "simulated")?;
        let enroll = Enroll {
            token: token.clone(),
            csr: build_request(&subject, &self.key).context("could not make a request")?,
            facts: self.facts.clone(),
            machine_binding: self.machine_binding,
        };
        let answer = EnrolmentClient::new(connection).enroll(pb::EnrollRequest::from(enroll)).await?;
        Enrolled::try_from(answer.into_inner()).context("the answer is not one")
    }

    /// Enrols, and becomes a PC of the fleet.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn enroll(self, doors: &Doors, token: &JoinTokenSecret) -> Result<SimulatedPc> {
        let enrolled = self.ask(doors, token).await?;
        self.joined(enrolled)
    }

    /// Becomes a PC of the fleet by an answer that was had before.
    ///
    /// # Errors
    /// When the answer names no host.
    pub fn joined(self, enrolled: Enrolled) -> Result<SimulatedPc> {
        let Enrolled { chain, server_url, .. } = enrolled;
        let [leaf, ca] = &chain[..] else { bail!("the identity's chain has {} certificates, not 2", chain.len()) };
        let host = inkan_issuance::identity_ca::verify_identity(leaf, ca).context("not an identity")?.identity.host;
        let Self { key, facts, source, .. } = self;
        Ok(SimulatedPc {
            host,
            facts,
            stores: Stores::default(),
            epoch: 1,
            generation: Generation(0),
            acknowledged: None,
            identity: Identity { key, chain, server_url, source },
            traffic: Traffic::default(),
            client: None,
        })
    }
}

#[derive(Debug)]
struct Identity {
    key: SoftwareKey,
    chain: Vec<Vec<u8>>,
    server_url: String,
    source: IpAddr,
}

/// A PC of the fleet that exists only on the wire.
#[derive(Debug)]
pub struct SimulatedPc {
    /// Which one.
    pub host: HostId,
    /// What it says of itself.
    pub facts: HostFacts,
    /// What it holds.
    pub stores: Stores,
    /// Newest generation that it claims to have journaled.
    pub generation: Generation,
    epoch: u64,
    acknowledged: Option<StateDigest>,
    identity: Identity,
    traffic: Traffic,
    client: Option<AgentClient<Channel>>,
}

impl SimulatedPc {
    /// Reports until the server lacks nothing; the last answer.
    ///
    /// # Errors
    /// When the server refuses, or is never content.
    pub async fn report(&mut self) -> Result<SyncAnswer> {
        for _ in 0..MOST_ROUNDS {
            let answer = self.sync().await?;
            if answer.lacks.is_nothing() {
                return Ok(answer);
            }
            if !answer.lacks.sets.is_empty() || !answer.lacks.certificates.is_empty() {
                self.bring(answer.lacks.sets, answer.lacks.certificates).await?;
            }
        }
        bail!("the server still lacks something after {MOST_ROUNDS} rounds")
    }

    /// Syncs once: digest only when everything is acknowledged, with the report otherwise.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn sync(&mut self) -> Result<SyncAnswer> {
        self.sync_with(Vec::new()).await
    }

    /// Syncs once, with entries of a spool.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn sync_with(&mut self, entries: Vec<SpoolEntry>) -> Result<SyncAnswer> {
        let report = self.stores.report(self.facts.clone());
        let state = state_digest(&report);
        let sent = SyncReport {
            epoch: self.epoch,
            entries,
            state,
            report: (self.acknowledged != Some(state)).then_some(report),
            generation: self.generation,
            clock: now(),
        };
        let answer = self.send(sent.into()).await?;
        if answer.lacks.is_nothing() {
            self.acknowledged = Some(state);
        } else if answer.lacks.report {
            self.acknowledged = None;
        }
        Ok(answer)
    }

    /// Sends a message as it is, however wrong.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn send(&mut self, message: pb::SyncRequest) -> Result<SyncAnswer> {
        for _ in 0..MOST_WAITS {
            match self.client().await?.sync(message.clone()).await {
                Err(status) if is_too_fast(&status) => tokio::time::sleep(Duration::from_secs(1)).await,
                Err(status) => return Err(status.into()),
                Ok(answer) => return SyncAnswer::try_from(answer.into_inner()).context("the answer is not one"),
            }
        }
        bail!("the server asks to wait for ever")
    }

    /// Brings contents, and what is still lacking after them.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn bring(
        &mut self,
        mut sets: Vec<inkan_model::SetDigest>,
        mut certificates: Vec<Fingerprint>,
    ) -> Result<()> {
        let mut whole = false;
        for _ in 0..MOST_ROUNDS {
            let messages = self.stores.messages(&sets, &certificates, whole)?;
            let lacks = self.upload(messages).await?;
            if lacks.is_nothing() {
                return Ok(());
            }
            // A set that is still lacking, and no certificate: the server does not have the one that it changed from.
            whole = lacks.certificates.is_empty();
            sets = lacks.sets;
            certificates = lacks.certificates;
        }
        bail!("the server still lacks contents after {MOST_ROUNDS} uploads")
    }

    async fn upload(&mut self, messages: Vec<pb::UploadRequest>) -> Result<Lacks> {
        for _ in 0..MOST_WAITS {
            match self.client().await?.upload(tokio_stream::iter(messages.clone())).await {
                Err(status) if is_too_fast(&status) => tokio::time::sleep(Duration::from_secs(1)).await,
                Err(status) => return Err(status.into()),
                Ok(answer) => return Lacks::try_from(answer.into_inner()).context("the answer is not one"),
            }
        }
        bail!("the server asks to wait for ever")
    }

    /// Asks for the next identity, and uses it from now on.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn renew_identity(&mut self) -> Result<()> {
        let subject = crate::certificates::subject(["simulated", "simulated"], "simulated")?;
        let csr = build_request(&subject, &self.identity.key).context("could not make a request")?;
        let answer = self.client().await?.renew_identity(pb::RenewIdentityRequest::from(RenewIdentity { csr }));
        let inkan_wire::IdentityChain(chain) =
            answer.await?.into_inner().try_into().context("the answer is not one")?;
        self.identity.chain = chain;
        self.client = None;
        Ok(())
    }

    /// Comes back by its key after its identity has expired.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn recover(&mut self, doors: &Doors) -> Result<()> {
        let certificate = self.identity().to_vec();
        let connection = connection::to_enrolment(doors.enrolment, doors.ca_pin, self.identity.source).await?;
        let mut client = EnrolmentClient::new(connection);
        let begin = BeginRecovery { certificate: certificate.clone() };
        let RecoveryNonce(nonce) =
            client.begin_recovery(pb::BeginRecoveryRequest::from(begin)).await?.into_inner().try_into()?;
        let signature = self.identity.key.sign_message(&recovery_message(&nonce));
        let signature = signature.ok().context("the key does not sign")?;
        let recover = Recover { certificate, nonce, signature };
        let answer = client.recover(pb::RecoverRequest::from(recover)).await?.into_inner();
        self.restore_identity(Enrolled::try_from(answer).context("the answer is not one")?.chain);
        Ok(())
    }

    /// The identity certificate that it uses now, DER.
    pub fn identity(&self) -> &[u8] {
        self.identity.chain.first().map_or(&[], Vec::as_slice)
    }

    /// The identity's chain, to go back to later, as a restored disk image would.
    pub fn identity_chain(&self) -> Vec<Vec<u8>> {
        self.identity.chain.clone()
    }

    /// Goes back to an older identity.
    pub fn restore_identity(&mut self, chain: Vec<Vec<u8>>) {
        self.identity.chain = chain;
        self.client = None;
    }

    /// What it sent and received since it was asked last, TLS included.
    pub fn take_traffic(&self) -> Bytes {
        self.traffic.take()
    }

    /// Gives up its connection; the next call makes a new one.
    pub fn hang_up(&mut self) {
        self.client = None;
    }

    async fn client(&mut self) -> Result<&mut AgentClient<Channel>> {
        if self.client.is_none() {
            let channel = connection::to_agents(&self.identity, self.traffic.clone()).await?;
            self.client = Some(AgentClient::new(channel));
        }
        self.client.as_mut().context("no connection")
    }
}

/// Whether the server only finds that this PC calls too often: tests do, and real agents do not.
fn is_too_fast(status: &tonic::Status) -> bool {
    status.code() == tonic::Code::ResourceExhausted && status.message().contains("calls")
}

/// The server's refusal that is in an error, if one is.
pub fn refusal(error: &anyhow::Error) -> Option<&tonic::Status> {
    error.chain().find_map(|cause| cause.downcast_ref::<tonic::Status>())
}
