//! Windows: Ctrl-C and Ctrl-Break from a console, a console that is closed, and shutdown. The service manager's stop comes
//! another way, and a log-off may be anybody's.

use std::io;

use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};

/// Listens from now on; what it returns comes to its end when the agent is to stop.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut break_key, mut close) = (ctrl_c()?, ctrl_break()?, ctrl_close()?);
    let mut shutdown = ctrl_shutdown()?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = break_key.recv() => {}
            _ = close.recv() => {}
            _ = shutdown.recv() => {}
        }
    })
}
