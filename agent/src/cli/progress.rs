//! A sign of life on stderr for whatever takes longer than a person likes to wait in silence.

use std::io::Write as _;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const SILENCE: Duration = Duration::from_secs(2);

/// Says every two seconds that something is still going on, until it is dropped.
pub(super) struct Progress {
    done: Option<mpsc::Sender<()>>,
    speaker: Option<JoinHandle<()>>,
}

impl Progress {
    pub(super) fn of(what: String) -> Self {
        let (done, waiting) = mpsc::channel::<()>();
        let begun = Instant::now();
        let speak = move || {
            while waiting.recv_timeout(SILENCE) == Err(RecvTimeoutError::Timeout) {
                // Where words cannot be written, the work goes on all the same.
                let _ = writeln!(std::io::stderr(), "… {what} ({} s)", begun.elapsed().as_secs());
            }
        };
        let speaker = std::thread::Builder::new().name("progress".to_owned()).spawn(speak).ok();
        Self { done: Some(done), speaker }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.done.take());
        if let Some(speaker) = self.speaker.take() {
            // A thread that panicked has said all that it will.
            let _ = speaker.join();
        }
    }
}
