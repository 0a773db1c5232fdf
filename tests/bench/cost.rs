//! What a Sync and a changed report cost the server, which is held on one core: work for each second of its processor
//! time, so that neither this program nor the machine's other work is in the figure.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use inkan_model::store::KeyPresence;
use inkan_tests::certificates::{SampleCa, subject};
use inkan_tests::deployment::TestDeployment;
use inkan_tests::process::run;
use inkan_tests::simulated::SimulatedPc;
use tokio::task::JoinSet;

use crate::Scale;
use crate::size::{entry, own_location, pc};

/// What was measured.
pub(crate) struct Costs {
    pcs: u32,
    quiet: Measured,
    changes: Measured,
}

struct Measured {
    done: u64,
    wall: Duration,
    processor: Duration,
}

pub(crate) async fn measure(deployment: &mut TestDeployment, scale: Scale) -> Result<Costs> {
    let id = deployment.server()?.id();
    let mut command = Command::new("taskset");
    command.args(["--all-tasks", "--cpu-list", "--pid", "0", &id.to_string()]);
    run(command).context("taskset (util-linux) holds the server on one core")?;

    let ca = Arc::new(SampleCa::create("Sample CA")?);
    let mut fleet = Vec::new();
    for number in 0..scale.pcs {
        let mut pc = pc(deployment, 100 + number, &ca).await?;
        pc.report().await?;
        fleet.push(pc);
    }
    let (fleet, quiet) = load(id, scale, fleet, Work::Quiet).await?;
    let (_, changes) = load(id, scale, fleet, Work::Change(ca)).await?;
    Ok(Costs { pcs: scale.pcs, quiet, changes })
}

/// What each PC does over and over.
#[derive(Clone)]
enum Work {
    Quiet,
    Change(Arc<SampleCa>),
}

impl Work {
    /// The calls that it is made of.
    const fn calls(&self) -> u64 {
        match self {
            Self::Quiet => 1,
            Self::Change(_) => 3,
        }
    }

    async fn once(&self, pc: &mut SimulatedPc) -> Result<()> {
        if let Self::Change(ca) = self {
            let name = subject(["medical", "ishikawa"], "changed")?;
            let new = ca.issue(&name, time::Duration::DAY, time::Duration::days(300))?.der;
            let entries = vec![entry(&new, KeyPresence::Present), entry(ca.certificate(), KeyPresence::NotExpected)];
            pc.stores.put(own_location(), entries, vec![new]);
        }
        pc.report().await.map(drop)
    }
}

/// Lets the whole fleet work, each PC in bursts that the server takes from one host.
async fn load(id: u32, scale: Scale, mut fleet: Vec<SimulatedPc>, work: Work) -> Result<(Vec<SimulatedPc>, Measured)> {
    let mut measured = Measured { done: 0, wall: Duration::ZERO, processor: Duration::ZERO };
    for _ in 0..scale.bursts {
        tokio::time::sleep(scale.pause).await;
        let (began, before) = (Instant::now(), processor_time(id)?);
        let mut workers = JoinSet::new();
        for mut pc in fleet {
            let (work, times) = (work.clone(), scale.calls / work.calls());
            workers.spawn(async move {
                for _ in 0..times {
                    work.once(&mut pc).await?;
                }
                anyhow::Ok(pc)
            });
        }
        fleet = Vec::new();
        while let Some(pc) = workers.join_next().await {
            fleet.push(pc.context("a worker panicked")??);
        }
        measured.done += fleet.len() as u64 * (scale.calls / work.calls());
        measured.wall += began.elapsed();
        measured.processor += processor_time(id)?.saturating_sub(before);
    }
    Ok((fleet, measured))
}

/// The time that a process has had on a processor so far: fields 14 and 15 of /proc/PID/stat (proc(5)), in ticks of which
/// Linux has a hundred a second.
fn processor_time(id: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).context("the server is gone")?;
    // The name in parentheses may hold spaces.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).context("not a stat file");
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}

pub(crate) fn table(costs: &Costs) -> String {
    let Costs { pcs, quiet, changes } = costs;
    let rate = |measured: &Measured, time: Duration| measured.done as f64 / time.as_secs_f64().max(0.001);
    let line = |what: &str, measured: &Measured| {
        let (each, wall) = (rate(measured, measured.processor), rate(measured, measured.wall));
        format!("| {what} | {} | {each:.0} | {wall:.0} |\n", measured.done)
    };
    let ratio = rate(quiet, quiet.processor) / rate(changes, changes.processor).max(0.001);
    [
        format!("Work of a server held on one core, {pcs} PCs at once:\n\n"),
        "| | done | for each second of its processor time | a second |\n| --- | ---: | ---: | ---: |\n".to_owned(),
        line("quiet syncs", quiet),
        line("changed reports (sync, upload of set and certificate, sync)", changes),
        format!("\nA changed report costs as much as {ratio:.1} quiet syncs.\n"),
    ]
    .concat()
}
