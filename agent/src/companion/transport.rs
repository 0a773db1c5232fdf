//! What both ends talk over: bytes in both directions, with an end to anybody's patience.

use std::io::{self, Read, Write};
use std::time::Duration;

/// A stream between the service and one companion.
pub trait Transport: Read + Write + Send {
    /// From now on a reading or writing that takes longer fails; `None` waits for as long as the other end is there.
    fn set_patience(&mut self, patience: Option<Duration>) -> io::Result<()>;
}

#[cfg(unix)]
impl Transport for std::os::unix::net::UnixStream {
    fn set_patience(&mut self, patience: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(patience)?;
        self.set_write_timeout(patience)
    }
}

#[cfg(windows)]
impl Transport for inkan_trust_store::windows::session::PipeStream {
    fn set_patience(&mut self, patience: Option<Duration>) -> io::Result<()> {
        Self::set_patience(self, patience);
        Ok(())
    }
}
