//! The dimmer over all zones: on, off, and fades between brightnesses.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};

use k1_engine::light::perceptual;

/// The brightness that all zones are to have, and how long the change takes. Any thread may set it.
#[derive(Debug)]
pub struct Dim(AtomicU64);

impl Default for Dim {
    /// Full brightness.
    fn default() -> Self {
        Self(AtomicU64::new(word(1.0, 0.0)))
    }
}

impl Dim {
    /// Fades to `level` (0 to 1, as the eye sees it) within `seconds`.
    pub fn set(&self, level: f32, seconds: f32) {
        self.0.store(word(level, seconds), Release);
    }
}

fn word(level: f32, seconds: f32) -> u64 {
    u64::from(level.to_bits()) << 32 | u64::from(seconds.to_bits())
}

/// Follows a [`Dim`], in the renderer's thread.
#[derive(Debug)]
pub struct Dimmer {
    /// The last wish that was seen.
    wish: u64,
    from: f32,
    to: f32,
    began_us: u64,
    length_us: u64,
}

impl Dimmer {
    /// A dimmer that has the brightness of `dim`, without a fade.
    pub fn new(dim: &Dim) -> Self {
        let wish = dim.0.load(Acquire);
        let level = f32::from_bits((wish >> 32) as u32);
        Self { wish, from: level, to: level, began_us: 0, length_us: 0 }
    }

    /// The factor on linear light at `now_us`.
    pub fn factor(&mut self, dim: &Dim, now_us: u64) -> f32 {
        let wish = dim.0.load(Acquire);
        if wish != self.wish {
            self.wish = wish;
            self.from = self.level(now_us);
            self.to = f32::from_bits((wish >> 32) as u32);
            self.began_us = now_us;
            self.length_us = (f32::from_bits(wish as u32) * 1e6) as u64;
        }
        perceptual(self.level(now_us))
    }

    fn level(&self, now_us: u64) -> f32 {
        let gone_us = now_us.saturating_sub(self.began_us);
        if gone_us >= self.length_us {
            return self.to;
        }
        self.from + (self.to - self.from) * (gone_us as f32 / self.length_us as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fade_is_even_and_a_new_one_begins_where_the_light_is() {
        let dim = Dim::default();
        let mut dimmer = Dimmer::new(&dim);
        assert_eq!(dimmer.factor(&dim, 5), 1.0);
        dim.set(0.0, 2.0);
        let factors: Vec<f32> = (0..=20).map(|n| dimmer.factor(&dim, 1_000 + n * 100_000)).collect();
        assert_eq!((factors[0], factors[20]), (1.0, 0.0));
        assert!((factors[10] - perceptual(0.5)).abs() < 1e-5 && factors.is_sorted_by(|a, b| a > b));
        assert_eq!(dimmer.factor(&dim, 9_000_000), 0.0, "it stays dark");
        dim.set(1.0, 1.0);
        dimmer.factor(&dim, 10_000_000);
        let halfway = dimmer.factor(&dim, 10_500_000);
        dim.set(0.0, 10.0);
        assert_eq!(dimmer.factor(&dim, 10_500_000), halfway);
        assert!(dimmer.factor(&dim, 10_600_000) < halfway);
        dim.set(0.3, 0.0);
        assert_eq!(dimmer.factor(&dim, 10_600_001), perceptual(0.3), "at once");
        assert_eq!(dimmer.factor(&dim, 1), perceptual(0.3), "a clock that went back");
    }
}
