//! Where the built programs are. `INKAN_PROGRAMS` names a folder that has them; else they are built once, so that a test
//! never runs against yesterday's programs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow, ensure};

/// The programs of inkan.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Finds the programs, building them where needed.
    ///
    /// # Errors
    /// When they do not build, or a folder that was named lacks one.
    pub fn find() -> Result<Self> {
        static FOUND: OnceLock<Result<Programs, String>> = OnceLock::new();
        FOUND.get_or_init(|| locate().map_err(|error| format!("{error:#}"))).clone().map_err(|error| anyhow!(error))
    }

    /// The fleet server.
    pub fn server(&self) -> PathBuf {
        self.folder.join("inkan-server")
    }

    /// The agent.
    pub fn agent(&self) -> PathBuf {
        self.folder.join("inkan-agent")
    }

    /// The operators' command line.
    pub fn command_line(&self) -> PathBuf {
        self.folder.join("inkan")
    }
}

fn locate() -> Result<Programs> {
    let programs = match std::env::var_os("INKAN_PROGRAMS") {
        Some(folder) => Programs { folder: folder.into() },
        None => build()?,
    };
    for program in [programs.server(), programs.agent(), programs.command_line()] {
        ensure!(program.is_file(), "{} is not there", program.display());
    }
    Ok(programs)
}

fn build() -> Result<Programs> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the crate stands in the workspace")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let packages = ["-p", "inkan-server", "-p", "inkan-agent", "-p", "inkan-cli"];
    let mut command = Command::new(cargo);
    command.args(["build", "--locked", "--bins", "--quiet"]).args(packages).current_dir(root);
    let status = command.status().context("could not run cargo")?;
    ensure!(status.success(), "the programs do not build");
    // A test's own program stands in <target>/<profile>/deps.
    let own = std::env::current_exe().context("could not find the own program")?;
    let target = own.ancestors().nth(3).context("the own program does not stand in cargo's target folder")?;
    Ok(Programs { folder: target.join("debug") })
}
