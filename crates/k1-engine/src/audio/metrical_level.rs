//! Which of the tempi that fit is the beat's, and which its half or its double: told by how the music repeats.
//!
//! What sounds after half a beat, one, two, three and four of a tempo's beats is like what sounds now to degrees that differ
//! between the beat and its relatives: a bar comes again after four beats, and not after two. The autocorrelations of two
//! curves, with an exponential memory, are looked at where a tempo's beats are, after the idea of Percival & Tzanetakis,
//! "Streamlined tempo estimation based on autocorrelation and cross-correlation with pulses" (IEEE/ACM TASLP 22(12), 2014), who
//! let a classifier correct the octave. Here small trees, as those of [`accent`](super::accent), say how likely a tempo is the
//! beat's; `xtask/fit/level.py` fits them.

use super::level_trees::LEVEL_TREES;
use super::tables::{LONGEST, period_of};
use super::tree::ask;
use crate::HOP_RATE;
use crate::math::{Follower, decay};

/// Curves: the rise of everything, and new notes.
pub(super) const CURVES: usize = 2;
/// Two hops are one step.
const STEP_S: f32 = 2.0 / HOP_RATE;
/// How long the likeness of what was heard is remembered, in seconds.
const MEMORY_S: f32 = 6.0;
/// A curve counts from its mean of so many seconds.
const MEAN_S: f32 = 1.5;
/// After how many half beats a curve is looked at.
const HALF_BEATS: [usize; 5] = [1, 2, 4, 6, 8];
/// How many values a tempo is judged by.
const LOOKS: usize = CURVES * HALF_BEATS.len();
/// Steps of four of the longest beats, with what lies around them.
const LAGS: usize = 2 * LONGEST + 6;
/// Room in which what was heard slides.
const SLIDE: usize = 8;
/// What the trees look at is counted in so many to one, as their leaves are.
const SCALE: f32 = 8192.0;

/// How a curve repeats.
#[derive(Clone, Debug)]
struct Curve {
    mean: Follower,
    /// What was heard in the first hop of a step.
    first: f32,
    /// What was heard last, the newest last.
    past: [f32; LAGS + SLIDE],
    /// How many of the places after the newest are free.
    free: usize,
    /// What was heard now times what was heard as many steps ago as there are places behind, in the order of `past`.
    likeness: [f32; LAGS],
}

impl Curve {
    const fn new() -> Self {
        Self {
            mean: Follower::new(0.0, MEAN_S, MEAN_S),
            first: 0.0,
            past: [0.0; LAGS + SLIDE],
            free: SLIDE,
            likeness: [0.0; LAGS],
        }
    }

    fn step(&mut self, x: f32) {
        let x = x - self.mean.step(x, STEP_S);
        if self.free == 0 {
            self.past.copy_within(SLIDE.., 0);
            self.free = SLIDE;
        }
        self.free -= 1;
        let newest = LAGS + SLIDE - 1 - self.free;
        self.past[newest] = x;
        let keep = decay(STEP_S, MEMORY_S);
        for (sum, before) in self.likeness.iter_mut().zip(&self.past[newest + 1 - LAGS..=newest]) {
            *sum = *sum * keep + x * before;
        }
    }

    /// The greatest likeness near a lag of so many quarters of a step, as a share of that with itself.
    fn near(&self, quarters: usize) -> f32 {
        let lag = quarters / 4;
        // A beat's length is known to about a hundredth, and no better than to a step.
        let around = (3 * quarters / 1000).max(1);
        let (least, most) = (lag.saturating_sub(around).max(1), (lag + around + 1).min(LAGS - 1));
        let heard = &self.likeness[LAGS - 1 - most..LAGS - least];
        let greatest = heard.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        greatest / self.likeness[LAGS - 1].max(1e-6)
    }
}

/// Judges tempi by how the music repeats. About 5 KiB.
#[derive(Clone, Debug)]
pub(super) struct Level {
    curves: [Curve; CURVES],
    /// The curves take turns, so that every hop costs the same.
    turn: usize,
}

impl Level {
    /// Has heard nothing.
    pub(super) const fn new() -> Self {
        Self { curves: [const { Curve::new() }; CURVES], turn: 0 }
    }

    /// Forgets what was heard, as after silence.
    pub(super) fn forget(&mut self) {
        for curve in &mut self.curves {
            curve.likeness.fill(0.0);
            curve.past.fill(0.0);
        }
    }

