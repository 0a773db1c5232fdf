//! The real Windows agent on a PC with a Windows of its own, by Wine.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use inkan_model::join_token::JoinTokenSecret;
use serde_json::Value;

use crate::deployment::TestDeployment;
use crate::process::{Process, run_with_heirs};
use crate::wait::{Look, wait_until};
use crate::wine::WinePrefix;

/// Names the program that `deploy/windows/build` built.
const PROGRAM: &str = "INKAN_WINDOWS_AGENT";
/// The agent's own folder, on drive C:.
const DATA_DIR: &str = "ProgramData/inkan";
/// What the agent prints, on drive C:.
const LOG: &str = "agent.log";

/// The Windows agent on a PC of its own. Dropping it ends everything on that PC.
#[derive(Debug)]
pub struct WindowsAgent {
    process: Option<Process>,
    windows: WinePrefix,
    program: PathBuf,
    variables: Vec<(String, String)>,
}

impl WindowsAgent {
    /// What a test of the Windows agent lacks on this machine, in words.
    pub fn lacking() -> Option<&'static str> {
        match (program(), WinePrefix::is_possible()) {
            (Some(_), true) => None,
            (None, _) => Some("INKAN_WINDOWS_AGENT names no program: build it with deploy/windows/build"),
            (Some(_), false) => Some("there is no Wine: install the packages wine and wine64"),
        }
    }

    /// A PC as it is bought. `folder` is kept between runs.
    ///
    /// # Errors
    /// When there is no program, or Wine fails.
    pub fn prepare(folder: &Path) -> Result<Self> {
        let program = program().context("INKAN_WINDOWS_AGENT names no program")?;
        let variables = vec![("INKAN_AGENT__SCAN_INTERVAL_SECONDS".to_owned(), "60".to_owned())];
        Ok(Self { process: None, windows: WinePrefix::create(folder)?, program, variables })
    }

    /// Its Windows.
    pub const fn windows(&self) -> &WinePrefix {
        &self.windows
    }

    /// Sets a variable for every program of the agent that is started from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Runs a command of the agent's program; what it printed.
    ///
    /// # Errors
    /// When it fails.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        run_with_heirs(self.prepared(arguments))
    }

    /// Enrols it.
    ///
    /// # Errors
    /// When the agent's program fails.
    pub fn enroll(&self, deployment: &TestDeployment, token: &JoinTokenSecret, more: &[&str]) -> Result<String> {
        let addresses = deployment.addresses();
        let (url, pin, token) = (addresses.enrolment_url(), addresses.ca_pin.to_string(), token.reveal());
        let usual = ["enroll", "--server", &url, "--token", &token, "--ca-pin", &pin];
        self.command(&[&usual, more].concat())
    }

    fn prepared(&self, arguments: &[&str]) -> Command {
        let mut command = self.windows.command(&self.program);
        command.envs(self.variables.iter().cloned()).args(arguments);
        command
    }

    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&mut self) -> Result<()> {
        let log = self.windows.on_drive_c(LOG);
        self.process = Some(Process::start("inkan-agent.exe", self.prepared(&["run"]), &log)?);
        Ok(())
    }

    /// Its process.
    ///
    /// # Errors
    /// When it does not run.
    pub fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("the agent does not run")
    }

    /// Kills it as `kill -9` does.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("the agent does not run")?.kill()
    }

    /// A file of the agent's own folder.
    pub fn data(&self, file: &str) -> PathBuf {
        self.windows.on_drive_c(DATA_DIR).join(file)
    }

    /// How often the agent has begun to work since the PC was bought.
    pub fn begun(&self) -> usize {
        let log = std::fs::read(self.windows.on_drive_c(LOG)).unwrap_or_default();
        String::from_utf8_lossy(&log).lines().filter(|line| line.contains("started")).count()
    }

    /// What the agent wrote about itself; null before the first time.
    pub fn status(&self) -> Value {
        let bytes = std::fs::read(self.data("status.json")).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Waits until the server has taken everything since the agent started; which host it is.
    ///
    /// # Errors
    /// When that does not happen.
    pub async fn wait_until_synced(&mut self, within: Duration) -> Result<String> {
        wait_until("the Windows agent's first sync", within, async || {
            if let Some(ended) = self.process()?.ended()? {
                anyhow::bail!("the agent ended with {ended}:\n{}", self.account());
            }
            let status = self.status();
            let synced =
                status["last_sync"].as_str() >= status["started_at"].as_str() && status["last_sync"].is_string();
            let host = status["host"].as_str().filter(|_| synced).map(str::to_owned);
            Ok(Look::at(host, || self.account()))
        })
        .await
    }

    /// How it goes, for the text of a failure.
    pub fn account(&self) -> String {
        let words = self.process.as_ref().map(Process::last_words).unwrap_or_default();
        format!("{:#}\n{words}", self.status())
    }
}

fn program() -> Option<PathBuf> {
    std::env::var_os(PROGRAM).map(PathBuf::from).filter(|program| program.is_file())
}
