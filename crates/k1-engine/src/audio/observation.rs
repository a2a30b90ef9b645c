//! The observation model: how likely each metrical position is, given what is heard in a hop.
//!
//! A beat tracker that scores beats by onset strength alone prefers the double tempo, because twice as many beats
//! explain every hi-hat. What distinguishes metrical levels is *which* sounds begin there. Krebs, Böck & Widmer,
//! "Rhythmic pattern modeling for beat and downbeat tracking in musical audio" (ISMIR 2013), therefore give each
//! position in the bar its own distribution of band-wise flux. Here the likelihood ratio of four positions against
//! the rest of the beat is fitted directly by gradient-boosted decision trees (J. H. Friedman, "Greedy function
//! approximation: a gradient boosting machine", Annals of Statistics 29(5), 2001), on annotated excerpts, with equal
//! weight for each excerpt and each position. `xtask/fit/observation.py` fits them.

use super::looked_up::{LEAVES, SPLITS, SPLITS_FROM};
use super::tables::{BANDS, FEATURES, GROUPS};
use super::{BINS, OnsetDetector};
use crate::HOP_RATE;
use crate::math::{Follower, log2, sqrt};

/// Number of metrical positions: the beat, its half, its quarters and its thirds.
pub(super) const POSITIONS: usize = 4;
/// Delay in seconds after which a moment is judged: by then its rise and what follows it have been heard.
pub(super) const JUDGED_AFTER_S: f32 = 0.040;

