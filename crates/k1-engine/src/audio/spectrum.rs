//! A constant-Q spectrum of 64 semitones.
//!
//! Octave-wise decimation after Schörkhuber & Klapuri, "Constant-Q transform toolbox for music processing"
//! (SMC 2010): twelve kernels for the top octave serve every octave, each of which is heard at half the sample
//! rate of the one above it. A kernel is a Hann window times a complex exponential at the exact frequency of
//! its note, so no bin is off tune (the old firmware's were, by up to 86 cents).

use crate::math::sqrt;
use crate::{HOP, SAMPLE_RATE};

/// Number of bins, a semitone each.
pub const BINS: usize = 64;
/// Centre of bin 0 in hertz: A2. Bin 63 is C8, 4,186 Hz.
pub const LOWEST_HZ: f32 = 110.0;
/// Quality factor of a bin: its centre frequency over the spacing to the next, 1/(2^(1/12) − 1).
pub const Q: f32 = 16.817_154;

const PER_OCTAVE: usize = 12;
/// Bins 52 … 63 are the top octave; below them four full octaves and the four lowest bins.
const STAGES: usize = 6;
const TOP_FIRST_BIN: usize = BINS - PER_OCTAVE;
/// The longest kernel (bin 52: 121 samples) fits.
const HISTORY: usize = 128;
/// Kernels evaluated per hop and stage. Short kernels are evaluated often enough to overlap by half, so that
/// every sample weighs in every bin.
const EVALUATIONS: [usize; STAGES] = [4, 2, 1, 1, 1, 1];
/// The bin at which tones read their own amplitude (440 Hz); see [`ConstantQ::process`].
const REFERENCE_BIN: usize = 24;

/// Half-band low-pass for decimation by two, 15 taps: ±0.003 dB up to 0.13 of the input rate, −69 dB from 0.37.
/// Equiripple fit by iterated weighted least squares; only odd offsets and the centre (½) are not zero.
const HALF_BAND: [f32; 4] = [0.305_857_9, -0.073_393_53, 0.021_476_2, -0.004_110_93];

/// Centre frequency of a bin in hertz, `110 · 2^(bin/12)`.
pub fn bin_hz(bin: usize) -> f32 {
    LOWEST_HZ * libm::exp2f(bin as f32 / PER_OCTAVE as f32)
}

/// One octave's share of the signal.
#[derive(Clone, Debug)]
struct Stage {
    /// The newest samples last; the front half is what older hops left.
    history: [f32; HISTORY + HOP],
    /// The last 14 inputs of the half-band filter that feeds the next stage.
    tail: [f32; 14],
}

/// The filter bank. About 17 KiB; build it once.
#[derive(Clone, Debug)]
pub struct ConstantQ {
    /// Real and imaginary part of each kernel, newest sample last, zero-padded at the front.
    kernels: [[(f32, f32); HISTORY]; PER_OCTAVE],
    lengths: [usize; PER_OCTAVE],
    /// Factor from tone amplitude to the noise-flat scale, per bin.
    flatten: [f32; BINS],
    stages: [Stage; STAGES],
}

impl Default for ConstantQ {
    fn default() -> Self {
        Self::new()
    }
}

impl ConstantQ {
    /// Computes the kernels.
    #[inline(never)]
    pub fn new() -> Self {
        // Filled where it stays: on a chip two of them fit no stack.
        let mut bank = Self {
            flatten: [0.0; BINS],
            kernels: [[(0.0, 0.0); HISTORY]; PER_OCTAVE],
            lengths: [0; PER_OCTAVE],
            stages: core::array::from_fn(|_| Stage { history: [0.0; HISTORY + HOP], tail: [0.0; 14] }),
        };
        let mut noise_gain = [0.0; PER_OCTAVE];
        for (k, noise_gain) in noise_gain.iter_mut().enumerate() {
            let turns = bin_hz(TOP_FIRST_BIN + k) as f64 / SAMPLE_RATE as f64;
            let n = libm::round(Q as f64 / turns) as usize;
            let window =
                |i: usize| 0.5 - 0.5 * libm::cos(core::f64::consts::TAU * (i as f64 + 0.5) / n as f64);
            let sum: f64 = (0..n).map(window).sum();
            for i in 0..n {
                let (s, c) = libm::sincos(core::f64::consts::TAU * turns * i as f64);
                // 2/Σw: a sine of amplitude 1 reads 1.
                let w = 2.0 * window(i) / sum;
                bank.kernels[k][HISTORY - n + i] = ((w * c) as f32, (w * s) as f32);
                *noise_gain += w * w;
            }
            bank.lengths[k] = n;
        }
        let bin_noise = |bin: usize| {
            let (stage, k) = locate(bin);
            // Decimation by two keeps the density and halves the power of white noise.
            libm::sqrt(noise_gain[k] / (1 << stage) as f64)
        };
        let reference = bin_noise(REFERENCE_BIN);
        bank.flatten = core::array::from_fn(|bin| (reference / bin_noise(bin)) as f32);
        bank
    }

