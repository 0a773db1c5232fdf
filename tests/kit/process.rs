//! A child process that never outlives its handle, and whose output is kept for the failure's text.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{Look, wait_until};

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program; what it prints goes to the end of `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log).context("could not open the log")?;
        let copy = file.try_clone().context("could not open the log")?;
        command.stdin(Stdio::null()).stdout(file).stderr(copy);
        let child = command.spawn().with_context(|| format!("could not start {name}"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("could not ask after {}", self.name))
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().with_context(|| format!("could not kill {}", self.name))?;
        self.child.wait().with_context(|| format!("could not wait for {}", self.name))?;
        Ok(())
    }

    /// Asks it to stop (SIGTERM), and waits until it has; how it ended.
    ///
    /// # Errors
    /// When it is still there at the deadline.
    pub async fn stop(&mut self, within: Duration) -> Result<ExitStatus> {
        if let Some(ended) = self.ended()? {
            return Ok(ended);
        }
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process(id, Signal::TERM).with_context(|| format!("could not stop {}", self.name))?;
        let what = format!("{} to stop", self.name);
        wait_until(&what, within, async || Ok(Look::at(self.ended()?, || "it still runs".to_owned()))).await
    }

    /// What it printed so far.
    pub fn output(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The last lines of what it printed, for the text of a failure.
    pub fn last_words(&self) -> String {
        let output = self.output();
        let lines: Vec<_> = output.lines().rev().take(30).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already; there is nothing to tell anybody then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program to its end; what it wrote to its standard output.
///
/// # Errors
/// When it fails; its words are in the error.
pub fn run(mut command: Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("could not run {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?} ended with {}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stdout).context("its output is not UTF-8")
}

/// As [`run`], for a program that leaves others running behind it: what it wrote goes to files, because a pipe would not
/// end before the last of those does.
///
/// # Errors
/// When it fails; its words are in the error.
pub fn run_with_heirs(mut command: Command) -> Result<String> {
    let folder = tempfile::tempdir().context("no folder")?;
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let file = |path: &Path| File::create(path).context("no file for the output");
    let words = |path: &Path| std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    command.stdin(Stdio::null()).stdout(file(&out)?).stderr(file(&err)?);
    let status = command.status().with_context(|| format!("could not run {command:?}"))?;
    let (out, err) = (words(&out).context("its output is gone")?, words(&err).context("its output is gone")?);
    ensure!(status.success(), "{command:?} ended with {status}: {err}{out}");
    Ok(out)
}