/// Number of band groups in [`GROUPS`].
const GROUP_COUNT: usize = GROUPS.len() - 1;
/// Number of curves: total rise, rise of each group, slow rise of the lowest group, new notes, level of each group.
const CURVES: usize = 11;
const RISES: usize = 7;
/// Least peak of each rise, so that the noise between two songs is not amplified.
const LEAST: [f32; RISES] = [0.02, 0.03, 0.03, 0.03, 0.03, 0.05, 0.05];
/// Lag in hops (56 ms) of the slow rise and the new notes.
const SLOW_LAG: usize = 7;
/// Factor of the log compression of semitone magnitudes: the curve bends at 1 / this.
const TONE_COMPRESSION: f32 = 300.0;
const LOW: usize = GROUPS[1] + 1;
/// Hops of history that the features use.
const HISTORY: usize = 8;
/// The features, as (curve, hops ago).
#[rustfmt::skip]
const LOOKED_AT: [(usize, usize); FEATURES] = [
    (0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (0, 6), (0, 7),
    (1, 2), (1, 3), (1, 4), (2, 2), (2, 3), (2, 4), (3, 2), (3, 3), (3, 4), (4, 2), (4, 3), (4, 4),
    (5, 0), (6, 0),
    (7, 0), (7, 2), (7, 6), (8, 0), (8, 2), (8, 6), (9, 0), (9, 2), (9, 6), (10, 0), (10, 2), (10, 6),
];
const DT: f32 = 1.0 / HOP_RATE;

/// Fixed-point scale of the features: integers compare cheaply, and the same way on every processor.
const SCALE: f32 = 8192.0;

/// Evaluates each hop. About 3 KiB.
#[derive(Clone, Debug)]
pub(super) struct ObservationModel {
    low: [[f32; LOW]; SLOW_LAG],
    tones: [[f32; BINS]; SLOW_LAG],
    slow_at: usize,
    mean: [Follower; RISES],
    peak: [Follower; RISES],
    band_mean: [Follower; GROUP_COUNT],
    band_spread: [Follower; GROUP_COUNT],
    history: [[f32; CURVES]; HISTORY],
    now: usize,
}

impl Default for ObservationModel {
    fn default() -> Self {
        let mut model = Self::BLANK;
        model.start();
        model
    }
}

/// Sum of the increases over the loudest of three past neighbours. The neighbours keep a gliding tone from counting.
fn rise(now: &[f32], before: &[f32], count: usize) -> f32 {
    let last = before.len() - 1;
    (0..count)
        .map(|i| {
            let highest = before[i.saturating_sub(1)].max(before[i]).max(before[(i + 1).min(last)]);
            (now[i] - highest).max(0.0)
        })
        .sum()
}

impl ObservationModel {
    /// All zeros.
    pub(super) const BLANK: Self = Self {
        low: [[0.0; LOW]; SLOW_LAG],
        tones: [[0.0; BINS]; SLOW_LAG],
        slow_at: 0,
        mean: [Follower::at(0.0); RISES],
        peak: [Follower::at(0.0); RISES],
        band_mean: [Follower::at(0.0); GROUP_COUNT],
        band_spread: [Follower::at(0.0); GROUP_COUNT],
        history: [[0.0; CURVES]; HISTORY],
        now: 0,
    };

    /// Makes a model that has heard nothing of [`BLANK`](Self::BLANK).
    pub(super) fn start(&mut self) {
        self.mean = [Follower::at(0.0).both_s(1.0); RISES];
        self.peak = [Follower::at(0.1).rise_s(0.02).fall_s(3.0); RISES];
        self.band_mean = [Follower::at(0.0).both_s(2.0); GROUP_COUNT];
        self.band_spread = [Follower::at(1.0).both_s(2.0); GROUP_COUNT];
    }

    /// Takes the log bands and the constant-Q magnitudes of one hop. Returns, for each metrical position, the natural
    /// logarithm of the likelihood ratio between that position and no position, [`JUDGED_AFTER_S`] ago.
    pub(super) fn process(
        &mut self,
        onset: &OnsetDetector,
        magnitudes: &[f32; BINS],
        silent: bool,
    ) -> [f32; POSITIONS] {
        let logs = &onset.logs;
        let mut tones = [0.0; BINS];
        for (tone, m) in tones.iter_mut().zip(magnitudes) {
            *tone = log2(1.0 + TONE_COMPRESSION * m);
        }
        let mut curves = [0.0; CURVES];
        if !silent {
            let mut rises = [0.0; RISES];
            for (r, group) in rises[1..].iter_mut().zip(GROUPS.windows(2)) {
                let (from, to) = (group[0], group[1]);
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
            for (i, group) in GROUPS.windows(2).enumerate() {
                let (from, to) = (group[0], group[1]);
                let band_level = logs[from..to].iter().sum::<f32>() / (to - from) as f32;
                let above = band_level - self.band_mean[i].step(band_level, DT);
                let spread = sqrt(self.band_spread[i].step(above * above, DT));
                curves[RISES + i] = 0.3 * (above / (spread + 0.15)).clamp(-2.5, 2.5);
            }
        }
        self.low[self.slow_at].copy_from_slice(&logs[..LOW]);
        self.tones[self.slow_at] = tones;
        self.slow_at = (self.slow_at + 1) % SLOW_LAG;
        self.now = (self.now + 1) % HISTORY;
        self.history[self.now] = curves;

        let sums = judge(&self.features());
        core::array::from_fn(|position| (sums[1 + position] - sums[0]) as f32 * (1.0 / SCALE))
    }

    /// The two curves whose repetition is measured, each 0 … 1: total rise and new notes.
    pub(super) fn repeating(&self) -> [f32; 2] {
        [(0, 2), (6, 0)].map(|(curve, ago)| self.history[(self.now + HISTORY - ago) % HISTORY][curve])
    }

    /// The slow rise of low sound and the new notes of this hop, each 0 … 1.
    pub(super) fn slow(&self) -> [f32; 2] {
        let now = &self.history[self.now];
        [now[5], now[6]]
    }

    /// The features of this hop, in 1/8192.
    pub(super) fn features(&self) -> [i16; FEATURES] {
        LOOKED_AT
            .map(|(curve, ago)| (self.history[(self.now + HISTORY - ago) % HISTORY][curve] * SCALE) as i16)
    }
}

/// Index of the lowest bit of each mask that is not 0. Few processors have an instruction for it.
static LOWEST: [u8; 256] = {
    let mut lowest = [0; 256];
    let mut mask = 1;
    while mask < lowest.len() {
        lowest[mask] = mask.trailing_zeros() as u8;
        mask += 1;
    }
    lowest
};

/// Room for the masks of all trees; a power of two, so that any index becomes a valid one cheaply.
const MASKS: usize = LEAVES.len().next_power_of_two();

/// Masks the leaves out that the features exclude.
///
/// Not inlined: in a larger function the address of the masks would be computed anew for each split.
#[inline(never)]
fn exclude(features: &[i16; FEATURES], left: &mut [u8; MASKS]) {
    for (feature, ends) in features.iter().zip(SPLITS_FROM.windows(2)) {
        for (most, tree, leaves) in &SPLITS[usize::from(ends[0])..usize::from(ends[1])] {
            if feature <= most {
                break;
            }
            left[usize::from(*tree) % MASKS] &= leaves;
        }
    }
}

/// Sum of the trees' leaves per class: no position, then each position. The classes of consecutive trees alternate.
fn judge(features: &[i16; FEATURES]) -> [i32; 1 + POSITIONS] {
    let mut left = [u8::MAX; MASKS];
    exclude(features, &mut left);
    let mut sums = [0; 1 + POSITIONS];
    let (rounds, _) = LEAVES.as_chunks::<{ 1 + POSITIONS }>();
    for (round, left) in rounds.iter().zip(left.as_chunks::<{ 1 + POSITIONS }>().0) {
        for ((sum, leaves), left) in sums.iter_mut().zip(round).zip(left) {
            *sum += i32::from(leaves[usize::from(LOWEST[usize::from(*left)]) % leaves.len()]);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::super::observation_trees::TREES;
    use super::super::tree::{assert_whole, evaluate};
    use super::*;

    proptest::proptest! {
        #[test]
        fn masking_leaves_the_leaf_of_each_tree(
            wide in proptest::array::uniform32(-6_200_i16..8_200), more in proptest::array::uniform2(-6_200_i16..8_200),
            exactly in 0..SPLITS.len(),
        ) {
            let mut features: [i16; FEATURES] = core::array::from_fn(|i| *wide.get(i).unwrap_or_else(|| &more[i - wide.len()]));
            // Also with a feature that equals a limit.
            let of = SPLITS_FROM.partition_point(|from| usize::from(*from) <= exactly) - 1;
            features[of] = SPLITS[exactly].0;
            let walked: [i32; 1 + POSITIONS] =
                core::array::from_fn(|class| TREES.iter().map(|round| i32::from(evaluate(&round[class], &features))).sum());
            assert_eq!(judge(&features), walked);
        }
    }

    #[test]
    fn every_tree_ends_in_each_of_its_leaves_and_nowhere_else() {
        for (splits, leaves) in TREES.as_flattened() {
            assert_whole(splits, leaves, FEATURES);
        }
    }
}
