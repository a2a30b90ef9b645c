//! Converts sound from the rate of an audio context to the engine's.
//!
//! A windowed sinc in steps of any length: the work is the same for each sample, so an AudioWorklet has no expensive moments.
//! (The program uses a Fourier transform, which is cheaper for whole files.)

use alloc::vec;
use alloc::vec::Vec;
use core::f64::consts::PI;
use core::ops::RangeInclusive;

use k1_engine::SAMPLE_RATE;

/// Accepted rates in Hz.
pub const RATES: RangeInclusive<u32> = 4_000..=768_000;

/// Zero crossings of the sinc on each side.
const CROSSINGS: f64 = 32.0;
/// Middle of the slope of the filter, as a share of half the lower rate: the slope ends where aliases begin.
const EDGE: f64 = 0.925;
/// Shape of the Kaiser window; what lies above the slope is weaker by 80 dB.
const BETA: f64 = 7.86;
/// Positions of the filter between two samples; those in between are interpolated.
const PHASES: usize = 128;

/// A resampler to [`SAMPLE_RATE`]; the same rate passes untouched.
pub struct Resampler {
    rate: u64,
    /// For each phase, the weights of the newest samples, oldest first. Empty if the rate is the engine's.
    weights: Vec<Vec<f32>>,
    /// The newest samples, oldest first.
    past: Vec<f32>,
    /// Position of the next output behind the newest sample but one, in `1 / SAMPLE_RATE` of an input sample.
    wait: u64,
}

impl Resampler {
    /// A resampler from `rate` in Hz; `None` if the rate is not in [`RATES`].
    pub fn new(rate: u32) -> Option<Self> {
        if !RATES.contains(&rate) {
            return None;
        }
        let weights = if rate == SAMPLE_RATE { Vec::new() } else { filter(f64::from(rate)) };
        let past = vec![0.0; weights.first().map_or(0, Vec::len)];
        Some(Self { rate: rate.into(), weights, past, wait: 0 })
    }

    /// Time by which the output is behind the input, in µs.
    pub fn delay_us(&self) -> u64 {
        self.past.len() as u64 * 500_000 / self.rate
    }

    /// Converts samples and passes each output sample to `each`.
    pub fn push(&mut self, input: &[f32], mut each: impl FnMut(f32)) {
        for x in input.iter().map(|x| tamed(*x)) {
            if self.weights.is_empty() {
                each(x);
                continue;
            }
            self.past.copy_within(1.., 0);
            if let Some(newest) = self.past.last_mut() {
                *newest = x;
            }
            let unit = u64::from(SAMPLE_RATE);
            while self.wait < unit {
                let at = self.wait as f32 * (PHASES as f32 / SAMPLE_RATE as f32);
                let phase = (at as usize).min(PHASES - 1);
                let [a, b] = [&self.weights[phase], &self.weights[phase + 1]].map(|w| dot(w, &self.past));
                each(a + (b - a) * (at - phase as f32));
                self.wait += self.rate;
            }
            self.wait -= unit;
        }
    }
}

/// The sum of products, as eight sums of which none waits for another.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, last_a), (b, last_b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f32>() + last_a.iter().zip(last_b).map(|(a, b)| a * b).sum::<f32>()
}

/// NaN becomes silence, and values are clamped to eight times full scale, as in the engine.
fn tamed(x: f32) -> f32 {
    if x.is_finite() { x.clamp(-8.0, 8.0) } else { 0.0 }
}

/// The weights of each phase, and of the phase after the last.
fn filter(rate: f64) -> Vec<Vec<f32>> {
    let lower = rate.min(f64::from(SAMPLE_RATE));
    // Zero crossings per input sample.
    let pitch = EDGE * lower / rate;
    let half = libm::ceil(CROSSINGS / pitch) as usize;
    let phase = |phase: usize| {
        let between = phase as f64 / PHASES as f64;
        let weights: Vec<f64> = (0..2 * half)
            .map(|i| {
                // Distance of the sample from the output, in input samples.
                let x = i as f64 - (half as f64 - 1.0) - between;
                sinc(x * pitch) * kaiser(x / half as f64)
            })
            .collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|w| (w / sum) as f32).collect()
    };
    (0..=PHASES).map(phase).collect()
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { libm::sin(PI * x) / (PI * x) }
}