    /// Hears a hop: the curves, each 0 … 1.
    pub(super) fn hear(&mut self, heard: &[f32; CURVES]) {
        for (i, (curve, x)) in self.curves.iter_mut().zip(heard).enumerate() {
            if i == self.turn {
                curve.step(0.5 * (curve.first + x));
            } else {
                curve.first = *x;
            }
        }
        self.turn = (self.turn + 1) % CURVES;
    }

    /// How likely a tempo is the beat's, as the natural logarithm of the odds.
    pub(super) fn odds(&self, tempo: usize) -> f32 {
        let looks = self.looks(tempo);
        LEVEL_TREES.iter().map(|tree| i32::from(ask(tree, &looks))).sum::<i32>() as f32 * (1.0 / SCALE)
    }

    fn looks(&self, tempo: usize) -> [i16; LOOKS] {
        core::array::from_fn(|i| {
            // A step is two hops: a half of a beat of `period` hops is `period` quarters of a step.
            let likeness = self.curves[i % CURVES].near(HALF_BEATS[i / CURVES] * period_of(tempo));
            (likeness.clamp(-2.0, 2.0) * SCALE) as i16
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::TEMPI;
    use super::super::tree::assert_whole;
    use super::*;

    /// Hears beats of `period` hops, of which each fourth is louder, with a weaker one on each half.
    fn bars(period: usize, hops: usize) -> Level {
        let mut level = Level::new();
        for hop in 0..hops {
            let strength = match hop % (4 * period) {
                0..3 => 1.0,
                x if x % period < 3 => 0.7,
                x if x % period >= period / 2 && x % period < period / 2 + 3 => 0.3,
                _ => 0.0,
            };
            level.hear(&[strength, 0.5 * strength]);
        }
        level
    }

    fn tempo_of(period: usize) -> usize {
        (0..TEMPI).find(|t| period_of(*t) == period).unwrap()
    }

    #[test]
    fn likeness_is_that_of_the_definition() {
        let mut level = Level::new();
        let mut seed = 5_u32;
        let mut means = [0.0_f64; CURVES];
        let mut all = [const { Vec::new() }; CURVES];
        let mut before = [0.0; CURVES];
        for hop in 0..3_000 {
            let heard: [f32; CURVES] = core::array::from_fn(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) as f32 / 16_777_216.0
            });
            level.hear(&heard);
            let curve = hop % CURVES;
            let x = 0.5 * f64::from(before[curve] + heard[curve]);
            let keep = (-f64::from(STEP_S / MEAN_S)).exp();
            means[curve] = x + (means[curve] - x) * keep;
            all[curve].push(x - means[curve]);
            before = heard;
        }
        for (curve, heard) in level.curves.iter().zip(&all) {
            for lag in [0, 1, 17, 100, LAGS - 1] {
                let exact: f64 = (lag..heard.len())
                    .map(|t| {
                        let age = (heard.len() - 1 - t) as f64 * f64::from(STEP_S / MEMORY_S);
                        (-age).exp() * heard[t] * heard[t - lag]
                    })
                    .sum();
                assert!((f64::from(curve.likeness[LAGS - 1 - lag]) - exact).abs() < 1e-3, "{lag}: {exact}");
            }
        }
    }

    #[test]
    fn a_bar_of_four_tells_the_beat_from_half_its_tempo() {
        for period in [56, 60, 66, 70] {
            let level = bars(period, 1_500);
            // Of the longer beats there are only those of an odd number of hops.
            let (beat, half) = (level.odds(tempo_of(period)), level.odds(tempo_of(2 * period - 1)));
            assert!(beat > half, "{period}: {beat} {half}");
            assert!(level.odds(tempo_of(period)) > level.odds(tempo_of(period * 3 / 4)), "{period}");
        }
    }

    #[test]
    fn nothing_heard_says_the_same_of_every_tempo() {
        let mut level = bars(60, 1_000);
        level.forget();
        let all: Vec<f32> = (0..TEMPI).map(|tempo| level.odds(tempo)).collect();
        assert!(all.iter().all(|odds| *odds == all[0]), "{all:?}");
    }

    #[test]
    fn every_tree_ends_in_each_of_its_leaves_and_nowhere_else() {
        for (splits, leaves) in &LEVEL_TREES {
            assert_whole(splits, leaves, LOOKS);
        }
    }
}
