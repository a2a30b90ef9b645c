//! Where in a beat a moment sounds like: on it, half way, on a quarter, on a third, or between.
//!
//! A beat tracker that scores a beat by the strength of an onset alone prefers the double tempo: twice as many beats
//! explain every hi-hat. What tells the levels apart is *what* begins there. Krebs, Böck & Widmer, "Rhythmic pattern
//! modeling for beat and downbeat tracking in musical audio" (ISMIR 2013), therefore give each place in the bar its
//! own distribution of band-wise flux. Here the ratio of likelihoods of four places against the rest of the beat is
//! fitted directly, by small decision trees that each mend what those before them got wrong (J. H. Friedman, "Greedy
//! function approximation: a gradient boosting machine", Annals of Statistics 29(5), 2001), on annotated excerpts with
//! equal weight for each excerpt and each place. `xtask/fit/places.py` fits them.

use super::looked_up::{LEAVES, SPLITS, SPLITS_FROM};
use super::tables::{BANDS, GROUPS, LOOKS};
use super::{BINS, OnsetDetector};
use crate::HOP_RATE;
use crate::math::{Follower, log2, sqrt};

/// Places that are told apart: the beat, its half, its quarters, its thirds.
pub(super) const PLACES: usize = 4;
/// A place is judged so many seconds after it sounded, when its rise and what follows have been heard.
pub(super) const JUDGED_AFTER_S: f32 = 0.040;

/// How many groups of bands there are; [`GROUPS`] says which.
const GROUP_COUNT: usize = GROUPS.len() - 1;
/// Curves: rise of everything, rise of each group, slow rise of the lowest group, new notes, level of each group.
const CURVES: usize = 11;
const RISES: usize = 7;
/// Least peak of each rise, so that the noise between two songs is not blown up.
const LEAST: [f32; RISES] = [0.02, 0.03, 0.03, 0.03, 0.03, 0.05, 0.05];
/// The slow rise and the new notes are differences over so many hops (56 ms).
const SLOW_LAG: usize = 7;
/// Loudness at which a semitone is half way up its compression curve is 1 / this.
const TONE_COMPRESSION: f32 = 300.0;
const LOW: usize = GROUPS[1] + 1;
/// Hops of history that the judgement looks at.
const HISTORY: usize = 8;
/// Which curve is looked at how many hops ago.
#[rustfmt::skip]
const LOOKED_AT: [(usize, usize); LOOKS] = [
    (0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (0, 6), (0, 7),
    (1, 2), (1, 3), (1, 4), (2, 2), (2, 3), (2, 4), (3, 2), (3, 3), (3, 4), (4, 2), (4, 3), (4, 4),
    (5, 0), (6, 0),
    (7, 0), (7, 2), (7, 6), (8, 0), (8, 2), (8, 6), (9, 0), (9, 2), (9, 6), (10, 0), (10, 2), (10, 6),
];
const DT: f32 = 1.0 / HOP_RATE;

/// What the trees look at is counted in so many to one, in whole numbers: comparing them is cheap, and the same everywhere.
const SCALE: f32 = 8192.0;

/// Judges each hop. About 3 KiB.
#[derive(Clone, Debug)]
pub(super) struct Accents {
    low: [[f32; LOW]; SLOW_LAG],
    tones: [[f32; BINS]; SLOW_LAG],
    slow_at: usize,
    mean: [Follower; RISES],
    peak: [Follower; RISES],
    level: [Follower; GROUP_COUNT],
    spread: [Follower; GROUP_COUNT],
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
            level: [Follower::new(0.0, 2.0, 2.0); GROUP_COUNT],
            spread: [Follower::new(1.0, 2.0, 2.0); GROUP_COUNT],
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

        let sums = judge(&self.looks());
        core::array::from_fn(|place| (sums[1 + place] - sums[0]) as f32 * (1.0 / SCALE))
    }

    /// The rise of everything, and new notes, 0 … 1: what repeats.
    pub(super) fn repeating(&self) -> [f32; 2] {
        [(0, 2), (6, 0)].map(|(curve, ago)| self.history[(self.now + HISTORY - ago) % HISTORY][curve])
    }

    /// What the trees look at in this hop, in 1/8192.
    pub(super) fn looks(&self) -> [i16; LOOKS] {
        LOOKED_AT
            .map(|(curve, ago)| (self.history[(self.now + HISTORY - ago) % HISTORY][curve] * SCALE) as i16)
    }
}

/// Sums over the trees of each class: none of the places, then each. The trees' classes take turns.
fn judge(looks: &[i16; LOOKS]) -> [i32; 1 + PLACES] {
    let mut left = [u8::MAX; LEAVES.len()];
    for (look, ends) in looks.iter().zip(SPLITS_FROM.windows(2)) {
        for (most, tree, leaves) in &SPLITS[usize::from(ends[0])..usize::from(ends[1])] {
            if look <= most {
                break;
            }
            left[usize::from(*tree)] &= leaves;
        }
    }
    let mut sums = [0; 1 + PLACES];
    let (rounds, _) = LEAVES.as_chunks::<{ 1 + PLACES }>();
    for (round, left) in rounds.iter().zip(left.as_chunks::<{ 1 + PLACES }>().0) {
        for ((sum, leaves), left) in sums.iter_mut().zip(round).zip(left) {
            *sum += i32::from(leaves[left.trailing_zeros() as usize % leaves.len()]);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::super::places::TREES;
    use super::super::tree::{ask, assert_whole};
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_struck_out_leaves_the_leaf_that_each_tree_comes_to(
            wide in proptest::array::uniform32(-6_200_i16..8_200), more in proptest::array::uniform2(-6_200_i16..8_200),
            exactly in 0..SPLITS.len(),
        ) {
            let mut looks: [i16; LOOKS] = core::array::from_fn(|i| *wide.get(i).unwrap_or_else(|| &more[i - wide.len()]));
            // On a limit, too.
            let of = SPLITS_FROM.partition_point(|from| usize::from(*from) <= exactly) - 1;
            looks[of] = SPLITS[exactly].0;
            let walked: [i32; 1 + PLACES] =
                core::array::from_fn(|class| TREES.iter().map(|round| i32::from(ask(&round[class], &looks))).sum());
            assert_eq!(judge(&looks), walked);
        }
    }

    #[test]
    fn every_tree_ends_in_each_of_its_leaves_and_nowhere_else() {
        for (splits, leaves) in TREES.as_flattened() {
            assert_whole(splits, leaves, LOOKS);
        }
    }
}
