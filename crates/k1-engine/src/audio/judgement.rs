//! What the networks say about the last moments: whether they were a beat, a downbeat or half a beat, and the tempo.
//!
//! `xtask/fit/train.py` trains them. Two small networks that were trained apart err less together than a large one. They
//! take the place of a model of each metrical position, as Krebs, Böck & Widmer have it ("Rhythmic pattern modeling for
//! beat and downbeat tracking in musical audio", ISMIR 2013), because they know what came before.

use super::inputs::{FRAMES, Inputs, STEP_HOPS};
use super::network::Eights;
use super::network_weights::{INPUTS, Judge, NETWORKS, OUTPUTS, WEIGHTS};
use super::tables::tempo_bpm;
use super::{BINS, CHROMA, OnsetDetector};
use crate::math::{exp, ln, log2};

/// Number of metrical positions: the beat and its half.
pub(super) const POSITIONS: usize = 2;
/// What a frame can be: neither, a beat, a downbeat, half a beat.
const CLASSES: usize = 4;
/// Tempi that the network tells apart: from the slowest to the fastest in equal ratios.
const TEMPO_COUNT: usize = OUTPUTS - FRAMES * CLASSES;
const SLOWEST_BPM: f32 = 48.0;
const FASTEST_BPM: f32 = 208.0;
/// Delay in seconds after which a moment is judged: 40 ms until what follows it has been heard, and 40 ms until the network
/// has computed both frames of its step.
pub(super) const JUDGED_AFTER_S: f32 = 0.080;
/// Factors on the log-likelihood ratios, their limits, and the natural logarithm of how much rarer a position is than none.
const BEAT_GAIN: f32 = 1.2;
const HALF_GAIN: f32 = 1.6;
const LEAST: f32 = -8.0;
const MOST: f32 = 6.0;
const RARITY: f32 = 1.5;
/// Least share that is told apart from 0.
const LEAST_SHARE: f32 = 1e-6;
/// Unit of the sums of outputs, of which the mean counts.
const UNIT: f32 = 1.0 / (4096.0 * NETWORKS as f32);

const _: () = assert!(INPUTS == super::inputs::INPUTS);

/// The judgement of a hop.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Judgement {
    /// For each metrical position, the natural logarithm of the likelihood ratio between it and no position,
    /// [`JUDGED_AFTER_S`] ago.
    pub positions: [f32; POSITIONS],
    /// Probability of a downbeat, and of another beat, at that moment.
    pub downbeat: f32,
    pub beat: f32,
}

/// The networks, their inputs and their last outputs. About 6 KiB.
#[derive(Clone, Debug)]
pub(super) struct Judgements {
    inputs: Inputs,
    networks: [Judge; NETWORKS],
    frames: [Judgement; FRAMES],
    /// Natural logarithm of the share of each tempo, relative to the mean tempo.
    tempi: [f32; TEMPO_COUNT],
    /// Hops since the last result.
    age: usize,
    was_silent: bool,
}

impl Judgements {
    /// All zeros.
    pub(super) const BLANK: Self = Self {
        inputs: Inputs::BLANK,
        networks: [Judge::BLANK; NETWORKS],
        frames: [Judgement { positions: [0.0; POSITIONS], downbeat: 0.0, beat: 0.0 }; FRAMES],
        tempi: [0.0; TEMPO_COUNT],
        age: 0,
        was_silent: false,
    };

    /// Makes networks that have heard nothing of [`BLANK`](Self::BLANK).
    pub(super) fn start(&mut self) {
        for (network, weights) in self.networks.iter_mut().zip(&WEIGHTS) {
            network.start(weights);
        }
    }

    /// Forgets everything heard, as after silence.
    fn forget(&mut self) {
        self.start();
        self.frames = [Judgement::default(); FRAMES];
        self.tempi = [0.0; TEMPO_COUNT];
    }

    /// Takes the log bands, the constant-Q magnitudes and the pitch classes of one hop. After silence the network begins
    /// anew.
    pub(super) fn hear(
        &mut self,
        onset: &OnsetDetector,
        magnitudes: &[f32; BINS],
        chroma: &[f32; CHROMA],
        silent: bool,
    ) -> Judgement {
        let is_complete = self.inputs.hear(onset, magnitudes, chroma);
        if silent {
            if !self.was_silent {
                self.forget();
            }
            self.was_silent = true;
            return Judgement::default();
        }
        self.was_silent = false;
        let input = is_complete.then(|| {
            let mut input: Eights<i16, { INPUTS.div_ceil(8) }> = [[0; 8]; INPUTS.div_ceil(8)];
            input.as_flattened_mut()[..INPUTS].copy_from_slice(&self.inputs.step());
            input
        });
        self.age += 1;
        let mut sums = None;
        for (network, weights) in self.networks.iter_mut().zip(&WEIGHTS) {
            if let Some(outputs) = network.hop(weights, input.as_ref()) {
                let sums = sums.get_or_insert([0; OUTPUTS]);
                sums.iter_mut().zip(outputs.as_flattened()).for_each(|(sum, output)| *sum += output);
            }
        }
        if let Some(outputs) = sums {
            self.age = 0;
            self.take(&outputs);
        }
        self.frames[(self.age * FRAMES / STEP_HOPS).min(FRAMES - 1)]
    }

    /// Takes the sums of the networks' outputs.
    fn take(&mut self, outputs: &[i32; OUTPUTS]) {
        let (frames, tempi) = outputs.split_at(FRAMES * CLASSES);
        for (judgement, logits) in self.frames.iter_mut().zip(frames.as_chunks::<CLASSES>().0) {
            let [none, beat, downbeat, half] = shares(logits);
            let is_none = ln(none + LEAST_SHARE);
            let ratio = |share: f32, gain: f32| {
                gain * (ln(share + LEAST_SHARE) - is_none + RARITY).clamp(LEAST, MOST)
            };
            *judgement = Judgement {
                positions: [ratio(beat + downbeat, BEAT_GAIN), ratio(half, HALF_GAIN)],
                downbeat,
                beat,
            };
        }
        let shares: [f32; TEMPO_COUNT] = shares(tempi.first_chunk().expect("the outputs end with the tempi"));
        self.tempi = shares.map(|share| ln(share * TEMPO_COUNT as f32 + 1e-3));
    }

    /// The natural logarithm of how much more likely the network finds a tempo than the average one, at least −7.
    pub(super) fn odds(&self, tempo: usize) -> f32 {
        let range = log2(FASTEST_BPM / SLOWEST_BPM);
        let at = log2(tempo_bpm(tempo) * (1.0 / SLOWEST_BPM)) * ((TEMPO_COUNT - 1) as f32 / range);
        let below = (at.max(0.0) as usize).min(TEMPO_COUNT - 2);
        let share = (at - below as f32).clamp(0.0, 1.0);
        self.tempi[below] + (self.tempi[below + 1] - self.tempi[below]) * share
    }

    /// The inputs of the last step in 1/4096. Only for training; a lamp never calls this.
    pub(super) fn inputs(&self) -> [i16; INPUTS] {
        self.inputs.step()
    }
}

/// The shares that sums of logits stand for; they add up to 1.
fn shares<const N: usize>(logits: &[i32; N]) -> [f32; N] {
    let most = logits.iter().copied().max().unwrap_or(0);
    let powers = logits.map(|x| exp((x - most) as f32 * UNIT));
    let scale = crate::math::reciprocal(powers.iter().sum());
    powers.map(|power| power * scale)
}
