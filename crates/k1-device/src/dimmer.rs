//! The dimmer over all zones: on, off, and fades between brightnesses.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Release};

use k1_engine::light::perceptual;

use crate::exchange::LONGEST_FADE_S;

/// The brightness that all zones are to have, and how long the change takes. Any thread may set it.
// In one word of 32 bits, because the lamp's processors have no larger atomic ones.
#[derive(Debug)]
pub struct Dim(AtomicU32);

/// Steps of the brightness, in the twelve high bits.
const LEVELS: f32 = 4_095.0;
/// Steps of a second, in the twenty low bits.
const STEPS_PER_S: f32 = 256.0;
const LOW_BITS: u32 = 20;
const _: () = assert!(LONGEST_FADE_S * STEPS_PER_S < (1_u32 << LOW_BITS) as f32);

impl Default for Dim {
    fn default() -> Self {
        Self::new()
    }
}

impl Dim {
    /// Full brightness.
    pub const fn new() -> Self {
        Self(AtomicU32::new((LEVELS as u32) << LOW_BITS))
    }

    /// Fades to `level` (0 to 1, as the eye sees it) within `seconds` (0 to [`LONGEST_FADE_S`]).
    pub fn set(&self, level: f32, seconds: f32) {
        let level = (level.clamp(0.0, 1.0) * LEVELS + 0.5) as u32;
        let steps = (seconds.clamp(0.0, LONGEST_FADE_S) * STEPS_PER_S + 0.5) as u32;
        self.0.store(level << LOW_BITS | steps, Release);
    }
}

/// The brightness of a wish.
fn level(wish: u32) -> f32 {
    (wish >> LOW_BITS) as f32 / LEVELS
}

/// The duration of a wish in µs.
fn length_us(wish: u32) -> u64 {
    u64::from(wish & ((1 << LOW_BITS) - 1)) * 1_000_000 / STEPS_PER_S as u64
}

/// Follows a [`Dim`], in the half that shows.
#[derive(Debug)]
pub struct Dimmer {
    /// The last wish that was seen.
    wish: u32,
    from: f32,
    to: f32,
    began_us: u64,
    length_us: u64,
}

impl Dimmer {
    /// A dimmer that has the brightness of `dim`, without a fade.
    pub fn new(dim: &Dim) -> Self {
        let wish = dim.0.load(Acquire);
        Self { wish, from: level(wish), to: level(wish), began_us: 0, length_us: 0 }
    }

    /// The factor on linear light at `now_us`.
    pub fn factor(&mut self, dim: &Dim, now_us: u64) -> f32 {
        let wish = dim.0.load(Acquire);
        if wish != self.wish {
            self.wish = wish;
            self.from = self.level(now_us);
            self.to = level(wish);
            self.began_us = now_us;
            self.length_us = length_us(wish);
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
        let factor = dimmer.factor(&dim, 10_600_001);
        assert!((factor - perceptual(0.3)).abs() < 1e-4, "at once: {factor}");
        assert_eq!(dimmer.factor(&dim, 1), factor, "a clock that went back");
        dim.set(1.0, LONGEST_FADE_S);
        assert_eq!(dimmer.factor(&dim, 20_000_000), factor);
        assert!(dimmer.factor(&dim, 3_619_000_000) < 1.0, "a second before the end of the longest fade");
        assert_eq!(dimmer.factor(&dim, 3_620_000_000), 1.0);
    }

    #[test]
    fn a_wish_out_of_range_is_brought_into_it() {
        let dim = Dim::default();
        dim.set(7.0, f32::INFINITY);
        assert_eq!((level(dim.0.load(Acquire)), length_us(dim.0.load(Acquire))), (1.0, 3_600_000_000));
        dim.set(-1.0, -1.0);
        assert_eq!((level(dim.0.load(Acquire)), length_us(dim.0.load(Acquire))), (0.0, 0));
    }
}
