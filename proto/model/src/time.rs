//! Moments. Stored and compared in UTC; shown in Japan's time by whoever shows them.

use std::fmt;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// Length of a day, the unit in which certificates are counted down.
pub const DAY: Duration = Duration::DAY;

/// A moment in UTC, in whole milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Takes milliseconds since the Unix epoch.
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Takes seconds since the Unix epoch; saturates.
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_unix_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn as_unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The moment `span` later; saturates at the ends of time.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(clamp_millis(span)))
    }

    /// The moment `span` earlier; saturates at the ends of time.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(clamp_millis(span)))
    }

    /// How long after `earlier` this moment is; negative when it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::milliseconds(self.0.saturating_sub(earlier.0))
    }

    /// The same moment as a calendar date with time, in UTC. Moments outside of the years ±9999 are clamped.
    pub fn to_utc(self) -> OffsetDateTime {
        let clamped = self.0.clamp(-377_705_116_800_000, 253_402_300_799_000);
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(clamped) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Whole days from `now` until this moment, rounded down: 0 on the last day, -1 once it is past.
    pub fn days_from(self, now: Self) -> i64 {
        self.0.saturating_sub(now.0).div_euclid(86_400_000)
    }
}

fn clamp_millis(span: Duration) -> i64 {
    i64::try_from(span.whole_milliseconds()).unwrap_or(if span.is_negative() { i64::MIN } else { i64::MAX })
}

impl From<OffsetDateTime> for Timestamp {
    fn from(moment: OffsetDateTime) -> Self {
        Self::from_unix_millis(i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX))
    }
}

/// RFC 3339 in UTC with seconds, as logs and JSON show it.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = self.to_utc();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            utc.year(),
            u8::from(utc.month()),
            utc.day(),
            utc.hour(),
            utc.minute(),
            utc.second()
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where the current moment comes from. Passed in everywhere, so that a test can own time.
pub trait Clock: Send + Sync {
    /// The current moment.
    fn now(&self) -> Timestamp;
}

/// A clock that stands still until it is told to move. For tests and simulations.
#[derive(Debug, Default)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// Starts at `now`.
    pub const fn new(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    /// Moves forward by `span`.
    pub fn advance(&self, span: Duration) {
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = now.plus(span);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_counts_as_zero_and_the_day_after_as_minus_one() {
        let end = Timestamp::from_unix_seconds(1_000_000);
        assert_eq!(end.days_from(end.minus(Duration::hours(3))), 0);
        assert_eq!(end.days_from(end.plus(Duration::hours(3))), -1);
        assert_eq!(end.days_from(end.minus(Duration::days(12))), 12);
    }

    #[test]
    fn moments_print_as_rfc_3339() {
        assert_eq!(Timestamp::from_unix_seconds(0).to_string(), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        for end in [i64::MIN, i64::MAX] {
            let moment = Timestamp::from_unix_millis(end);
            let _ = (moment.to_utc(), moment.plus(DAY), moment.minus(DAY), moment.since(Timestamp::default()));
        }
    }
}