/// The Kaiser window at `x`, −1 … 1.
fn kaiser(x: f64) -> f64 {
    bessel(BETA * libm::sqrt((1.0 - x * x).max(0.0))) / bessel(BETA)
}

/// The modified Bessel function I₀, by its series.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for n in 1..40 {
        let half = x / (2.0 * f64::from(n));
        term *= half * half;
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a sine of amplitude 1 becomes: RMS as a share of the RMS of that sine, and the number of samples.
    fn gain(rate: u32, hz: f64) -> (f64, usize) {
        let mut resampler = Resampler::new(rate).unwrap();
        let mut out = Vec::new();
        let input: Vec<f32> =
            (0..rate).map(|i| libm::sin(2.0 * PI * hz * f64::from(i) / f64::from(rate)) as f32).collect();
        // In pieces of a render quantum, and of other lengths.
        for piece in input.chunks(if rate.is_multiple_of(2) { 128 } else { 97 }) {
            resampler.push(piece, |x| out.push(x));
        }
        let heard = &out[2_000..out.len() - 100];
        let power: f64 = heard.iter().map(|x| f64::from(x * x)).sum::<f64>() / heard.len() as f64;
        (libm::sqrt(2.0 * power), out.len())
    }

    #[test]
    fn notes_pass_and_what_would_alias_does_not() {
        for rate in [8_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000] {
            for hz in [110.0, 1_000.0, 3_400.0] {
                let (gain, samples) = gain(rate, hz);
                assert!((gain - 1.0).abs() < 0.002, "{rate} Hz: {hz} Hz becomes {gain}");
                assert!(samples.abs_diff(16_000) <= 1, "{rate} Hz: {samples}");
            }
            for hz in
                [8_100.0, 9_500.0, 15_000.0, 21_000.0].into_iter().filter(|hz| *hz < f64::from(rate) / 2.0)
            {
                let (gain, _) = gain(rate, hz);
                assert!(gain < 1e-3, "{rate} Hz: {hz} Hz becomes {gain}");
            }
        }
        assert!(gain(48_000, 6_500.0).0 > 0.95);
    }

    #[test]
    fn the_engine_s_own_rate_passes_untouched() {
        let mut resampler = Resampler::new(SAMPLE_RATE).unwrap();
        let mut out = Vec::new();
        resampler.push(&[0.25, -1.0, f32::NAN, 99.0], |x| out.push(x));
        assert_eq!(out, [0.25, -1.0, 0.0, 8.0]);
        assert_eq!(resampler.delay_us(), 0);
    }

    #[test]
    fn its_delay_is_as_it_says() {
        for rate in [44_100, 48_000, 96_000] {
            let mut resampler = Resampler::new(rate).unwrap();
            let mut click = vec![0.0; rate as usize / 2];
            click[rate as usize / 10] = 1.0;
            let mut out = Vec::new();
            resampler.push(&click, |x| out.push(x));
            let peak = (0..out.len()).max_by(|a, b| out[*a].total_cmp(&out[*b])).unwrap();
            let late_us = peak as f64 * 62.5 - 100_000.0;
            let said = resampler.delay_us() as f64;
            assert!((late_us - said).abs() < 70.0, "{rate} Hz: {late_us} µs late, but says {said}");
        }
    }

    #[test]
    fn a_rate_that_no_sound_card_has_is_refused() {
        assert!(Resampler::new(0).is_none() && Resampler::new(3_999).is_none());
        assert!(Resampler::new(768_001).is_none() && Resampler::new(768_000).is_some());
    }
}
