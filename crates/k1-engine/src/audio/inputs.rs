//! What the network is given: one input per step, from what the ear has computed already.
//!
//! A step is four hops; each of its two frames has the level and the rise of each band, and how much low sound and how many
//! notes have begun. The step also has the change of harmony, because chords change on downbeats.

use super::tables::BANDS;
use super::{BINS, CHROMA, OnsetDetector};
use crate::HOP_RATE;
use crate::math::log2;

/// Hops of a frame, frames of a step and hops of a step.
pub(super) const FRAME_HOPS: usize = 2;
pub(super) const FRAMES: usize = 2;
pub(super) const STEP_HOPS: usize = FRAMES * FRAME_HOPS;
/// Number of inputs of a frame: levels, rises, low sound, notes.
const FRAME: usize = 2 * BANDS + 2;
/// Time constants in seconds of the harmonies with which the present one is compared.
const HARMONY_S: [f32; 3] = [0.4, 1.2, 3.0];
/// Number of inputs of a step.
pub const INPUTS: usize = FRAMES * FRAME + HARMONY_S.len();
/// The inputs are whole numbers in 1/4096, limited to ±8.
const SCALE: f32 = 4096.0;
const MOST: f32 = 7.999;

/// Lag in hops (56 ms) of what begins slowly: low sound and notes.
const SLOW_LAG: usize = 7;
/// Number of bands that are low sound, and one more.
const LOW: usize = 10;
/// Factor of the log compression of semitone magnitudes: the curve bends at 1 / this.
const TONE_COMPRESSION: f32 = 300.0;
/// Factors that bring the beginning of low sound and of notes to about 1.
const LOW_GAIN: f32 = 0.5;
const NOTES_GAIN: f32 = 2.0;
/// Level in octaves that becomes 0, and the factor on levels.
const LEVEL_MIDDLE: f32 = 4.0;
const LEVEL_GAIN: f32 = 0.5;
const HARMONY_GAIN: f32 = 0.25;

/// Gathers the inputs of a step. About 3 KiB.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    low: [[f32; LOW]; SLOW_LAG],
    tones: [[f32; BINS]; SLOW_LAG],
    slow_at: usize,
    harmony: [[f32; CHROMA]; HARMONY_S.len()],
    step: [f32; INPUTS],
    hops: usize,
}

/// Mean of the increases over the loudest of three past neighbours. The neighbours keep a gliding tone from counting.
fn rise(now: &[f32], before: &[f32], count: usize) -> f32 {
    let last = before.len() - 1;
    let sum: f32 = (0..count)
        .map(|i| {
            let highest = before[i.saturating_sub(1)].max(before[i]).max(before[(i + 1).min(last)]);
            (now[i] - highest).max(0.0)
        })
        .sum();
    sum * (1.0 / count as f32)
}

impl Inputs {
    /// All zeros.
    pub(super) const BLANK: Self = Self {
        low: [[0.0; LOW]; SLOW_LAG],
        tones: [[0.0; BINS]; SLOW_LAG],
        slow_at: 0,
        harmony: [[0.0; CHROMA]; HARMONY_S.len()],
        step: [0.0; INPUTS],
        hops: 0,
    };

    /// Adds the log bands, the constant-Q magnitudes and the pitch classes of a hop. Returns whether it completes a step.
    pub(super) fn hear(
        &mut self,
        onset: &OnsetDetector,
        magnitudes: &[f32; BINS],
        chroma: &[f32; CHROMA],
    ) -> bool {
        let mut tones = [0.0; BINS];
        for (tone, m) in tones.iter_mut().zip(magnitudes) {
            *tone = log2(1.0 + TONE_COMPRESSION * m);
        }
        let slow = [
            LOW_GAIN * rise(&onset.logs, &self.low[self.slow_at], LOW - 1),
            NOTES_GAIN * rise(&tones, &self.tones[self.slow_at], BINS),
        ];
        self.low[self.slow_at].copy_from_slice(&onset.logs[..LOW]);
        self.tones[self.slow_at] = tones;
        self.slow_at = (self.slow_at + 1) % SLOW_LAG;

        let (frames, changes) = self.step.split_at_mut(FRAMES * FRAME);
        let frame = &mut frames[self.hops / FRAME_HOPS * FRAME..][..FRAME];
        let (levels, rises) = frame.split_at_mut(BANDS);
        let is_first = self.hops.is_multiple_of(FRAME_HOPS);
        for (x, log) in levels.iter_mut().zip(&onset.logs) {
            *x = LEVEL_GAIN * (log - LEVEL_MIDDLE);
        }
        // The larger rise of the two hops, so that none is lost.
        for (x, now) in rises.iter_mut().zip(onset.rises.iter().chain(&slow)) {
            *x = if is_first { *now } else { x.max(*now) };
        }
        self.hops = (self.hops + 1) % STEP_HOPS;
        if self.hops != 0 {
            return false;
        }
        for ((harmony, seconds), out) in self.harmony.iter_mut().zip(HARMONY_S).zip(changes) {
            let share = STEP_HOPS as f32 / (HOP_RATE * seconds);
            *out = 0.0;
            for (usual, now) in harmony.iter_mut().zip(chroma) {
                *out += HARMONY_GAIN * (now - *usual).abs();
                *usual += (now - *usual) * share;
            }
        }
        true
    }

    /// The inputs of the last step.
    pub(super) fn step(&self) -> [i16; INPUTS] {
        self.step.map(|x| (x.clamp(-MOST, MOST) * SCALE) as i16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOP, SAMPLE_RATE};

    #[test]
    fn a_chord_that_changes_is_told_and_one_that_stays_is_not() {
        let (mut inputs, mut onset) = (Inputs::BLANK, OnsetDetector::new());
        let magnitudes = [0.0; BINS];
        let chord = |root: usize| {
            core::array::from_fn(|i| if [0, 4, 7].contains(&((i + root) % 12)) { 1.0 } else { 0.0 })
        };
        let mut changes = |root: usize, hops: usize| {
            for hop in 0..hops {
                onset.process(&core::array::from_fn(|i| ((hop * HOP + i) as f32 * 0.2).sin()), false);
                inputs.hear(&onset, &magnitudes, &chord(root));
            }
            inputs.step()[FRAMES * FRAME..].to_vec()
        };
        let after_seconds = changes(0, 10 * SAMPLE_RATE as usize / HOP / 4 * 4);
        assert!(after_seconds.iter().all(|x| *x < 300), "{after_seconds:?}");
        let changed = changes(5, STEP_HOPS);
        assert!(changed.iter().all(|x| *x > 1_000), "{changed:?}");
    }
}
