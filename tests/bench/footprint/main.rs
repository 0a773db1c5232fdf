//! What the agent costs a clinic's PC: `deploy/windows/footprint` builds what it needs and runs this.
//!
//! An idle hour cannot be had in a minute, and the agent's clock is not for turning: what one scan and one sync cost is
//! measured on the running agent, and an hour is put together from as many of them as it has at the settings that are
//! delivered. What is measured is the Linux build of the size profile, because only it runs as itself here; under Wine it
//! is said beside it what Wine's own libraries leave of it.
#![expect(clippy::cast_precision_loss, clippy::print_stdout, reason = "it prints figures")]

mod process;
mod table;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use inkan_tests::agent::TestAgent;
use inkan_tests::certificates::{SampleCa, certificate_pem, subject};
use inkan_tests::deployment::{CLINIC, TestDeployment};
use inkan_tests::wait::{Look, wait_until};
use inkan_tests::windows_agent::WindowsAgent;
use serde_json::Value;

use crate::process::Watched;
use crate::table::{Goal, Line, render};

/// Certificates in the directory that is scanned.
const CERTIFICATES: usize = 400;
const SOON: Duration = Duration::from_mins(3);
/// Times that a scan is timed; the middle one counts.
const TIMED: usize = 5;
/// Scans that the running agent is watched for; they are a minute apart.
const WATCHED: usize = 2;
/// In an hour, as delivered: a scan each fifteen minutes, a sync each five.
const SCANS_PER_HOUR: f64 = 4.0;
const SYNCS_PER_HOUR: f64 = 12.0;
/// As Windows counts them.
const MEGABYTE: f64 = 1_048_576.0;

/// What was measured of a running agent.
struct Running {
    certificates: u64,
    idle_bytes: u64,
    own_bytes: u64,
    scanning_bytes: u64,
    scan_seconds: f64,
    sync_seconds: f64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let deployment = TestDeployment::start_with(&[("sync.interval_seconds", "10")]).await?;
    let mut lines = sizes(&deployment)?;
    let certificates = sample_certificates()?;
    lines.extend(on_linux(&deployment, &certificates).await.context("on Linux")?);
    match WindowsAgent::lacking() {
        None => lines.extend(under_wine(&deployment, &certificates).await.context("under Wine")?),
        Some(lacking) => println!("Not measured under Wine: {lacking}."),
    }
    println!("{}", render(&lines));
    let missed = lines.iter().filter(|line| line.is_missed()).count();
    ensure!(missed == 0, "{missed} goals are missed");
    Ok(())
}

fn sample_certificates() -> Result<Vec<(String, String)>> {
    let ca = SampleCa::create("Sample CA")?;
    let one = |number: usize| {
        let name = subject(["medical", "ishikawa"], &format!("{CLINIC}-{number:04}"))?;
        let der = ca.issue(&name, time::Duration::DAY, time::Duration::days(300))?.der;
        Ok((format!("{number:04}.pem"), certificate_pem(&der)))
    };
    (0..CERTIFICATES).map(one).collect()
}

/// Sizes of the programs that are there.
fn sizes(deployment: &TestDeployment) -> Result<Vec<Line>> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_file());
    // On Linux the standard library is the one that is delivered with Rust, which was not made small.
    let programs = [
        ("64-bit Windows: size of inkan-agent.exe", variable("INKAN_WINDOWS_AGENT"), Goal::AtMost(6.0)),
        ("32-bit Windows: size of inkan-agent.exe", variable("INKAN_WINDOWS_AGENT_32"), Goal::AtMost(6.0)),
        ("Linux: size of inkan-agent", Some(deployment.programs().agent()), Goal::None),
    ];
    let mut lines = Vec::new();
    for (what, path, goal) in programs {
        let Some(path) = path else { continue };
        let bytes = path.metadata().with_context(|| path.display().to_string())?.len();
        lines.push(Line::new(what, bytes as f64 / MEGABYTE, "MB", goal));
    }
    Ok(lines)
}

