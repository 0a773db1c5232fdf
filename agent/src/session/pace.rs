//! The agent's own pace: the server takes one call a second from a host, and a few at once. Keeping to that here costs a
//! moment where a renewal or a first report needs many calls; running into it would cost a refusal.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Between two calls in the long run.
const EACH: Duration = Duration::from_secs(1);
/// Calls at once, two fewer than the server allows.
const AT_ONCE: u32 = 8;

/// When the next call may be made.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Option<Instant>>);

impl Pace {
    /// Waits until a call may be made, and counts it.
    pub(super) async fn keep(&self) {
        let due = {
            let mut paid_until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let until = paid_until.map_or(now, |until| until.max(now)) + EACH;
            *paid_until = Some(until);
            until.checked_sub(EACH * AT_ONCE)
        };
        if let Some(due) = due {
            tokio::time::sleep_until(due).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_few_calls_are_made_at_once_and_then_one_a_second() {
        tokio::time::advance(Duration::from_mins(1)).await;
        let (pace, begun) = (Pace::default(), Instant::now());
        for _ in 0..AT_ONCE {
            pace.keep().await;
        }
        assert!(begun.elapsed() < Duration::from_millis(5));
        for _ in 0..3 {
            pace.keep().await;
        }
        assert_eq!(begun.elapsed().as_secs(), 3);
        tokio::time::sleep(Duration::from_mins(1)).await;
        let rested = Instant::now();
        for _ in 0..AT_ONCE {
            pace.keep().await;
        }
        assert!(rested.elapsed() < Duration::from_millis(5));
    }
}
