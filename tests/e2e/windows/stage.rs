//! A server, and the Windows agent on a PC of its own.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use inkan_model::join_token::JoinTokenSecret;
use inkan_tests::deployment::{CLINIC, TestDeployment};
use inkan_tests::windows_agent::WindowsAgent;
use serde_json::Value;

/// Long enough for Wine on a loaded machine.
pub(crate) const SOON: Duration = Duration::from_mins(2);

/// A server and a Windows agent that reports to it.
pub(crate) struct Stage {
    pub(crate) deployment: TestDeployment,
    pub(crate) agent: WindowsAgent,
    /// The host that the agent became.
    pub(crate) host: String,
}

/// A PC as it is bought. `None` where there is no program or no Wine: a test then ends well, and says loudly that it tested
/// nothing; where CI=true it fails.
pub(crate) fn pc() -> Option<WindowsAgent> {
    if let Some(lacking) = WindowsAgent::lacking() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{lacking}");
        // Not by a macro, whose words the test harness keeps to itself when a test ends well.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {lacking}");
        return None;
    }
    Some(WindowsAgent::prepare(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap())
}

impl Stage {
    /// Sets up both; `None` as [`pc`] says.
    pub(crate) async fn set() -> Option<Self> {
        let mut agent = pc()?;
        let deployment = TestDeployment::start_with(&[("sync.interval_seconds", "10")]).await.unwrap();
        agent.enroll(&deployment, &token(&deployment).await, &[]).unwrap();
        agent.start().unwrap();
        let host = agent.wait_until_synced(SOON).await.unwrap();
        Some(Self { deployment, agent, host })
    }

    /// What the server knows of the host.
    pub(crate) async fn shown(&self) -> Value {
        self.deployment.host(&self.host).await.unwrap()
    }

    /// Gets something below the host's path in the API.
    pub(crate) async fn of_host(&self, path: &str) -> Vec<Value> {
        let api = self.deployment.api().await.unwrap();
        api.list(&format!("/hosts/{}/{path}", self.host)).await.unwrap()
    }

    /// Every host that the server knows.
    pub(crate) async fn hosts(&self) -> Vec<Value> {
        self.deployment.api().await.unwrap().list("/hosts").await.unwrap()
    }
}

/// A join token whose PC gets directives at once.
pub(crate) async fn token(deployment: &TestDeployment) -> JoinTokenSecret {
    deployment.api().await.unwrap().join_token(CLINIC, 1, true).await.unwrap()
}
