//! Onset detection: log-compressed spectral flux with a maximum filter along frequency.
//!
//! After Böck & Widmer, "Maximum filter vibrato suppression for onset detection" (DAFx 2013), with a logarithmic
//! filter bank and a reference that follows the music, so that loud and quiet sources give the same strength.

use super::fourier::Fourier;
use super::looked_up::{BAND_START, HALF_WINDOW, UPPER_SHARE};
use super::tables::{BANDS, FFT, GROUPS};
use crate::math::{Follower, choose, log2, sqrt};
use crate::{HOP, HOP_RATE};

/// Lag of the difference in hops: a Hann window of 64 ms needs two hops to show a full rise.
const LAG: usize = 2;
/// Factor of the log compression, relative to the reference.
const COMPRESSION: f32 = 24.0;
/// An onset exceeds the mean of the last 0.4 s or so by this factor, plus [`PEAK_FLOOR`].
const PEAK_FACTOR: f32 = 1.7;
/// Share of the running maximum by which an onset exceeds the scaled mean.
const PEAK_FLOOR: f32 = 0.10;
/// Least distance between two onsets in hops (56 ms).
const REFRACTORY_HOPS: u32 = 7;
/// Group delay of the analysis in seconds: the reported rise happened this long ago.
const DELAY_S: f32 = 0.020;
const DT: f32 = 1.0 / HOP_RATE;

/// What the detector found in one hop.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OnsetReading {
    /// Strength relative to the strongest onsets of the last seconds, 0 … 1.
    pub strength: f32,
    /// The strength of low, middle and high sound, 0 … 1: below, between and above the first and the last of
    /// [`GROUP_EDGES_HZ`](super::GROUP_EDGES_HZ).
    pub bands: [f32; 3],
    /// True in the hop in which an onset is reported.
    pub onset: bool,
    /// Seconds from that onset to the end of this hop; 0 without one.
    pub ago: f32,
    /// Unnormalised flux: the mean rise of a band, in octaves of compressed amplitude.
    pub flux: f32,
}

/// The onset detector. About 11 KiB.
#[derive(Clone, Debug)]
pub struct OnsetDetector {
    /// A ring of hops.
    history: [[f32; HOP]; FFT / HOP],
    oldest: usize,
    fourier: Fourier,
    band_gain: [f32; BANDS],
    past: [[f32; BANDS]; LAG],
    past_at: usize,
    reference: Follower,
    mean: Follower,
    ceiling: Follower,
    band_ceiling: [Follower; 3],
    previous: f32,
    since: u32,
    pub(super) rises: [f32; BANDS],
    /// Compressed bands of the last hop, in octaves.
    pub(super) logs: [f32; BANDS],
}

impl Default for OnsetDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl OnsetDetector {
    /// All zeros.
    pub(super) const BLANK: Self = Self {
        history: [[0.0; HOP]; FFT / HOP],
        oldest: 0,
        fourier: Fourier::new(),
        band_gain: [0.0; BANDS],
        past: [[0.0; BANDS]; LAG],
        past_at: 0,
        reference: Follower::at(0.0),
        mean: Follower::at(0.0),
        ceiling: Follower::at(0.0),
        band_ceiling: [Follower::at(0.0); 3],
        previous: 0.0,
        since: 0,
        rises: [0.0; BANDS],
        logs: [0.0; BANDS],
    };

    /// A detector that has heard nothing.
    pub fn new() -> Self {
        let mut onset = Self::BLANK;
        onset.start();
        onset
    }

    /// Makes a detector that has heard nothing of [`BLANK`](Self::BLANK).
    pub(super) fn start(&mut self) {
        let mut band_gain = [0.0_f32; BANDS];
        for (band, bins) in BAND_START.windows(2).enumerate() {
            for share in &UPPER_SHARE[usize::from(bins[0])..usize::from(bins[1])] {
                band_gain[band] += 1.0 - share;
                band_gain[band + 1] += share;
            }
        }
        // A band of one bin must not vanish beside a band of a hundred. Noise adds up with √n, so divide by that.
        self.band_gain = band_gain.map(|n| 1.0 / sqrt(n.max(0.3)));
        self.reference = Follower::at(0.0).rise_s(0.15).fall_s(4.0);
        self.mean = Follower::at(0.0).both_s(0.4);
        self.ceiling = Follower::at(0.5).rise_s(0.02).fall_s(4.0);
        self.band_ceiling = [Follower::at(0.5).rise_s(0.02).fall_s(4.0); 3];
    }

