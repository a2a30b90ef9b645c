//! Converts any sample rate to the engine's.

use audioadapter_buffers::direct::InterleavedSlice;
use rubato::audioadapter_buffers;
use rubato::{Fft, FixedSync, Resampler as _};

use super::Error;

/// Accepted sample rates in Hz.
pub const RATES: std::ops::RangeInclusive<u32> = 4_000..=768_000;
/// Output samples per step; small, so that live sound is not delayed.
const STEP: usize = 128;

/// A resampler to [`k1_engine::SAMPLE_RATE`] that takes pieces of any length; the same rate passes untouched.
pub enum Resampler {
    /// Passes samples unchanged.
    Same,
    /// Band-limited conversion.
    Convert {
        /// The library's resampler.
        inner: Box<Fft<f32>>,
        /// Samples that wait for a full step.
        waiting: Vec<f32>,
        /// Room for one step of output.
        out: Vec<f32>,
        /// Output samples still to be dropped: the filter's own delay.
        delay: usize,
        /// Samples that came in and went out.
        count: (u64, u64),
    },
}

impl Resampler {
    /// A resampler from `rate`.
    pub fn new(rate: u32) -> Result<Self, Error> {
        let engine = k1_engine::SAMPLE_RATE;
        if !RATES.contains(&rate) {
            return Err(Error::Rate(rate));
        }
        if rate == engine {
            return Ok(Self::Same);
        }
        let inner = Fft::new(rate as usize, engine as usize, STEP, 1, FixedSync::Output)
            .map_err(|_| Error::Rate(rate))?;
        let out = vec![0.0; inner.output_frames_max()];
        let delay = inner.output_delay();
        Ok(Self::Convert { inner: Box::new(inner), waiting: Vec::new(), out, delay, count: (0, 0) })
    }

    /// Converts `input` and appends what is ready to `output`.
    pub fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        let input = input.iter().map(|x| tamed(*x));
        match self {
            Self::Same => output.extend(input),
            Self::Convert { inner, waiting, out, delay, count } => {
                count.0 += input.len() as u64;
                waiting.extend(input);
                let mut used = 0;
                loop {
                    let need = inner.input_frames_next();
                    if waiting.len() - used < need {
                        break;
                    }
                    let made = step(inner, &waiting[used..used + need], out);
                    used += need;
                    let skip = (*delay).min(made);
                    *delay -= skip;
                    output.extend_from_slice(&out[skip..made]);
                    count.1 += (made - skip) as u64;
                }
                waiting.drain(..used);
            }
        }
    }

    /// Appends the rest from inside the resampler, after the last input.
    pub fn finish(&mut self, output: &mut Vec<f32>) {
        let Self::Convert { inner, count: (came, went), .. } = self else { return };
        // The output is exactly as long as the input.
        let expected = (*came as f64 * inner.resample_ratio() - 1e-6).ceil() as u64;
        let missing = usize::try_from(expected.saturating_sub(*went)).unwrap_or(0);
        // Silence after the end flushes the filter's memory.
        let tail = inner.output_delay() * 2 + inner.input_frames_max();
        let before = output.len();
        let silence = vec![0.0; tail];
        while output.len() < before + missing {
            let had = output.len();
            self.push(&silence, output);
            if output.len() == had {
                break;
            }
        }
        output.truncate(before + missing);
    }
}

/// Makes a sample safe for a Fourier transform: NaN becomes silence, and values are clamped to eight times full scale,
/// as in the engine. A single NaN, or a huge value, would spoil at least a whole step.
fn tamed(x: f32) -> f32 {
    if x.is_finite() { x.clamp(-8.0, 8.0) } else { 0.0 }
}

fn step(inner: &mut Fft<f32>, input: &[f32], out: &mut [f32]) -> usize {
    let room = out.len();
    let from = InterleavedSlice::new(input, 1, input.len());
    let to = InterleavedSlice::new_mut(out, 1, room);
    match (from, to) {
        (Ok(from), Ok(mut to)) => {
            inner.process_into_buffer(&from, &mut to, None).map_or(0, |(_, written)| written)
        }
        // One channel of exactly the slice's length always fits.
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What 440 Hz changes at most within a sample of the engine: the library states its delay in whole samples, so a
    /// tone may be off by up to one sample (62 µs).
    const ONE_SAMPLE: f32 = 0.173;

    fn tone(rate: u32, hz: f64, seconds: f64) -> Vec<f32> {
        (0..(f64::from(rate) * seconds) as usize)
            .map(|i| (std::f64::consts::TAU * hz * i as f64 / f64::from(rate)).sin() as f32)
            .collect()
    }

    fn convert(rate: u32, input: &[f32], chunk: usize) -> Vec<f32> {
        let mut r = Resampler::new(rate).unwrap();
        let mut out = Vec::new();
        input.chunks(chunk).for_each(|c| r.push(c, &mut out));
        r.finish(&mut out);
        out
    }

    #[test]
    fn a_tone_keeps_its_place_in_time_its_pitch_and_its_level_at_every_rate() {
        for rate in [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000] {
            let out = convert(rate, &tone(rate, 440.0, 1.0), 1000);
            assert_eq!(out.len(), 16_000, "{rate}");
            let want = tone(16_000, 440.0, 1.0);
            let worst = (2_000..14_000).map(|i| (out[i] - want[i]).abs()).fold(0.0, f32::max);
            assert!(worst < ONE_SAMPLE, "{rate}: {worst}");
        }
    }

    #[test]
    fn what_the_engine_cannot_hear_does_not_alias() {
        let out = convert(48_000, &tone(48_000, 11_000.0, 0.5), 777);
        let loudest = out[2_000..6_000].iter().fold(0.0_f32, |a, x| a.max(x.abs()));
        assert!(loudest < 0.002, "{loudest}");
    }

    #[test]
    fn how_the_input_is_cut_changes_nothing() {
        let input = tone(44_100, 330.0, 0.4);
        assert_eq!(convert(44_100, &input, 1), convert(44_100, &input, 4096));
    }

    #[test]
    fn what_is_no_number_or_wild_is_tamed_and_forgotten() {
        for rate in [16_000, 44_100] {
            let mut input = tone(rate, 440.0, 0.5);
            let wild = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 1e30, -f32::NAN];
            input[1_000..1_007].copy_from_slice(&wild);
            let (out, want) = (convert(rate, &input, 999), tone(16_000, 440.0, 0.5));
            assert!(out.iter().all(|x| x.abs() < 20.0), "{rate}");
            assert!(
                (4_000..7_000).all(|i| (out[i] - want[i]).abs() < ONE_SAMPLE),
                "{rate}: the rest is as it was"
            );
        }
    }

    #[test]
    fn impossible_rates_are_refused() {
        for rate in [0, 1, 3_999, 768_001, u32::MAX] {
            assert!(matches!(Resampler::new(rate), Err(Error::Rate(r)) if r == rate));
        }
    }
}
