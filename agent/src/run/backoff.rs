//! How long to leave a server alone that does not answer: full jitter, so that a fleet comes back spread out.

use std::time::Duration;

use crate::chance::Chance;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);
/// Keeps a lucky throw from becoming a busy loop.
const SHORTEST: Duration = Duration::from_millis(200);

/// Grows with each failure in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How long to wait after one more failure: anything up to one second, two, four, at most five minutes.
    pub(super) fn next(&mut self, chance: &dyn Chance) -> Duration {
        let most = FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        chance.within(most).max(SHORTEST)
    }

    /// Takes note of a success.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Whether nothing has failed since the last success.
    pub(super) const fn is_fresh(self) -> bool {
        self.failures == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::fake::SameChance;

    #[test]
    fn waiting_grows_up_to_five_minutes_and_starts_again_after_a_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..12).map(|_| backoff.next(&SameChance(255)).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        backoff.reset();
        assert_eq!(backoff.next(&SameChance(255)).as_secs(), 1);
    }

    #[test]
    fn no_throw_makes_a_busy_loop() {
        let mut backoff = Backoff::default();
        assert!((0..100).all(|_| backoff.next(&SameChance(0)) == SHORTEST));
    }
}
