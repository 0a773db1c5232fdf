//! Runs the program with an environment and a home of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::fake::Fake;

/// A home folder in which the program runs.
pub(crate) struct Home {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    /// A home in which nobody signed in.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// A home with a token for the server.
    pub(crate) fn signed_in(fake: &Fake) -> Self {
        Self::empty().with("INKAN_URL", fake.address()).with("INKAN_TOKEN", "t0ken")
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn credentials(&self) -> PathBuf {
        self.path().join(".config/inkan/credentials.toml")
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "").await
    }

    pub(crate) async fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inkan"));
        command.args(arguments).env_clear().env("HOME", self.path()).env("LANG", "en_GB.UTF-8").env("COLUMNS", "100");
        command.envs(self.variables.iter().map(|(name, value)| (name, value))).current_dir(self.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A program that does not read closes the pipe, which is fine.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let done = child.wait_with_output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: done.status.code().unwrap(), stdout: text(done.stdout), stderr: text(done.stderr) }
    }
}
