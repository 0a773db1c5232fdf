//! What every operating system has: Ctrl-C.

use std::io;

/// What it returns comes to its end when the agent is to stop.
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on platforms where listening can fail")]
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
