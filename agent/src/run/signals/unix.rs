//! Unix: SIGTERM from the service manager, SIGINT from a terminal.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Listens from now on; what it returns comes to its end when the agent is to stop.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
