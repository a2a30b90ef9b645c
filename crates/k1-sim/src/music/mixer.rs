//! The mixer.

use k1_engine::SAMPLE_RATE;

use super::chance::Chance;
use super::note::{Instrument, Note};

/// Samples per second.
pub(super) const RATE: f64 = SAMPLE_RATE as f64;

/// A recording in progress.
#[derive(Clone, Debug)]
pub(super) struct Mixer {
    samples: Vec<f32>,
    /// The notes so far, in the order of playing.
    notes: Vec<Note>,
    /// Source of noises and of human inaccuracy.
    pub(super) chance: Chance,
}

impl Mixer {
    /// Silence of `seconds`. The seed decides everything random in it.
    pub(super) fn new(seconds: f64, seed: u64) -> Self {
        let samples = vec![0.0; (seconds * RATE) as usize];
        Self { samples, notes: Vec::new(), chance: Chance::new(seed) }
    }

    /// Appends silence until the recording lasts `seconds`.
    pub(super) fn lengthen(&mut self, seconds: f64) {
        self.samples.resize((seconds * RATE) as usize, 0.0);
    }

    /// Adds an instrument from `at` s for `length` s. It is called for each sample, with the seconds since its start.
    /// Sound outside the recording is dropped.
    pub(super) fn add(&mut self, at: f64, length: f64, mut instrument: impl FnMut(f32, &mut Chance) -> f32) {
        let start = (at.max(0.0) * RATE + 0.5) as usize;
        let end = (start + (length * RATE) as usize).min(self.samples.len());
        for i in start..end {
            self.samples[i] += instrument((i - start) as f32 / RATE as f32, &mut self.chance);
        }
    }

    /// Records that an instrument begins at `at` s.
    pub(super) fn begins(&mut self, instrument: Instrument, at: f64) {
        self.notes.push(Note { at, instrument });
    }

    /// The notes in the order of time.
    pub(super) fn notes(&self) -> Vec<Note> {
        let end = self.samples.len() as f64 / RATE;
        let mut notes: Vec<Note> =
            self.notes.iter().copied().filter(|n| (0.0..end).contains(&n.at)).collect();
        notes.sort_by(|a, b| a.at.total_cmp(&b.at));
        notes
    }

    /// The recording, scaled so that its loudest sample is `peak`.
    pub(super) fn mixed(mut self, peak: f32) -> Vec<f32> {
        let loudest = self.samples.iter().fold(1e-9_f32, |m, x| m.max(x.abs()));
        self.samples.iter_mut().for_each(|x| *x *= peak / loudest);
        self.samples
    }
}
