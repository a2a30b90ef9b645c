//! Where voices come together.

use k1_engine::SAMPLE_RATE;

use super::chance::Chance;

/// Samples per second.
pub(super) const RATE: f64 = SAMPLE_RATE as f64;

/// A recording in the making.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    samples: Vec<f32>,
    /// What humans and noises are made of.
    pub(super) chance: Chance,
}

impl Desk {
    /// Silence of `seconds`; the seed decides everything that is chance in it.
    pub(super) fn new(seconds: f64, seed: u64) -> Self {
        Self { samples: vec![0.0; (seconds * RATE) as usize], chance: Chance::new(seed) }
    }

    /// Adds a voice from `at` s for `length` s; it is asked for each sample in turn, with the seconds since its start.
    /// What falls outside is not heard.
    pub(super) fn add(&mut self, at: f64, length: f64, mut voice: impl FnMut(f32, &mut Chance) -> f32) {
        let start = (at.max(0.0) * RATE + 0.5) as usize;
        let end = (start + (length * RATE) as usize).min(self.samples.len());
        for i in start..end {
            self.samples[i] += voice((i - start) as f32 / RATE as f32, &mut self.chance);
        }
    }

    /// The recording with its loudest sample at `peak`.
    pub(super) fn mixed(mut self, peak: f32) -> Vec<f32> {
        let loudest = self.samples.iter().fold(1e-9_f32, |m, x| m.max(x.abs()));
        self.samples.iter_mut().for_each(|x| *x *= peak / loudest);
        self.samples
    }
}
