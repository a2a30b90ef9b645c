//! A constant-Q spectrum of 64 semitones.
//!
//! Octave-wise decimation after Schörkhuber & Klapuri, "Constant-Q transform toolbox for music processing" (SMC
//! 2010): the twelve kernels of the top octave serve every octave, each of which is heard at half the sample rate of
//! the one above. A kernel is a Hann window times a complex exponential at the exact frequency of its note, so every
//! bin is in tune (in the old firmware some were off by up to 86 cents).

use super::looked_up::{FLATTEN, KERNELS, LENGTHS};
use super::tables::{BINS, HISTORY, PER_OCTAVE, TOP_FIRST_BIN, locate};
use crate::lanes::{LANES, Sums};
use crate::math::sqrt;
use crate::{HOP, SAMPLE_RATE};

const OCTAVES: usize = 6;
/// Evaluations of each kernel per hop, by octave. Successive windows overlap by at least half, so that every sample
/// counts in every bin.
const EVALUATIONS: [usize; OCTAVES] = [4, 2, 1, 1, 1, 1];
/// Groups of four samples in a round of the innermost loop: two with SIMD, where a round is short; one without, where
/// more would not fit the registers.
const GROUPS: usize = if LANES == 1 { 1 } else { 2 };
/// Half-band low-pass for decimation by two, 15 taps, an equiripple fit by iterated weighted least squares. Only the taps
/// at odd offsets and at the centre (½) are not zero. From 0 to 0.13 of the input rate its gain is within 0.003 dB, from
/// 0.37 on below −69 dB.
const HALF_BAND: [f32; 4] = [0.305_857_9, -0.073_393_53, 0.021_476_2, -0.004_110_93];

/// Number of old inputs on which an output of the low-pass depends.
const TAIL: usize = 14;
/// Share of one evaluation in the mean of an octave's.
const SHARES: [f32; OCTAVES] = {
    let mut shares = [0.0; OCTAVES];
    let mut octave = 0;
    while octave < OCTAVES {
        shares[octave] = 1.0 / EVALUATIONS[octave] as f32;
        octave += 1;
    }
    shares
};

/// Index of each octave's samples: a window, and the samples of one hop, which halve from octave to octave.
const FROM: [usize; OCTAVES + 1] = {
    let mut from = [0; OCTAVES + 1];
    let mut octave = 0;
    while octave < OCTAVES {
        from[octave + 1] = from[octave] + HISTORY + (HOP >> octave);
        octave += 1;
    }
    from
};

/// The filter bank. About 4 KiB; its kernels are tables in flash.
#[derive(Clone, Debug)]
pub struct ConstantQ {
    /// Samples of every octave, the newest last in each.
    history: [f32; FROM[OCTAVES]],
}

impl Default for ConstantQ {
    fn default() -> Self {
        Self::new()
    }
}

impl ConstantQ {
    /// A bank that has heard nothing.
    pub const fn new() -> Self {
        Self { history: [0.0; FROM[OCTAVES]] }
    }

    /// Length of a bin's analysis window in seconds, `Q / f`: 153 ms at bin 0, 4 ms at bin 63.
    pub fn window_seconds(&self, bin: usize) -> f32 {
        let (octave, k) = locate(bin);
        (LENGTHS[k] << octave) as f32 / SAMPLE_RATE as f32
    }

