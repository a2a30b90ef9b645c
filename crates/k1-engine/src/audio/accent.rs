//! Where in a beat a moment sounds like: on it, half way, on a quarter, on a third, or between.
//!
//! A beat tracker that scores a beat by the strength of an onset alone prefers the double tempo: twice as many beats
//! explain every hi-hat. What tells the levels apart is *what* begins there. Krebs, Böck & Widmer, "Rhythmic pattern
//! modeling for beat and downbeat tracking in musical audio" (ISMIR 2013), therefore give each place in the bar its
//! own distribution of band-wise flux. Here the ratio of likelihoods of four places against the rest of the beat is
//! fitted directly, by multinomial logistic regression (135 numbers and biases) on annotated excerpts with equal
//! weight for each excerpt and each place; no excerpt of a kind of music was needed to do well on that kind.

use super::tables::BANDS;
use super::{BINS, OnsetDetector};
use crate::HOP_RATE;
use crate::math::{Follower, log2, sqrt};

/// Places that are told apart: the beat, its half, its quarters, its thirds.
pub(super) const PLACES: usize = 4;
/// A place is judged so many seconds after it sounded, when its rise and what follows have been heard.
pub(super) const JUDGED_AFTER_S: f32 = 0.040;

/// Bands from … to (not included) of the four groups: below 190 Hz, to 650 Hz, to 2.2 kHz, above.
const GROUPS: [(usize, usize); 4] = [(0, 9), (9, 15), (15, 21), (21, BANDS)];
/// Curves: rise of everything, rise of each group, slow rise of the lowest group, new notes, level of each group.
const CURVES: usize = 11;
const RISES: usize = 7;
/// Least peak of each rise, so that the noise between two songs is not blown up.
const LEAST: [f32; RISES] = [0.02, 0.03, 0.03, 0.03, 0.03, 0.05, 0.05];
/// The slow rise and the new notes are differences over so many hops (56 ms).
const SLOW_LAG: usize = 7;
/// Loudness at which a semitone is half way up its compression curve is 1 / this.
const TONE_COMPRESSION: f32 = 300.0;
const LOW: usize = GROUPS[0].1 + 1;
/// Hops of history that the judgement looks at.
const HISTORY: usize = 8;
/// Which curve is looked at how many hops ago, in the order of [`WEIGHTS`].
#[rustfmt::skip]
const LOOKS: [(usize, usize); 34] = [
    (0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (0, 6), (0, 7),
    (1, 2), (1, 3), (1, 4), (2, 2), (2, 3), (2, 4), (3, 2), (3, 3), (3, 4), (4, 2), (4, 3), (4, 4),
    (5, 0), (6, 0),
    (7, 0), (7, 2), (7, 6), (8, 0), (8, 2), (8, 6), (9, 0), (9, 2), (9, 6), (10, 0), (10, 2), (10, 6),
];
const DT: f32 = 1.0 / HOP_RATE;

/// Bias and weights of the logistic model, natural logarithm of a ratio of likelihoods.
#[rustfmt::skip]
const WEIGHTS: [[f32; 1 + LOOKS.len()]; PLACES] = [
    [
        -1.799, 2.114, 1.378, 0.495, 0.283, 0.132, 0.045, -0.556, -1.811, 0.410, 0.305, 0.252,
        0.197, 0.129, 0.105, 0.436, 0.280, 0.278, 1.476, 0.802, 0.590, 0.657, 0.809, 1.031,
        0.257, -0.924, 1.040, 1.109, -0.460, 0.837, 0.438, -0.653, 2.047, 0.402, -1.675,
    ],
    [
        -0.461, 1.045, 1.126, 0.530, 0.258, 0.111, -0.307, -0.756, -1.954, 0.443, 0.280, 0.037,
        -0.020, -0.010, -0.007, 0.432, 0.159, 0.048, 1.258, 0.723, 0.394, 0.169, -0.142, 0.586,
        0.382, -0.518, 0.908, 0.784, -1.421, 0.630, 0.407, -1.126, 1.679, 0.149, -2.142,
    ],
    [
        0.095, 0.374, 0.691, 0.439, 0.222, -0.039, -0.433, -0.908, -2.202, 0.297, 0.097, -0.123,
        0.373, 0.135, -0.034, 0.510, 0.295, -0.007, 0.616, 0.444, 0.136, -0.017, -0.401, 0.469,
        0.146, -0.344, 0.746, 0.383, -0.948, 0.442, 0.075, -0.573, 0.390, -0.053, -0.448,
    ],
    [
        -0.293, 0.828, 1.041, 0.901, 0.728, 0.696, 0.270, -0.555, -2.131, -0.006, -0.330, -0.466,
        0.162, -0.187, -0.456, 0.211, -0.090, -0.075, 1.203, 0.907, 0.856, 0.125, -0.428, 0.845,
        -0.134, -0.700, 0.671, 0.173, -0.680, 1.715, 0.524, -1.470, 0.556, -0.108, -1.647,
    ],
];

/// Judges each hop. About 3 KiB.
#[derive(Clone, Debug)]
pub(super) struct Accents {
    low: [[f32; LOW]; SLOW_LAG],
    tones: [[f32; BINS]; SLOW_LAG],
    slow_at: usize,
    mean: [Follower; RISES],
    peak: [Follower; RISES],
    level: [Follower; GROUPS.len()],
    spread: [Follower; GROUPS.len()],
    history: [[f32; CURVES]; HISTORY],
    now: usize,
}

impl Default for Accents {
    #[inline(never)]
    fn default() -> Self {
        Self {
            low: [[0.0; LOW]; SLOW_LAG],
            tones: [[0.0; BINS]; SLOW_LAG],
            slow_at: 0,
            mean: [Follower::new(0.0, 1.0, 1.0); RISES],
            peak: [Follower::new(0.1, 0.02, 3.0); RISES],
            level: [Follower::new(0.0, 2.0, 2.0); GROUPS.len()],
            spread: [Follower::new(1.0, 2.0, 2.0); GROUPS.len()],
            history: [[0.0; CURVES]; HISTORY],
            now: 0,
        }
    }
}

/// Sum of what exceeds the loudest of three neighbours in the past: a gliding tone is no beginning.
fn rise(now: &[f32], before: &[f32], count: usize) -> f32 {
    let last = before.len() - 1;
    (0..count)
        .map(|i| {
            let highest = before[i.saturating_sub(1)].max(before[i]).max(before[(i + 1).min(last)]);
            (now[i] - highest).max(0.0)
        })
        .sum()
}

impl Accents {
    /// Takes one hop of log bands and constant-Q magnitudes; the answer is the natural logarithm of how much likelier
    /// the moment [`JUDGED_AFTER_S`] ago is at each place than between them.
    pub(super) fn process(
        &mut self,
        onset: &OnsetDetector,
        magnitudes: &[f32; BINS],
        silent: bool,
    ) -> [f32; PLACES] {
        let logs = &onset.logs;
        let tones = magnitudes.map(|m| log2(1.0 + TONE_COMPRESSION * m));
        let mut curves = [0.0; CURVES];
        if !silent {
            let mut rises = [0.0; RISES];
            for (r, (from, to)) in rises[1..].iter_mut().zip(GROUPS) {
                let sum: f32 = onset.rises[from..to].iter().sum();
                *r = sum / (to - from) as f32;
            }
            rises[0] = onset.rises.iter().sum::<f32>() * (1.0 / BANDS as f32);
            rises[5] = rise(logs, &self.low[self.slow_at], LOW - 1) / (LOW - 1) as f32;
            rises[6] = rise(&tones, &self.tones[self.slow_at], BINS) * (1.0 / BINS as f32);
            for i in 0..RISES {
                let floor = 0.8 * self.mean[i].step(rises[i], DT);
                let peak = self.peak[i].step(rises[i].max(LEAST[i]), DT);
                curves[i] = ((rises[i] - floor) / (peak - floor).max(LEAST[i])).clamp(0.0, 1.0);
            }
            for (i, (from, to)) in GROUPS.into_iter().enumerate() {
                let level = logs[from..to].iter().sum::<f32>() / (to - from) as f32;
                let above = level - self.level[i].step(level, DT);
                let spread = sqrt(self.spread[i].step(above * above, DT));
                curves[RISES + i] = 0.3 * (above / (spread + 0.15)).clamp(-2.5, 2.5);
            }
        }
        self.low[self.slow_at].copy_from_slice(&logs[..LOW]);
        self.tones[self.slow_at] = tones;
        self.slow_at = (self.slow_at + 1) % SLOW_LAG;
        self.now = (self.now + 1) % HISTORY;
        self.history[self.now] = curves;

        let mut scores: [f32; PLACES] = core::array::from_fn(|place| WEIGHTS[place][0]);
        for (look, (curve, ago)) in LOOKS.into_iter().enumerate() {
            let x = self.history[(self.now + HISTORY - ago) % HISTORY][curve];
            for (score, weights) in scores.iter_mut().zip(&WEIGHTS) {
                *score += weights[1 + look] * x;
            }
        }
        scores
    }
}
