//! `serve`: everything, until told to stop.

use anyhow::{Context as _, Result};
use tokio::signal;

use super::print;
use crate::assemble::World;
use crate::config::Config;
use crate::serving::{Addresses, Server};

pub(super) async fn run(config: &Config) -> Result<()> {
    let stop = told_to_stop()?;
    let server = Server::start(config, World::default()).await?;
    let Addresses { web, agents, enrolment, ca_pin } = server.addresses();
    print(&format!("web        {web}\nagents     {agents}\nenrolment  {enrolment}\nca pin     {ca_pin}\n"))?;
    if let Some(link) = server.setup_link() {
        print(&format!("\nNobody can sign in yet. Open this once, within 24 hours, to become the owner:\n  {link}\n"))?;
    }
    Ok(server.run_until(stop).await?)
}

/// Waits for the interrupt key, and for what a service manager sends.
fn told_to_stop() -> Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminate =
        signal::unix::signal(signal::unix::SignalKind::terminate()).context("could not wait for SIGTERM")?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = signal::ctrl_c().await;
    })
}