    /// Analyses one conditioned hop. In silence the reference is frozen and no onset is reported.
    pub fn process(&mut self, samples: &[f32; HOP], silent: bool) -> OnsetReading {
        self.history[self.oldest] = *samples;
        self.oldest = (self.oldest + 1) % self.history.len();
        let (late, early) = self.history.split_at(self.oldest);
        let magnitudes = self.fourier.magnitudes([early, late].map(<[_]>::as_flattened), &HALF_WINDOW);

        let mut bands = [0.0_f32; BANDS];
        for (band, bins) in BAND_START.windows(2).enumerate() {
            let bins = usize::from(bins[0])..usize::from(bins[1]);
            let (mut all, mut upper) = (0.0, 0.0);
            for (m, share) in magnitudes[bins.clone()].iter().zip(&UPPER_SHARE[bins]) {
                all += m;
                upper += m * share;
            }
            bands[band] += all - upper;
            bands[band + 1] += upper;
        }
        let mut mean = 0.0;
        for (b, g) in bands.iter_mut().zip(&self.band_gain) {
            *b *= g;
            mean += *b * (1.0 / BANDS as f32);
        }
        if !silent {
            self.reference.step(mean, DT);
        }
        let scale = COMPRESSION / self.reference.value.max(1e-4);
        let logs = bands.map(|b| log2(1.0 + b * scale));

        let before = &self.past[self.past_at];
        let mut flux = 0.0;
        let mut thirds = [0.0_f32; 3];
        for b in 0..BANDS {
            let highest = before[b.saturating_sub(1)].max(before[b]).max(before[(b + 1).min(BANDS - 1)]);
            let rise = if silent { 0.0 } else { (logs[b] - highest).max(0.0) };
            self.rises[b] = rise;
            flux += rise;
            thirds[third(b)] += rise;
        }
        flux *= 1.0 / BANDS as f32;
        self.logs = logs;
        self.past[self.past_at] = logs;
        self.past_at = (self.past_at + 1) % LAG;
        self.report(flux, thirds, silent)
    }

    /// Mean amplitude of a band over the last seconds, to which the compressed bands relate.
    pub(super) fn reference(&self) -> f32 {
        self.reference.value
    }

    fn report(&mut self, flux: f32, thirds: [f32; 3], silent: bool) -> OnsetReading {
        // The ceilings fall slowly, so that the strength keeps its meaning through a quiet bar. They have a minimum,
        // so that the noise between two songs is not amplified.
        let ceiling = self.ceiling.step(flux.max(0.08), DT);
        let mut bands = [0.0; 3];
        for (i, b) in bands.iter_mut().enumerate() {
            let ceiling = self.band_ceiling[i].step(thirds[i].max(0.8), DT);
            *b = (thirds[i] / ceiling).min(1.0);
        }
        let threshold = self.mean.value * PEAK_FACTOR + ceiling * PEAK_FLOOR;
        self.since = self.since.saturating_add(1);
        let onset = !silent && flux > threshold && flux > self.previous && self.since >= REFRACTORY_HOPS;
        if onset {
            self.since = 0;
        }
        self.mean.step(flux, DT);
        self.previous = flux;
        OnsetReading {
            strength: (flux / ceiling).min(1.0),
            bands,
            onset,
            ago: choose(onset, &[0.0, DELAY_S]),
            flux,
        }
    }
}