    /// Analyses one hop. `magnitudes` are linear in amplitude.
    ///
    /// White noise reads the same in every bin. A sine at the centre of bin `b` reads its amplitude times
    /// [`tone_gain`](Self::tone_gain)`(b)`, which is 1 at 440 Hz and falls by 3 dB per octave upwards.
    pub fn process(&mut self, samples: &[f32; HOP], magnitudes: &mut [f32; BINS]) {
        self.history[HISTORY..][..HOP].copy_from_slice(samples);
        let mut rest = &mut self.history[..];
        for (octave, evaluations) in EVALUATIONS.into_iter().enumerate() {
            let fresh = HOP >> octave;
            let (history, lower) = rest.split_at_mut(HISTORY + fresh);
            let first_k = if octave == OCTAVES - 1 { PER_OCTAVE - 4 } else { 0 };
            let step = fresh / evaluations;
            // Of a power of two, so it is exact.
            let share = SHARES[octave];
            for k in first_k..PER_OCTAVE {
                let mut power = 0.0;
                // Whole groups: samples before the kernel meet its zero padding.
                let n = LENGTHS[k].next_multiple_of(4 * GROUPS);
                let kernel = KERNELS[k][(HISTORY - n) / 4..].as_chunks::<GROUPS>().0;
                for e in 1..=evaluations {
                    let end = HISTORY + step * e;
                    let heard = history[end - n..end].as_chunks::<4>().0.as_chunks::<GROUPS>().0;
                    let (mut re, mut im) = (Sums::ZERO, Sums::ZERO);
                    for (samples, parts) in heard.iter().zip(kernel) {
                        for (x, [real, imaginary]) in samples.iter().zip(parts) {
                            im.add(x, imaginary);
                            re.add(x, real);
                        }
                    }
                    let (re, im) = (re.total(), im.total());
                    power += re * re + im * im;
                }
                magnitudes[TOP_FIRST_BIN + k - PER_OCTAVE * octave] = power * share;
            }
            if octave + 1 < OCTAVES {
                decimate(&history[HISTORY - TAIL..], &mut lower[HISTORY..][..fresh / 2]);
            }
            history.copy_within(fresh.., 0);
            rest = lower;
        }
        for (m, flatten) in magnitudes.iter_mut().zip(&FLATTEN) {
            *m = sqrt(*m) * flatten;
        }
    }

    /// Reading of a sine of amplitude 1 at the centre of `bin`.
    pub fn tone_gain(&self, bin: usize) -> f32 {
        FLATTEN[bin]
    }
}

/// Low-passes a line of samples, [`TAIL`] old ones before the new, and keeps every second one.
fn decimate(line: &[f32], out: &mut [f32]) {
    // Centre of the filter for each output, seven samples behind the newest one.
    for (out, x) in out.iter_mut().zip(line[1..].windows(TAIL + 1).step_by(2)) {
        *out = 0.5 * x[7]
            + HALF_BAND[0] * (x[6] + x[8])
            + HALF_BAND[1] * (x[4] + x[10])
            + HALF_BAND[2] * (x[2] + x[12])
            + HALF_BAND[3] * (x[0] + x[14]);
    }
}

#[cfg(test)]
mod exact;

#[cfg(test)]
mod tests {
    use super::super::tables::Q;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn the_half_band_filter_keeps_its_stated_ripple_and_attenuation() {
        let gain_db = |f: f64| {
            let taps = HALF_BAND.iter().enumerate();
            let sum: f64 = taps
                .map(|(i, tap)| f64::from(*tap) * (core::f64::consts::TAU * f * (2 * i + 1) as f64).cos())
                .sum();
            20.0 * (0.5 + 2.0 * sum).abs().log10()
        };
        let ripple = (0..=1_300).map(|i| gain_db(f64::from(i) * 1e-4).abs()).fold(0.0, f64::max);
        let stop = (3_700..=5_000).map(|i| gain_db(f64::from(i) * 1e-4)).fold(f64::MIN, f64::max);
        assert!(ripple < 0.003 && stop < -69.0, "{ripple} dB, {stop} dB");
    }

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
        // A click at any position in a hop must show in every octave.
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
        // The slow reference: no octaves and no decimation. The window lies over the full-rate signal where the
        // decimation filters put it (each octave delays by 7 samples of its own input).
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
            let (octave, k) = locate(bin);
            let n = LENGTHS[k] << octave;
            let delay: usize = (0..octave).map(|s| 7 << s).sum();
            let hz = exact_hz(bin);
            let mut power = 0.0;
            for e in 1..=EVALUATIONS[octave] {
                let end = signal.len() - HOP + HOP * e / EVALUATIONS[octave] - delay - ((1 << octave) - 1);
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
            let want = (power / EVALUATIONS[octave] as f64).sqrt() * q.tone_gain(bin) as f64;
            assert!((*read as f64 - want).abs() < 0.006, "bin {bin}: {read} not {want}");
        }
    }
}
