//! The real browsers, without a window, each with a home directory of its own and a deadline.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::site::{Site, Visit};

/// How long a browser may take for one page, on a machine that is busy.
const DEADLINE: Duration = Duration::from_mins(2);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Browser {
    Chromium,
    Firefox,
}

impl Browser {
    /// The programs that a test with this browser needs.
    pub(crate) const fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Chromium => &["chromium", "certutil"],
            Self::Firefox => &["firefox-esr"],
        }
    }

    /// Makes what the browser does not make by itself: Chromium's database.
    pub(crate) fn prepare(self, home: &Path) -> Result<()> {
        match self {
            Self::Firefox => Ok(()),
            Self::Chromium => {
                let folder = home.join(".pki/nssdb");
                std::fs::create_dir_all(&folder).context("could not make the database's folder")?;
                run(Command::new("certutil").args(["-N", "--empty-password", "-d"]).arg(named(&folder)))
            }
        }
    }

    /// Looks at one page of the site, and is ended as soon as it is known how that went: Firefox does not end by itself at
    /// a page that it has blocked.
    pub(crate) fn visit(self, home: &Path, site: &Site, path: &str) -> Result<Visit> {
        self.stay(home, site, path)?.end()?;
        Ok(site.visit(path))
    }

    /// Looks at one page of the site, and stays.
    pub(crate) fn stay(self, home: &Path, site: &Site, path: &str) -> Result<Running> {
        let mut command = match self {
            Self::Firefox => {
                let mut firefox = Command::new("firefox-esr");
                firefox.args(["--headless", "--no-remote", "--screenshot"]).arg(home.join("page.png"));
                firefox
            }
            Self::Chromium => {
                let mut chromium = Command::new("chromium");
                // Its sandbox does not work as root; what it looks at here is our own page.
                chromium.args([
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-dev-shm-usage",
                    "--no-first-run",
                ]);
                chromium.args(["--disable-background-networking", "--disable-component-update", "--dump-dom"]);
                chromium.arg(format!("--user-data-dir={}", home.join("chromium").display()));
                chromium
            }
        };
        for variable in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "DISPLAY", "HTTPS_PROXY", "https_proxy"]
        {
            command.env_remove(variable);
        }
        site.forget();
        command.arg(site.url(path)).env("HOME", home).current_dir(home).process_group(0);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        let running = Running { child, group };
        let end = Instant::now() + DEADLINE;
        while site.visit(path) == Visit::Nobody && Instant::now() < end {
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(running)
    }
}

/// A browser with all its processes. Dropping it kills them.
pub(crate) struct Running {
    child: Child,
    group: Pid,
}

impl Running {
    /// Asks it to end, and waits until it has.
    pub(crate) fn end(mut self) -> Result<()> {
        // It may have ended by itself.
        let _ = kill_process_group(self.group, Signal::TERM);
        let end = Instant::now() + DEADLINE;
        while self.child.try_wait()?.is_none() {
            ensure!(Instant::now() < end, "the browser does not end");
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Adds a root as an administrator would with the operating system's tool.
pub(crate) fn add_with_certutil(home: &Path, profile: &Path, root: &[u8]) -> Result<()> {
    let file = home.join("root.der");
    std::fs::write(&file, root).context("could not write the root")?;
    let mut certutil = Command::new("certutil");
    certutil.args(["-A", "-n", "root", "-t", "C,,", "-d"]).arg(named(profile)).arg("-i").arg(&file);
    run(&mut certutil)
}

fn named(folder: &Path) -> String {
    format!("sql:{}", folder.display())
}

/// Whether these programs are here. What is missing is said loudly, and is a failure where `CI=true`.
pub(crate) fn have(programs: &[&str]) -> Result<bool> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let missing: Vec<_> = programs.iter().filter(|program| !is_there(program)).collect();
    ensure!(missing.is_empty() || std::env::var("CI").as_deref() != Ok("true"), "{missing:?} are not installed");
    if !missing.is_empty() {
        #[expect(clippy::print_stderr, reason = "what a test leaves out has to be seen")]
        {
            eprintln!("SKIPPED: {missing:?} are not installed");
        }
    }
    Ok(missing.is_empty())
}

fn run(command: &mut Command) -> Result<()> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "{command:?} ended with {status}");
            return Ok(());
        }
        std::thread::sleep(LOOK_EVERY);
    }
    child.kill()?;
    child.wait()?;
    bail!("{command:?} did not end within {DEADLINE:?}")
}
