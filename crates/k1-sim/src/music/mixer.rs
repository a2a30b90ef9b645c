//! Where instruments come together.

use k1_engine::SAMPLE_RATE;

use super::chance::Chance;
use super::{Instrument, Note};

/// Samples per second.
pub(super) const RATE: f64 = SAMPLE_RATE as f64;

/// A recording in the making.
#[derive(Clone, Debug)]
pub(super) struct Mixer {
    samples: Vec<f32>,
    /// What has begun so far, in the order of playing.
    notes: Vec<Note>,
    /// What humans and noises are made of.
    pub(super) chance: Chance,
}

impl Mixer {
    /// Silence of `seconds`; the seed decides everything that is chance in it.
    pub(super) fn new(seconds: f64, seed: u64) -> Self {
        let samples = vec![0.0; (seconds * RATE) as usize];
        Self { samples, notes: Vec::new(), chance: Chance::new(seed) }
    }

    /// Adds a instrument from `at` s for `length` s; it is asked for each sample in turn, with the seconds since its start.
    /// What falls outside is not heard.
    pub(super) fn add(&mut self, at: f64, length: f64, mut instrument: impl FnMut(f32, &mut Chance) -> f32) {
        let start = (at.max(0.0) * RATE + 0.5) as usize;
        let end = (start + (length * RATE) as usize).min(self.samples.len());
        for i in start..end {
            self.samples[i] += instrument((i - start) as f32 / RATE as f32, &mut self.chance);
        }
    }

    /// Notes down that a instrument begins at `at` s, for whoever asks later what there was to hear.
    pub(super) fn begins(&mut self, instrument: Instrument, at: f64) {
        self.notes.push(Note { at, instrument });
    }

    /// What begins in the recording, rising in time.
    pub(super) fn notes(&self) -> Vec<Note> {
        let end = self.samples.len() as f64 / RATE;
        let mut notes: Vec<Note> =
            self.notes.iter().copied().filter(|n| (0.0..end).contains(&n.at)).collect();
        notes.sort_by(|a, b| a.at.total_cmp(&b.at));
        notes
    }

    /// The recording with its loudest sample at `peak`.
    pub(super) fn mixed(mut self, peak: f32) -> Vec<f32> {
        let loudest = self.samples.iter().fold(1e-9_f32, |m, x| m.max(x.abs()));
        self.samples.iter_mut().for_each(|x| *x *= peak / loudest);
        self.samples
    }
}
