//! A Windows of its own, by Wine: its registry, its drive C: and its stores are nobody else's.
//!
//! Setting one up takes Wine ten seconds and 700 MB, so it is done once and kept; each test gets a copy whose system files
//! are links to those. Only the 64-bit Wine is used: Debian has the 32-bit one as a foreign architecture alone.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use crate::process::{run, run_with_heirs};
use crate::wait::insist;

/// Where the first prefix is kept; one for each version of Wine.
const KEPT: &str = "wine";
/// The personal store of whoever works at the PC.
const PERSONAL_STORE: &str = r"HKCU\Software\Microsoft\SystemCertificates\MY\Certificates";
/// How long programs may take to be gone.
const FAREWELL: Duration = Duration::from_secs(10);
/// Variables of this machine that programs under Wine may see.
const PASSED: [&str; 3] = ["HOME", "PATH", "RUST_LOG"];

/// A Windows of its own. Dropping it ends every program in it.
#[derive(Debug)]
pub struct WinePrefix {
    folder: TempDir,
}

impl WinePrefix {
    /// Whether this machine has Wine.
    pub fn is_possible() -> bool {
        version().is_ok()
    }

    /// Makes one below `folder`, which is to be on a file system with links, and is kept between runs.
    ///
    /// # Errors
    /// When Wine fails.
    pub fn create(folder: &Path) -> Result<Self> {
        let kept = kept(folder)?;
        let folder = tempfile::Builder::new().prefix("wine-").tempdir_in(folder).context("no folder")?;
        copy(&kept, folder.path())?;
        let prefix = Self { folder };
        // It stays until the prefix goes, so that programs start at once and services are not ended between them.
        run_with_heirs(in_prefix(prefix.folder.path(), "wineserver", &["-p"]))?;
        Ok(prefix)
    }

    /// A command that runs a Windows program in it.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = in_prefix(self.folder.path(), "wine", &[]);
        command.arg(program);
        command
    }

    /// Where a path of drive C: is on this machine, as in `ProgramData/inkan`.
    pub fn on_drive_c(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join("drive_c").join(path)
    }

    /// Sets a text in the registry.
    ///
    /// # Errors
    /// When Wine fails.
    pub fn set_registry(&self, key: &str, name: &str, value: &str) -> Result<()> {
        let arguments = ["add", key, "/v", name, "/t", "REG_SZ", "/d", value, "/f"];
        let mut command = self.command("reg");
        command.args(arguments);
        run_with_heirs(command).map(drop)
    }
}

impl Drop for WinePrefix {
    /// Programs that are being ended still write for a moment after Wine's server says that it is gone.
    fn drop(&mut self) {
        let path = self.folder.path();
        for argument in ["-k", "-w"] {
            // Where it is gone already, there is nothing to end.
            let _ = in_prefix(path, "wineserver", &[argument]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
        insist(FAREWELL, || std::fs::remove_dir_all(path).is_ok() || !path.exists());
    }
}

fn in_prefix(prefix: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    let passed = |(name, _): &(String, String)| PASSED.contains(&name.as_str());
    command.env_clear().envs(std::env::vars().filter(passed));
    // No questions about .NET and HTML, which nothing here needs, and no window anywhere.
    command.env("WINEPREFIX", prefix).env("WINEDEBUG", "-all").env("WINEDLLOVERRIDES", "mscoree,mshtml=");
    command
}

fn version() -> Result<String> {
    let mut command = Command::new("wine");
    command.arg("--version").env("WINEDEBUG", "-all");
    Ok(run(command)?.trim().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-"))
}

/// The prefix that is copied; set up where it is not there. Two processes that do so at once do it twice, and one wins.
fn kept(folder: &Path) -> Result<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    std::fs::create_dir_all(folder).context("no folder")?;
    let kept = folder.join(format!("{KEPT}-{}", version()?));
    if kept.is_dir() {
        return Ok(kept);
    }
    let fresh = tempfile::Builder::new().prefix("wine-fresh-").tempdir_in(folder).context("no folder")?;
    run_with_heirs(in_prefix(fresh.path(), "wine", &["wineboot", "--init"]))?;
    // Whoever has a profile on a real Windows has a store of his own; Wine makes it when it is first used.
    run_with_heirs(in_prefix(fresh.path(), "wine", &["reg", "add", PERSONAL_STORE, "/f"]))?;
    run_with_heirs(in_prefix(fresh.path(), "wineserver", &["-w"]))?;
    ensure!(fresh.path().join("system.reg").is_file(), "Wine set up no registry");
    match std::fs::rename(fresh.path(), &kept) {
        Ok(()) => drop(fresh.keep()),
        Err(_) if kept.is_dir() => {}
        Err(error) => bail!("could not keep the prefix: {error}"),
    }
    Ok(kept)
}

/// Copies a prefix, with links in place of the system's files, which nobody changes.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let (drive, new_drive) = (from.join("drive_c"), to.join("drive_c"));
    std::fs::create_dir(&new_drive).context("no folder")?;
    for entry in std::fs::read_dir(from).context("the kept prefix is gone")? {
        let path = entry.context("the kept prefix cannot be read")?.path();
        if path != drive {
            copy_by("--archive", &path, to)?;
        }
    }
    for entry in std::fs::read_dir(&drive).context("the kept prefix is gone")? {
        let path = entry.context("the kept prefix cannot be read")?.path();
        let is_system = path.file_name().is_some_and(|name| name == "windows");
        copy_by(if is_system { "--archive --link" } else { "--archive" }, &path, &new_drive)?;
    }
    Ok(())
}

fn copy_by(how: &str, from: &Path, to: &Path) -> Result<()> {
    let mut command = Command::new("cp");
    command.args(how.split(' ')).arg(from).arg(to);
    run(command).map(drop)
}