async fn on_linux(deployment: &TestDeployment, certificates: &[(String, String)]) -> Result<Vec<Line>> {
    let mut agent = TestAgent::prepare()?;
    for (name, pem) in certificates {
        agent.write(name, pem)?;
    }
    let scan = median(|| agent.command(&["scan"]).map(drop))?;
    let token = deployment.api().await?.join_token(CLINIC, 1, true).await?;
    agent.enroll(deployment, &token)?;
    agent.start()?;
    agent.wait_until_synced(SOON).await?;
    let running = watch(agent.process()?.id(), &|| agent.status()).await?;
    let hour = SCANS_PER_HOUR * running.scan_seconds + SYNCS_PER_HOUR * running.sync_seconds;
    println!(
        "On Linux, with {} certificates: a scan takes {:.0} ms of the processor, a sync with what idling costs {:.0} ms \
         (clock ticks of 10 ms). An hour has {SCANS_PER_HOUR} scans and {SYNCS_PER_HOUR} syncs as delivered.\n",
        running.certificates,
        running.scan_seconds * 1_000.0,
        running.sync_seconds * 1_000.0,
    );
    Ok(vec![
        Line::new("Linux: memory when idle (resident)", running.idle_bytes as f64 / MEGABYTE, "MB", Goal::AtMost(12.0)),
        Line::new("Linux: of that, its own and no file's", running.own_bytes as f64 / MEGABYTE, "MB", Goal::None),
        Line::new(
            "Linux: memory at most, during scans",
            running.scanning_bytes as f64 / MEGABYTE,
            "MB",
            Goal::AtMost(12.0),
        ),
        Line::new("Linux: processor in an idle hour, put together", hour / 36.0, "%", Goal::Below(0.1)),
        Line::new("Linux: `scan` from start to end", scan.as_secs_f64(), "s", Goal::AtMost(1.0)),
    ])
}

/// With Wine's own libraries in the process, memory says little: no goal is held against it.
async fn under_wine(deployment: &TestDeployment, certificates: &[(String, String)]) -> Result<Vec<Line>> {
    let mut agent = WindowsAgent::prepare(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
    let folder = agent.windows().on_drive_c("certificates");
    std::fs::create_dir(&folder).context("no folder")?;
    for (name, pem) in certificates {
        std::fs::write(folder.join(name), pem).context("could not write")?;
    }
    agent.set("INKAN_AGENT__DIRECTORIES", r"C:\certificates");
    let scan = median(|| agent.command(&["scan"]).map(drop))?;
    let token = deployment.api().await?.join_token(CLINIC, 1, true).await?;
    agent.enroll(deployment, &token, &[])?;
    agent.start()?;
    agent.wait_until_synced(SOON).await?;
    let memory = Watched::new(agent.process()?.id()).memory()?;
    Ok(vec![
        Line::new("Wine: memory after the first report, Wine's included", memory as f64 / MEGABYTE, "MB", Goal::None),
        Line::new("Wine: `scan` from start to end", scan.as_secs_f64(), "s", Goal::None),
    ])
}

/// Watches an agent that has reported: first while it only syncs, then over some scans.
async fn watch(process: u32, status: &dyn Fn() -> Value) -> Result<Running> {
    let watched = Watched::new(process);
    let scanned = |status: &Value| status["last_scan"]["at"].as_str().unwrap_or_default().to_owned();
    let synced = |status: &Value| status["last_sync"].as_str().unwrap_or_default().to_owned();
    next(status, &scanned).await?;
    // What the scan has to tell is told with the first of these.
    next(status, &synced).await?;
    next(status, &synced).await?;
    let idle_from = watched.processor_seconds()?;
    for _ in 0..3 {
        next(status, &synced).await?;
    }
    let sync_seconds = (watched.processor_seconds()? - idle_from) / 3.0;
    let (idle_bytes, own_bytes) = (watched.memory()?, watched.own_memory()?);
    watched.forget_most_memory()?;
    next(status, &scanned).await?;
    let (from, began) = (watched.processor_seconds()?, Instant::now());
    for _ in 0..WATCHED {
        next(status, &scanned).await?;
    }
    let syncs = began.elapsed().as_secs_f64() / 10.0;
    let spent = watched.processor_seconds()? - from;
    let scan_seconds = (spent - syncs * sync_seconds).max(0.0) / WATCHED as f64;
    let certificates = status()["last_scan"]["certificates"].as_u64().context("no scan")?;
    Ok(Running {
        certificates,
        idle_bytes,
        own_bytes,
        scanning_bytes: watched.most_memory()?,
        scan_seconds,
        sync_seconds,
    })
}

/// Waits until something in the status is another than now.
async fn next(status: &dyn Fn() -> Value, what: &dyn Fn(&Value) -> String) -> Result<()> {
    let before = what(&status());
    wait_until("the agent's next step", SOON, async || {
        let now = what(&status());
        // An empty one is a file that is being replaced.
        Ok(Look::when(now != before && !now.is_empty(), || now))
    })
    .await
}

fn median(mut step: impl FnMut() -> Result<()>) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..TIMED {
        let began = Instant::now();
        step()?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(times[TIMED / 2])
}
