//! The PC's clock, read in one place.

use std::time::{SystemTime, UNIX_EPOCH};

use inkan_model::{Clock, Timestamp};

/// The operating system's clock, right or wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is passed")]
    fn now(&self) -> Timestamp {
        // A clock before 1970 is as wrong as a clock can be; its own finding says so.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