fn third(band: usize) -> usize {
    match band {
        low if low < GROUPS[1] => 0,
        middle if middle < GROUPS[3] => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SAMPLE_RATE;
    use std::vec::Vec;

    /// Reported times of the onsets in seconds.
    fn onsets(signal: impl Fn(usize) -> f32, seconds: f32) -> Vec<f32> {
        let mut d = OnsetDetector::new();
        let mut found = Vec::new();
        for h in 0..(seconds * HOP_RATE) as usize {
            let r = d.process(&core::array::from_fn(|i| signal(h * HOP + i)), false);
            if r.onset {
                found.push((h + 1) as f32 * DT - r.ago);
            }
        }
        found
    }

    fn hash_noise(i: usize) -> f32 {
        let x = (i as u32).wrapping_mul(2_654_435_761) ^ 0x9e37_79b9;
        let x = (x ^ (x >> 15)).wrapping_mul(0x2c1b_3c6d);
        ((x ^ (x >> 12)) >> 8) as f32 / 8_388_608.0 - 1.0
    }

    /// A decaying burst of noise every half second.
    fn drum(i: usize) -> f32 {
        let t = (i % 8_000) as f32 / SAMPLE_RATE as f32;
        0.5 * hash_noise(i) * (-t * 30.0).exp()
    }

    #[test]
    fn low_middle_and_high_end_where_the_constants_say() {
        use crate::audio::tables::{GROUP_EDGES_HZ, band_hz};
        for (edge, first) in GROUP_EDGES_HZ.iter().zip(&GROUPS[1..]) {
            assert!((f64::from(*edge) / band_hz(*first) - 1.0).abs() < 1e-3, "{edge}: {}", band_hz(*first));
        }
        // A swelling tone is heard on its own side of an edge.
        for (part, edge) in [(0, GROUP_EDGES_HZ[0]), (1, GROUP_EDGES_HZ[2])] {
            for (side, hz) in [(part, edge / 1.5), (part + 1, edge * 1.25)] {
                let mut d = OnsetDetector::new();
                let mut sum = [0.0; 3];
                for h in 0..200 {
                    let tone = |i: usize| {
                        let t = (h * HOP + i) as f32 / SAMPLE_RATE as f32;
                        let swell = (core::f32::consts::TAU * 3.0 * t).sin().max(0.0);
                        (core::f32::consts::TAU * hz * t).sin() * swell * swell
                    };
                    d.process(&core::array::from_fn(tone), false);
                    if h > 10 {
                        d.rises.iter().enumerate().for_each(|(b, x)| sum[third(b)] += x);
                    }
                }
                let most = (0..3).max_by(|a, b| sum[*a].total_cmp(&sum[*b]));
                assert_eq!(most, Some(side), "{hz} Hz: {sum:?}");
            }
        }
    }

    #[test]
    fn every_drum_stroke_is_found_where_it_was_and_nothing_else() {
        let found = onsets(drum, 10.0);
        let after_start: Vec<_> = found.iter().filter(|t| **t > 0.3).collect();
        assert_eq!(after_start.len(), 19, "{found:?}");
        for t in after_start {
            let off = (t + 0.25) % 0.5 - 0.25;
            assert!(off.abs() < 0.02, "{t} is {off} off");
        }
    }

    #[test]
    fn the_answer_does_not_depend_on_the_level() {
        let loud = onsets(drum, 6.0);
        let quiet = onsets(|i| 0.01 * drum(i), 6.0);
        assert_eq!(loud, quiet);
    }

    #[test]
    fn steady_tones_and_vibrato_give_no_onsets() {
        let steady = |i: usize| (i as f32 * 0.17).sin() * 0.3;
        assert!(onsets(steady, 5.0).iter().all(|t| *t < 0.2));
        let vibrato = |i: usize| {
            let t = i as f32 / SAMPLE_RATE as f32;
            (core::f32::consts::TAU * 440.0 * t + 4.0 * (core::f32::consts::TAU * 6.0 * t).sin()).sin() * 0.3
        };
        assert!(onsets(vibrato, 5.0).iter().all(|t| *t < 0.2));
    }

    #[test]
    fn a_kick_is_low_and_a_hat_is_high() {
        let kick = |i: usize| {
            let t = (i % 8_000) as f32 / SAMPLE_RATE as f32;
            (core::f32::consts::TAU * 60.0 * t).sin() * (-t * 12.0).exp()
        };
        let hat = |i: usize| drum(i) - drum(i.wrapping_sub(1));
        let best = |signal: &dyn Fn(usize) -> f32| {
            let mut d = OnsetDetector::new();
            let mut sum = [0.0; 3];
            for h in 0..500 {
                let r = d.process(&core::array::from_fn(|i| signal(h * HOP + i)), false);
                d.rises.iter().enumerate().for_each(|(b, x)| sum[third(b)] += x);
                assert!(r.bands.iter().all(|b| (0.0..=1.0).contains(b)));
            }
            sum
        };
        let k = best(&kick);
        let h = best(&hat);
        assert!(k[0] > k[2], "kick {k:?}");
        assert!(h[2] > h[0], "hat {h:?}");
    }
}