    /// Length of the analysis window of a bin in seconds: `Q / f`, 153 ms at bin 0 and 4 ms at bin 63.
    pub fn window_seconds(&self, bin: usize) -> f32 {
        let (stage, k) = locate(bin);
        (self.lengths[k] << stage) as f32 / SAMPLE_RATE as f32
    }

    /// Analyses one hop; `magnitudes` are linear in amplitude.
    ///
    /// White noise reads the same in every bin; a sine at the centre of bin `b` reads its amplitude times
    /// [`tone_gain`](Self::tone_gain)`(b)`, which is 1 at 440 Hz and falls by 3 dB per octave upwards.
    pub fn process(&mut self, samples: &[f32; HOP], magnitudes: &mut [f32; BINS]) {
        let mut input = *samples;
        let mut fresh = HOP;
        for (stage, (own, evaluations)) in self.stages.iter_mut().zip(EVALUATIONS).enumerate() {
            own.history.copy_within(fresh..HISTORY + HOP, 0);
            own.history[HISTORY + HOP - fresh..].copy_from_slice(&input[..fresh]);
            let first_k = if stage == STAGES - 1 { PER_OCTAVE - 4 } else { 0 };
            for k in first_k..PER_OCTAVE {
                let bin = TOP_FIRST_BIN + k - PER_OCTAVE * stage;
                let mut power = 0.0;
                for e in 1..=evaluations {
                    let end = HISTORY + HOP - fresh + fresh * e / evaluations;
                    // Whole groups of four, in the same order of sums: the loop's own cost is paid once for four. What is
                    // before the kernel meets zeros.
                    let n = self.lengths[k].next_multiple_of(4);
                    let (mut re, mut im) = (0.0_f32, 0.0_f32);
                    let (heard, _) = own.history[end - n..end].as_chunks::<4>();
                    let (kernel, _) = self.kernels[k][HISTORY - n..].as_chunks::<4>();
                    for (x, w) in heard.iter().zip(kernel) {
                        re += x[0] * w[0].0;
                        im += x[0] * w[0].1;
                        re += x[1] * w[1].0;
                        im += x[1] * w[1].1;
                        re += x[2] * w[2].0;
                        im += x[2] * w[2].1;
                        re += x[3] * w[3].0;
                        im += x[3] * w[3].1;
                    }
                    power += re * re + im * im;
                }
                magnitudes[bin] = sqrt(power / evaluations as f32) * self.flatten[bin];
            }
            if stage + 1 < STAGES {
                fresh = decimate(&mut own.tail, &mut input, fresh);
            }
        }
    }

    /// What a sine of amplitude 1 at the centre of `bin` reads.
    pub fn tone_gain(&self, bin: usize) -> f32 {
        self.flatten[bin]
    }
}

/// Stage and kernel of a bin.
const fn locate(bin: usize) -> (usize, usize) {
    let down = BINS - 1 - bin;
    (down / PER_OCTAVE, PER_OCTAVE - 1 - down % PER_OCTAVE)
}

