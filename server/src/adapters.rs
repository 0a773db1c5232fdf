//! Time and chance of the real world.

use std::time::{SystemTime, UNIX_EPOCH};

use inkan_core::ports::Entropy;
use inkan_model::{Clock, Timestamp};
use ring::rand::{SecureRandom as _, SystemRandom};

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one place where the operating system is asked")]
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The operating system's chance, by ring.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        if SystemRandom::new().fill(bytes).is_err() {
            // A secret made without chance would be worse than no server at all.
            tracing::error!("the operating system gives no random bytes");
            std::process::abort();
        }
    }
}
