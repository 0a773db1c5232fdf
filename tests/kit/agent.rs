//! A real agent with a folder of its own: its data directory, and a directory of certificates that plays the clinic's.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use inkan_model::Fingerprint;
use inkan_model::join_token::JoinTokenSecret;
use serde_json::Value;
use tempfile::TempDir;

use crate::api::text;
use crate::certificates::{SampleCertificate, certificate_pem, certificates_in};
use crate::deployment::TestDeployment;
use crate::process::{Process, run};
use crate::programs::Programs;
use crate::wait::{Look, wait_until};

/// A real agent.
#[derive(Debug)]
pub struct TestAgent {
    folder: TempDir,
    programs: Programs,
    process: Option<Process>,
}

impl TestAgent {
    /// Prepares a PC with an empty directory of certificates.
    ///
    /// # Errors
    /// When no folder can be made.
    pub fn prepare() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("inkan-pc-").tempdir().context("no folder")?;
        let agent = Self { folder, programs: Programs::find()?, process: None };
        std::fs::create_dir(agent.directory()).context("no folder")?;
        Ok(agent)
    }

    /// The directory of certificates that it looks after.
    pub fn directory(&self) -> PathBuf {
        self.folder.path().join("certificates")
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("agent")
    }

    /// Puts a file into the directory of certificates.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.directory().join(name);
        std::fs::write(&path, content).with_context(|| format!("could not write {}", path.display()))
    }

    /// Puts a certificate and its key into the directory, as two files.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn install(&self, name: &str, certificate: &SampleCertificate) -> Result<()> {
        self.write(&format!("{name}.pem"), certificate_pem(&certificate.der))?;
        let key = certificate.key.to_pem().context("could not write the key")?;
        self.write(&format!("{name}.key"), key.as_bytes())?;
        let path = self.directory().join(format!("{name}.key"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).context("could not protect the key")
    }

    /// Enrols it.
    ///
    /// # Errors
    /// When the agent's program fails.
    pub fn enroll(&self, deployment: &TestDeployment, token: &JoinTokenSecret) -> Result<()> {
        let addresses = deployment.addresses();
        let (url, pin) = (addresses.enrolment_url(), addresses.ca_pin.to_string());
        self.command(&["enroll", "--server", &url, "--token", &token.reveal(), "--ca-pin", &pin]).map(drop)
    }

    /// Runs a command of the agent's program; what it printed.
    ///
    /// # Errors
    /// When it fails.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        run(self.prepared(arguments))
    }

    fn prepared(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.agent());
        let passed = |(name, _): &(String, String)| matches!(name.as_str(), "PATH" | "HOME" | "RUST_LOG");
        command.env_clear().envs(std::env::vars().filter(passed));
        command.env("INKAN_AGENT__SCAN_INTERVAL_SECONDS", "60");
        command.args(arguments).arg("--data-dir").arg(self.data_dir()).arg("--directory").arg(self.directory());
        command
    }

    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&mut self) -> Result<()> {
        let log = self.folder.path().join("agent.log");
        self.process = Some(Process::start("inkan-agent", self.prepared(&["run"]), &log)?);
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

    /// Starts it anew, so that it scans at once.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn restart(&mut self) -> Result<()> {
        if self.process.is_some() {
            self.kill()?;
        }
        self.start()
    }

    /// What it wrote about itself; null before the first time.
    pub fn status(&self) -> Value {
        let bytes = std::fs::read(self.data_dir().join("status.json")).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Waits until the server has taken everything since it started; which host it is.
    ///
    /// # Errors
    /// When that does not happen.
    pub async fn wait_until_synced(&mut self, within: Duration) -> Result<String> {
        wait_until("the agent's first sync", within, async || {
            if let Some(ended) = self.process()?.ended()? {
                anyhow::bail!("the agent ended with {ended}:\n{}", self.process()?.last_words());
            }
            let status = self.status();
            let synced =
                status["last_sync"].as_str() >= status["started_at"].as_str() && status["last_sync"].is_string();
            let words = || format!("{status}\n{}", self.process.as_ref().map(Process::last_words).unwrap_or_default());
            Ok(Look::at(synced.then(|| text(&status, "host").map(str::to_owned)).transpose()?, words))
        })
        .await
    }

    /// How it goes, for the text of a failure: its status, its files, and the last words of its log.
    pub fn account(&self) -> String {
        let words = self.process.as_ref().map(Process::last_words).unwrap_or_default();
        format!("{:#}\n{:#?}\n{words}", self.status(), self.files())
    }

    /// The certificates that stand in the directory itself, each with its file's name, archived ones not counted.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn certificates(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.directory()).context("the directory is gone")? {
            let path = entry.context("the directory cannot be read")?.path();
            if path.is_file() {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let name = file_name(&path);
                found.extend(certificates_in(&text).into_iter().map(|der| (name.clone(), der)));
            }
        }
        Ok(found)
    }

    /// The client certificates in the directory whose keys are there too: matched by openssl, which nobody here wrote.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn usable_certificates(&self, ca: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
        let mut usable = Vec::new();
        for (name, der) in self.certificates()? {
            if der != ca && self.has_key(&der)? {
                usable.push((name, der));
            }
        }
        Ok(usable)
    }

    /// The one client certificate in the directory whose key is there too.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn usable_certificate(&self, ca: &[u8]) -> Result<Vec<u8>> {
        let mut usable = self.usable_certificates(ca)?;
        let names: Vec<_> =
            usable.iter().map(|(name, der)| format!("{name} {}", Fingerprint::of(der).short())).collect();
        ensure!(usable.len() == 1, "{} usable certificates: {names:?}; {:?}", usable.len(), self.files());
        Ok(usable.remove(0).1)
    }

    /// All files below the directory of certificates, for the text of a failure.
    pub fn files(&self) -> Vec<String> {
        let (mut found, mut left) = (Vec::new(), vec![self.directory()]);
        while let Some(folder) = left.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    found.push(path.strip_prefix(self.directory()).unwrap_or(&path).display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    fn has_key(&self, der: &[u8]) -> Result<bool> {
        let certificate = self.folder.path().join("asked.pem");
        std::fs::write(&certificate, certificate_pem(der)).context("could not write")?;
        let mut command = Command::new("openssl");
        command.args(["x509", "-noout", "-pubkey", "-in"]).arg(&certificate);
        let wanted = run(command)?;
        for entry in std::fs::read_dir(self.directory()).context("the directory is gone")?.flatten() {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            if text.contains("PRIVATE KEY") {
                let mut command = Command::new("openssl");
                command.args(["pkey", "-pubout", "-in"]).arg(entry.path());
                if run(command)? == wanted {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
