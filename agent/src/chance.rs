//! Where chance comes from. Passed in everywhere, so that a test can own it.

use std::time::Duration;

/// A source of unpredictable bytes.
pub trait Chance: Send + Sync {
    /// Fills the bytes with unpredictable ones.
    fn fill(&self, bytes: &mut [u8]);

    /// A span from nothing to `most`, every one as likely as the others.
    fn within(&self, most: Duration) -> Duration {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        most.mul_f64(f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX))
    }
}

/// The operating system's chance.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemChance;

impl Chance for SystemChance {
    fn fill(&self, bytes: &mut [u8]) {
        rand::fill(bytes);
    }
}

#[cfg(test)]
pub(crate) mod fake {
    use super::Chance;

    /// Always the same byte: 0 is never late, 255 always as late as can be.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct SameChance(pub(crate) u8);

    impl Chance for SameChance {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }
}
