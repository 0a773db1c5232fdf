//! What most tests begin with: a server, and a real agent on a PC with one client certificate.

use std::time::Duration;

use inkan_model::Fingerprint;
use inkan_model::host::HostFacts;
use inkan_model::join_token::JoinTokenSecret;
use inkan_model::store::{KeyPresence, Location, Scope, SetEntry, StoreKind};
use inkan_tests::agent::TestAgent;
use inkan_tests::certificates::{certificate_pem, subject};
use inkan_tests::deployment::{CLINIC, TestDeployment};
use inkan_tests::simulated::{Candidate, SimulatedPc, source};
use inkan_tests::wait::{Look, wait_until};
use serde_json::Value;

/// Long enough for a loaded machine, short enough to notice.
pub(crate) const SOON: Duration = Duration::from_mins(1);

/// A server and a real agent that reports to it.
pub(crate) struct Stage {
    pub(crate) deployment: TestDeployment,
    pub(crate) agent: TestAgent,
    /// The host that the agent became.
    pub(crate) host: String,
    /// The certificate of the vendor's private CA.
    pub(crate) ca: Vec<u8>,
    /// The client certificate that the PC has at first.
    pub(crate) old: Fingerprint,
}

impl Stage {
    /// Sets up both, with a client certificate of two organisational units that ends in twenty days.
    pub(crate) async fn set() -> Self {
        let deployment = TestDeployment::start_with(&[("sync.interval_seconds", "10")]).await.unwrap();
        let mut agent = TestAgent::prepare().unwrap();
        let name = subject(["medical", "ishikawa"], CLINIC).unwrap();
        let certificate = deployment.issue(&name, 20).unwrap();
        let ca = deployment.private_ca().unwrap();
        agent.install("client", &certificate).unwrap();
        agent.write("ca.pem", certificate_pem(&ca)).unwrap();
        agent.enroll(&deployment, &token(&deployment, 1).await).unwrap();
        agent.start().unwrap();
        let host = agent.wait_until_synced(SOON).await.unwrap();
        Self { deployment, agent, host, ca, old: Fingerprint::of(&certificate.der) }
    }

    /// Gets something below the host's path in the API.
    pub(crate) async fn of_host(&self, path: &str) -> Vec<Value> {
        let api = self.deployment.api().await.unwrap();
        api.list(&format!("/hosts/{}/{path}", self.host)).await.unwrap()
    }

    /// The installations in the agent's directory, as the server knows them.
    pub(crate) async fn installations(&self) -> Vec<Value> {
        let own = self.agent.directory().display().to_string();
        let all = self.of_host("certificates").await;
        all.into_iter().filter(|one| one["location"]["path"] == own.as_str()).collect()
    }

    /// Waits until the server knows exactly this certificate in the agent's directory.
    pub(crate) async fn wait_until_only(&self, certificate: Fingerprint) {
        let wanted = [certificate.to_string()];
        let look = async || {
            let found = self.installations().await;
            let found: Vec<_> = found.iter().map(|one| one["certificate"].as_str().unwrap().to_owned()).collect();
            Ok(Look::when(found == wanted, || format!("{found:?}")))
        };
        let found = wait_until("the report of the one certificate", Duration::from_mins(2), look).await;
        found.unwrap_or_else(|error| panic!("{error:#}\n{}", self.agent.account()));
    }
}

/// A join token whose PCs get directives at once.
pub(crate) async fn token(deployment: &TestDeployment, uses: u32) -> JoinTokenSecret {
    deployment.api().await.unwrap().join_token(CLINIC, uses, true).await.unwrap()
}

/// Facts of a simulated PC.
pub(crate) fn facts(name: &str) -> HostFacts {
    HostFacts {
        host_name: name.to_owned(),
        os: "Simulated".to_owned(),
        os_version: "1".to_owned(),
        architecture: "x86_64".to_owned(),
        agent_version: "0".to_owned(),
        cores: 2,
        ..HostFacts::default()
    }
}

/// A PC on the wire that may become one of the fleet.
pub(crate) fn candidate(number: u32) -> Candidate {
    Candidate::new(facts(&format!("SIM-{number}")), source(number)).unwrap()
}

/// A PC of the fleet that exists only on the wire.
pub(crate) async fn simulated(deployment: &TestDeployment, number: u32) -> SimulatedPc {
    let token = token(deployment, 1).await;
    candidate(number).enroll(&deployment.addresses().doors(), &token).await.unwrap()
}

/// A directory of the machine.
pub(crate) fn directory(path: &str) -> Location {
    Location { kind: StoreKind::Directory, scope: Scope::Machine, path: path.to_owned() }
}

/// A certificate whose key is there.
pub(crate) fn with_key(der: &[u8]) -> SetEntry {
    SetEntry::certificate(Fingerprint::of(der), KeyPresence::Present, None)
}

/// A certificate that has no key by nature.
pub(crate) fn anchor(der: &[u8]) -> SetEntry {
    SetEntry::certificate(Fingerprint::of(der), KeyPresence::NotExpected, None)
}
