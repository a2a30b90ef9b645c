//! Distinguishes the tempo of the beat from its half, its double and other relatives by how the music repeats.
//!
//! The music resembles itself after half a beat, one, two, three and four beats, to degrees that differ between the
//! tempo of the beat and related tempi: a bar repeats after four beats rather than two. The autocorrelations of two
//! curves, with an exponential memory, are read at these lags of a tempo, after the idea of Percival & Tzanetakis,
//! "Streamlined tempo estimation based on autocorrelation and cross-correlation with pulses" (IEEE/ACM TASLP 22(12),
//! 2014), who let a classifier correct the octave. Small trees such as those of [`observation`](super::observation)
//! turn them into the odds that a tempo is that of the beat; `xtask/fit/metrical_level.py` fits them.

use super::metrical_level_trees::METRICAL_LEVEL_TREES;
use super::tables::{LONGEST, period_of};
use super::tree::evaluate;
use crate::HOP_RATE;
use crate::math::{Follower, decay};

/// Number of curves: total rise and new notes.
pub(super) const CURVES: usize = 2;
/// A step of the autocorrelation is two hops.
const STEP_S: f32 = 2.0 / HOP_RATE;
/// Memory of the autocorrelation in seconds.
const MEMORY_S: f32 = 6.0;
/// Time constant in seconds of the mean that is subtracted from a curve.
const MEAN_S: f32 = 1.5;
/// Lags at which a curve is read, in half beats.
const HALF_BEATS: [usize; 5] = [1, 2, 4, 6, 8];
/// Number of features of a tempo.
const FEATURES: usize = CURVES * HALF_BEATS.len();
/// Lags in steps: four of the longest beats, and their neighbourhood.
const LAGS: usize = 2 * LONGEST + 6;
/// Steps by which the history slides before it is moved back.
const SLIDE: usize = 8;
/// Fixed-point scale of the features and of the leaves.
const SCALE: f32 = 8192.0;

/// The autocorrelation of one curve.
#[derive(Clone, Debug)]
struct Curve {
    mean: Follower,
    /// The value of the first hop of a step.
    first: f32,
    /// The history; the newest value last.
    past: [f32; LAGS + SLIDE],
    /// Number of unused entries behind the newest value.
    free: usize,
    /// Autocorrelation at each lag, the longest lag first, as in `past`.
    autocorrelation: [f32; LAGS],
}

impl Curve {
    const BLANK: Self = Self {
        mean: Follower::at(0.0),
        first: 0.0,
        past: [0.0; LAGS + SLIDE],
        free: 0,
        autocorrelation: [0.0; LAGS],
    };

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
        for (sum, before) in self.autocorrelation.iter_mut().zip(&self.past[newest + 1 - LAGS..=newest]) {
            *sum = *sum * keep + x * before;
        }
    }

    /// The largest autocorrelation near a lag in quarter steps, relative to that at lag 0.
    fn near(&self, quarters: usize) -> f32 {
        let lag = quarters / 4;
        // The length of a beat is known to about 1 %, and to one step at best.
        let around = (3 * quarters / 1000).max(1);
        let (least, most) = (lag.saturating_sub(around).max(1), (lag + around + 1).min(LAGS - 1));
        let heard = &self.autocorrelation[LAGS - 1 - most..LAGS - least];
        let greatest = heard.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        greatest / self.autocorrelation[LAGS - 1].max(1e-6)
    }
}

/// Evaluates tempi by how the music repeats. About 5 KiB.
#[derive(Clone, Debug)]
pub(super) struct MetricalLevel {
    curves: [Curve; CURVES],
    /// The curves take turns, so that every hop costs the same.
    turn: usize,
}

impl MetricalLevel {
    /// All zeros.
    pub(super) const BLANK: Self = Self { curves: [const { Curve::BLANK }; CURVES], turn: 0 };

    /// Makes a state that has heard nothing of [`BLANK`](Self::BLANK).
    pub(super) fn start(&mut self) {
        for curve in &mut self.curves {
            curve.mean = Follower::at(0.0).both_s(MEAN_S);
            curve.free = SLIDE;
        }
    }

    /// Forgets everything heard, as after silence.
    pub(super) fn forget(&mut self) {
        for curve in &mut self.curves {
            curve.autocorrelation.fill(0.0);
            curve.past.fill(0.0);
        }
    }

    /// Takes the curves of one hop, each within 0 … 1.
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

    /// The natural logarithm of the odds that a tempo is that of the beat.
    pub(super) fn odds(&self, tempo: usize) -> f32 {
        let features = self.features(tempo);
        METRICAL_LEVEL_TREES.iter().map(|tree| i32::from(evaluate(tree, &features))).sum::<i32>() as f32
            * (1.0 / SCALE)
    }

    fn features(&self, tempo: usize) -> [i16; FEATURES] {
        core::array::from_fn(|i| {
            // A step is two hops, so half a beat of `period` hops is `period` quarter steps.
            let autocorrelation = self.curves[i % CURVES].near(HALF_BEATS[i / CURVES] * period_of(tempo));
            (autocorrelation.clamp(-2.0, 2.0) * SCALE) as i16
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::TEMPI;
    use super::super::tree::assert_whole;
    use super::*;

    /// Hears beats of `period` hops; each fourth one is louder, and each half beat has a weaker one.
    fn bars(period: usize, hops: usize) -> MetricalLevel {
        let mut level = MetricalLevel::BLANK;
        level.start();
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
        let mut level = MetricalLevel::BLANK;
        level.start();
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
                assert!(
                    (f64::from(curve.autocorrelation[LAGS - 1 - lag]) - exact).abs() < 1e-3,
                    "{lag}: {exact}"
                );
            }
        }
    }

    #[test]
    fn a_bar_of_four_tells_the_beat_from_half_its_tempo() {
        for period in [56, 60, 66, 70] {
            let level = bars(period, 1_500);
            // Long beats come in odd numbers of hops only.
            let (beat, half) = (level.odds(tempo_of(period)), level.odds(tempo_of(2 * period - 1)));
            assert!(beat > half, "{period}: {beat} {half}");
            assert!(level.odds(tempo_of(period)) > level.odds(tempo_of(period * 3 / 4)), "{period}");
        }
    }

    #[test]
    fn all_tempi_are_equal_before_anything_is_heard() {
        let mut level = bars(60, 1_000);
        level.forget();
        let all: Vec<f32> = (0..TEMPI).map(|tempo| level.odds(tempo)).collect();
        assert!(all.iter().all(|odds| *odds == all[0]), "{all:?}");
    }

    #[test]
    fn every_tree_ends_in_each_of_its_leaves_and_nowhere_else() {
        for (splits, leaves) in &METRICAL_LEVEL_TREES {
            assert_whole(splits, leaves, FEATURES);
        }
    }
}
