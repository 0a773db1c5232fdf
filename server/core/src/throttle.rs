//! Counting wrong tries, so that secrets cannot be guessed. In memory: a restart forgives, a second node counts anew.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use inkan_model::Timestamp;
use time::Duration;

/// The time after which wrong tries are forgiven.
pub const WINDOW: Duration = Duration::MINUTE;
/// Keys that are remembered at once; beyond that the oldest are forgotten, so that memory stays bounded.
const MOST_KEYS: usize = 20_000;

/// Wrong tries by key (an address, a mail address). After `limit` of them within [`WINDOW`] the key has to wait.
pub struct Throttle<K> {
    limit: usize,
    tries: Mutex<HashMap<K, Vec<Timestamp>>>,
}

impl<K: Clone + Eq + Hash> Throttle<K> {
    /// Allows `limit` wrong tries in a minute.
    pub fn new(limit: usize) -> Self {
        Self { limit, tries: Mutex::default() }
    }

    /// Takes one try, unless the key has to wait. It counts at once, so that many tries at the same moment are not all
    /// let through; [`Throttle::forgive`] gives a good one back.
    pub fn begin(&self, key: &K, now: Timestamp) -> bool {
        if self.is_exhausted(key, now) {
            return false;
        }
        self.note(key.clone(), now);
        true
    }

    /// Gives back the newest try of a key, because it was a good one.
    pub fn forgive(&self, key: &K) {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_key) = tries.get_mut(key) {
            of_key.pop();
        }
    }

    /// Whether this key has to wait.
    pub fn is_exhausted(&self, key: &K, now: Timestamp) -> bool {
        let tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |tries: &Vec<Timestamp>| tries.iter().filter(|at| now.since(**at) < WINDOW).count();
        tries.get(key).map_or(0, recent) >= self.limit
    }

    /// Counts a wrong try.
    pub fn note(&self, key: K, now: Timestamp) {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= MOST_KEYS {
            tries.retain(|_, at| at.last().is_some_and(|last| now.since(*last) < WINDOW));
        }
        if tries.len() >= MOST_KEYS {
            tries.clear();
        }
        let of_key = tries.entry(key).or_default();
        of_key.retain(|at| now.since(*at) < WINDOW);
        of_key.push(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_waits_after_its_tries_and_is_forgiven_after_a_minute() {
        let throttle = Throttle::new(2);
        let now = Timestamp::from_unix_seconds(1_000);
        throttle.note("a", now);
        assert!(!throttle.is_exhausted(&"a", now));
        throttle.note("a", now);
        assert!(throttle.is_exhausted(&"a", now));
        assert!(!throttle.is_exhausted(&"b", now));
        assert!(!throttle.is_exhausted(&"a", now.plus(WINDOW)));
    }

    #[test]
    fn tries_at_the_same_moment_are_counted_before_they_are_judged() {
        let throttle = Throttle::new(2);
        let now = Timestamp::from_unix_seconds(1_000);
        let taken = (0..10).filter(|_| throttle.begin(&"a", now)).count();
        assert_eq!(taken, 2);
        throttle.forgive(&"a");
        assert!(throttle.begin(&"a", now));
    }

    #[test]
    fn memory_stays_bounded_however_many_keys_come() {
        let throttle = Throttle::new(2);
        let now = Timestamp::from_unix_seconds(1_000);
        (0..3 * MOST_KEYS).for_each(|key| throttle.note(key, now));
        assert!(throttle.tries.lock().unwrap().len() <= MOST_KEYS);
    }
}
