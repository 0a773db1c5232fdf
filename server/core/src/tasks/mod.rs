//! Background tasks. A task takes no input, does a bounded amount, says what it did, and never retries inside: the next
//! tick does. So there is one code path for "just changed", "restarted" and "another node did it".

use std::time::Duration;

use inkan_model::HostId;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use crate::core::Core;
use crate::ports::DbResult;

/// Rows that one activation works through at most.
const BATCH: u32 = 200;

/// One background task.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Task {
    /// Moves renewals on that wait for the server: due, requested, or to be tried again.
    AdvanceRenewals,
    /// Writes the signs of life that have gathered.
    FlushPresence,
    /// Deletes rows that nobody needs any more.
    Prune,
    /// Looks at hosts again whose time has come: certificates near their end, hosts gone silent.
    ReviewHosts,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::AdvanceRenewals, Self::FlushPresence, Self::Prune, Self::ReviewHosts];

    /// How often each one runs. They differ by primes of a second or so, which keeps them from running in step.
    pub const fn interval(self) -> Duration {
        match self {
            Self::AdvanceRenewals => Duration::from_secs(5),
            Self::FlushPresence => Duration::from_secs(10),
            Self::Prune => Duration::from_secs(3_607),
            Self::ReviewHosts => Duration::from_secs(31),
        }
    }

    /// Its name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AdvanceRenewals => "advance_renewals",
            Self::FlushPresence => "flush_presence",
            Self::Prune => "prune",
            Self::ReviewHosts => "review_hosts",
        }
    }

    /// Does its bounded amount of work once, and says how many things it touched.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn activate(self, core: &Core) -> DbResult<usize> {
        match self {
            Self::AdvanceRenewals => {
                let hosts = core.db().list_hosts_with_renewal_work(core.now(), BATCH).await?;
                Ok(advance(core, &hosts).await)
            }
            Self::FlushPresence => core.flush_presence().await,
            Self::Prune => Ok(usize::try_from(core.db().prune(core.now(), BATCH).await?).unwrap_or(usize::MAX)),
            Self::ReviewHosts => {
                let hosts = core.db().list_hosts_to_review(core.now(), BATCH).await?;
                for host in &hosts {
                    core.review_host(*host).await?;
                }
                Ok(hosts.len())
            }
        }
    }
}

async fn advance(core: &Core, hosts: &[HostId]) -> usize {
    let mut done = 0;
    for host in hosts {
        match core.advance_host(*host, None).await {
            Ok(()) => done += 1,
            // One host's trouble must not keep the others waiting.
            Err(cause) => error!(%host, error = &cause as &dyn std::error::Error, "could not advance renewals"),
        }
    }
    done
}

/// Runs every task at its interval until told to stop; then writes what only memory holds.
pub async fn run(core: Core, stop: CancellationToken) {
    let mut running = tokio::task::JoinSet::new();
    for task in Task::ALL {
        running.spawn(run_one(task, core.clone(), stop.clone()));
    }
    while running.join_next().await.is_some() {}
    if let Err(cause) = Task::FlushPresence.activate(&core).await {
        error!(error = &cause as &dyn std::error::Error, "could not write the last signs of life");
    }
    info!("background tasks stopped");
}

async fn run_one(task: Task, core: Core, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(task.interval());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let begun = tokio::time::Instant::now();
        match task.activate(&core).await {
            Ok(0) => debug!(task = task.name(), "nothing to do"),
            Ok(touched) => debug!(task = task.name(), touched, "done"),
            Err(cause) => {
                metrics::counter!("inkan_task_failures_total", "task" => task.name()).increment(1);
                error!(task = task.name(), error = &cause as &dyn std::error::Error, "task failed");
            }
        }
        metrics::histogram!("inkan_task_duration_seconds", "task" => task.name()).record(begun.elapsed().as_secs_f64());
    }
}