/// Low-passes and keeps every second of the first `n` samples of `block`, in place; returns how many are left.
fn decimate(tail: &mut [f32; 14], block: &mut [f32; HOP], n: usize) -> usize {
    let mut line = [0.0; HOP + 14];
    line[..14].copy_from_slice(tail);
    line[14..14 + n].copy_from_slice(&block[..n]);
    for (i, out) in block.iter_mut().take(n / 2).enumerate() {
        // Centre of the filter for this output: seven samples behind the newest one.
        let c = 2 * i + 8;
        *out = 0.5 * line[c]
            + HALF_BAND[0] * (line[c - 1] + line[c + 1])
            + HALF_BAND[1] * (line[c - 3] + line[c + 3])
            + HALF_BAND[2] * (line[c - 5] + line[c + 5])
            + HALF_BAND[3] * (line[c - 7] + line[c + 7]);
    }
    tail.copy_from_slice(&line[n..n + 14]);
    n / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn settle(mut f: impl FnMut(usize) -> f32) -> [f32; BINS] {
        let mut q = ConstantQ::new();
        let mut m = [0.0; BINS];
        for h in 0..60 {
            q.process(&core::array::from_fn(|i| f(h * HOP + i)), &mut m);
        }
        m
    }

    fn tone(hz: f64, amplitude: f64) -> impl FnMut(usize) -> f32 {
        move |i| (amplitude * (core::f64::consts::TAU * hz * i as f64 / SAMPLE_RATE as f64).sin()) as f32
    }

    fn loudest(m: &[f32; BINS]) -> usize {
        (0..BINS).max_by(|a, b| m[*a].total_cmp(&m[*b])).unwrap()
    }

    fn exact_hz(bin: usize) -> f64 {
        110.0 * 2f64.powf(bin as f64 / 12.0)
    }

    #[test]
    fn a_tone_at_each_centre_makes_that_bin_the_largest_and_reads_its_amplitude() {
        let q = ConstantQ::new();
        for bin in 0..BINS {
            let m = settle(tone(exact_hz(bin), 0.5));
            assert_eq!(loudest(&m), bin);
            let read = m[bin] / q.tone_gain(bin);
            assert!((read - 0.5).abs() < 0.01, "bin {bin} reads {read}");
        }
    }

    #[test]
    fn fifty_cents_off_falls_by_the_designed_amount() {
        // A Hann window of length Q/f sees 50 cents as x = Q·(2^(1/24) − 1) bins of its own transform.
        let q = ConstantQ::new();
        for bin in 1..BINS - 1 {
            for cents in [-50.0, 50.0, -100.0, 100.0] {
                let ratio = 2f64.powf(cents / 1200.0);
                let x = Q as f64 * (ratio - 1.0);
                let px = core::f64::consts::PI * x;
                let designed = (px.sin() / (px * (1.0 - x * x))).abs();
                let m = settle(tone(exact_hz(bin) * ratio, 1.0));
                let fall = (m[bin] / q.tone_gain(bin)) as f64;
                assert!((fall - designed).abs() < 0.03, "bin {bin}, {cents} cents: {fall} not {designed}");
            }
        }
    }

    #[test]
    fn white_noise_comes_out_flat() {
        let mut q = ConstantQ::new();
        let mut seed = 1_u32;
        let mut power = [0.0_f64; BINS];
        let mut m = [0.0; BINS];
        let hops = 12_000;
        for h in 0..hops {
            let block = core::array::from_fn(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) as f32 / 8_388_608.0 - 1.0
            });
            q.process(&block, &mut m);
            if h > 60 {
                m.iter().zip(&mut power).for_each(|(m, p)| *p += (m * m) as f64);
            }
        }
        let mean = power.iter().sum::<f64>() / BINS as f64;
        for (bin, p) in power.iter().enumerate() {
            let off = 10.0 * (p / mean).log10();
            assert!(off.abs() < 0.5, "bin {bin} is {off:.2} dB off");
        }
    }

    #[test]
    fn amplitude_is_linear_over_eighty_decibels() {
        let full = settle(tone(exact_hz(30), 1.0))[30];
        for a in [0.1, 0.01, 0.001, 0.0001] {
            let m = settle(tone(exact_hz(30), a))[30];
            assert!((m as f64 / (full as f64 * a) - 1.0).abs() < 1e-3, "{a}: {m}");
        }
    }

    #[test]
    fn no_sample_is_skipped() {
        // A click at every position of a hop must leave its mark on every octave.
        for position in 0..HOP {
            let mut q = ConstantQ::new();
            let mut m = [0.0; BINS];
            let mut seen = [0.0_f32; BINS];
            for h in 0..40 {
                let block = core::array::from_fn(|i| if h == 3 && i == position { 1.0 } else { 0.0 });
                q.process(&block, &mut m);
                m.iter().zip(&mut seen).for_each(|(m, s)| *s = s.max(*m));
            }
            let least = seen.iter().copied().fold(f32::INFINITY, f32::min);
            assert!(least > 0.002, "position {position}: {least}");
        }
    }

    #[test]
    fn matches_a_direct_transform_of_the_whole_signal() {
        // The slow reference: no octaves, no decimation, the window laid over the full-rate signal where the
        // decimation filters put it (each stage delays by 7 samples of its own input).
        let signal: Vec<f32> = (0..16_000)
            .map(|i| {
                let t = i as f64 / 16_000.0;
                (0.3 * (core::f64::consts::TAU * 233.0 * t).sin()
                    + 0.2 * (core::f64::consts::TAU * 1_111.0 * t).cos()
                    + 0.1 * (core::f64::consts::TAU * 3_333.0 * t).sin()) as f32
            })
            .collect();
        let mut q = ConstantQ::new();
        let mut m = [0.0; BINS];
        for block in signal.chunks_exact(HOP) {
            q.process(block.try_into().unwrap(), &mut m);
        }
        for (bin, read) in m.iter().enumerate() {
            let (stage, k) = locate(bin);
            let n = q.lengths[k] << stage;
            let delay: usize = (0..stage).map(|s| 7 << s).sum();
            let hz = exact_hz(bin);
            let mut power = 0.0;
            for e in 1..=EVALUATIONS[stage] {
                let end = signal.len() - HOP + HOP * e / EVALUATIONS[stage] - delay - ((1 << stage) - 1);
                let (mut re, mut im, mut sum) = (0.0, 0.0, 0.0);
                for i in 0..n {
                    let w = 0.5 - 0.5 * (core::f64::consts::TAU * (i as f64 + 0.5) / n as f64).cos();
                    let a = core::f64::consts::TAU * hz * i as f64 / 16_000.0;
                    re += w * signal[end - n + i] as f64 * a.cos();
                    im += w * signal[end - n + i] as f64 * a.sin();
                    sum += w;
                }
                power += (re * re + im * im) * 4.0 / (sum * sum);
            }
            let want = (power / EVALUATIONS[stage] as f64).sqrt() * q.tone_gain(bin) as f64;
            assert!((*read as f64 - want).abs() < 0.006, "bin {bin}: {read} not {want}");
        }
    }
}
