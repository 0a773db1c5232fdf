//! Waiting for a condition, with a deadline. The one place in which tests let time pass.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How often a condition is looked at. Short beside what is waited for, long beside what a look costs.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// Looks at a condition until it gives something, or says what it waited for in vain and what the last look saw.
///
/// # Errors
/// When the deadline passes, or a look fails for good.
pub async fn wait_until<T>(what: &str, within: Duration, mut look: impl AsyncFnMut() -> Result<Look<T>>) -> Result<T> {
    let deadline = Instant::now() + within;
    loop {
        match look().await.with_context(|| format!("while waiting for {what}"))? {
            Look::Found(found) => return Ok(found),
            Look::NotYet(seen) if Instant::now() >= deadline => {
                bail!("waited {within:?} in vain for {what}; last seen: {seen}")
            }
            Look::NotYet(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// Tries a step until it succeeds or the deadline passes; whether it succeeded. For clearing up, where nobody can wait
/// otherwise.
pub fn insist(within: Duration, mut step: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + within;
    loop {
        if step() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// What one look saw.
#[derive(Debug)]
pub enum Look<T> {
    /// What was waited for.
    Found(T),
    /// Something else, in words for the failure's text.
    NotYet(String),
}

impl<T> Look<T> {
    /// Found, when there is one; else what was seen instead.
    pub fn at(found: Option<T>, seen: impl FnOnce() -> String) -> Self {
        found.map_or_else(|| Self::NotYet(seen()), Self::Found)
    }
}

impl Look<()> {
    /// Found, when the condition holds.
    pub fn when(holds: bool, seen: impl FnOnce() -> String) -> Self {
        Self::at(holds.then_some(()), seen)
    }
}
