//! Random numbers that are the same on every machine.

use k1_engine::random::SplitMix64;

/// Reproducible random numbers.
#[derive(Clone, Debug)]
pub(super) struct Chance(SplitMix64);

impl Chance {
    /// A generator; equal seeds give equal numbers.
    pub(super) fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// Uniform between `from` and `to`.
    pub(super) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// White noise, uniform in −1 … 1.
    pub(super) fn noise(&mut self) -> f32 {
        self.between(-1.0, 1.0) as f32
    }
}
