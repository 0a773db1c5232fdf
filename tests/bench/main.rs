//! What the protocol costs, in bytes and in the server's time: `cargo bench -p inkan-tests`, or `tests/run bench`.
//!
//! Figures of a machine mean little, so what is printed are counts, ratios between things measured in the same run, and
//! work for each second of the server's processor time on one core. Nothing is asserted here but that it works at all.
#![expect(clippy::cast_precision_loss, clippy::print_stdout, reason = "a bench prints ratios")]

mod cost;
mod size;

use std::time::Duration;

use anyhow::{Context as _, Result};
use inkan_tests::deployment::TestDeployment;

/// How much is measured.
#[derive(Clone, Copy)]
struct Scale {
    pcs: u32,
    bursts: u32,
    /// Calls of each PC in one burst: the server takes sixty of a host at once.
    calls: u64,
    /// Before each burst. After so long the server takes one again, which is two calls more each second.
    pause: Duration,
}

#[tokio::main]
async fn main() -> Result<()> {
    // `cargo bench` passes --bench; whoever wants to know only that it works passes --smoke.
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let scale = if smoke {
        Scale { pcs: 4, bursts: 1, calls: 12, pause: Duration::ZERO }
    } else {
        Scale { pcs: 100, bursts: 3, calls: 45, pause: Duration::from_secs(25) }
    };
    let mut deployment = TestDeployment::start_with(&[("enrolment.requests_per_minute_per_ip", "10000")]).await?;
    let sizes = size::measure(&deployment).await.context("sizes")?;
    let costs = cost::measure(&mut deployment, scale).await.context("costs")?;
    println!("{}", size::table(&sizes));
    println!("{}", cost::table(&costs));
    Ok(())
}
