//! The filter bank against the exact transform: every kernel over the samples at full rate, in f64, at every hop. The
//! difference is the cost of decimation (its ripple and its aliasing) and of f32.

use core::f64::consts::TAU;
use std::vec::Vec;

use super::*;

/// Bins down to this far below the loudest bin of their hop are compared as ratios; below, only leakage counts.
const HEARD_DB: f64 = -40.0;
const RATE: f64 = SAMPLE_RATE as f64;

/// A bin at full rate: its kernel, and for each evaluation in a hop the distance from its last sample to the end of
/// the hop.
struct Exact {
    kernel: Vec<(f64, f64)>,
    behind: Vec<usize>,
}

impl Exact {
    fn new(bin: usize) -> Self {
        let (octave, k) = locate(bin);
        let (step, turns) = (1 << octave, 110.0 * 2_f64.powf(bin as f64 / 12.0) / RATE);
        let n = LENGTHS[k] * step;
        // Kernels of each octave sample the window at the centres of equal parts. At full rate the samples lie there
        // too, or from the second octave on at the edges.
        let (part, last) = if octave == 0 { (0.5, 0) } else { (0.0, step / 2 - 1) };
        let window = |i: usize| 0.5 - 0.5 * (TAU * (i as f64 + part) / n as f64).cos();
        let sum: f64 = (0..n).map(window).sum();
        let kernel = (0..n).map(|i| {
            let (s, c) = (TAU * turns * i as f64).sin_cos();
            (2.0 * window(i) * c / sum, 2.0 * window(i) * s / sum)
        });
        // A half-band filter delays by seven samples of its input.
        let delay = 7 * (step - 1);
        let fresh = HOP >> octave;
        let behind = (1..=EVALUATIONS[octave])
            .map(|e| delay + step * (fresh - fresh * e / EVALUATIONS[octave]) - last)
            .collect();
        Self { kernel: kernel.collect(), behind }
    }

    /// Amplitude at the end of a hop; `None` before the window is full.
    fn amplitude(&self, heard: &[f32]) -> Option<f64> {
        let mut power = 0.0;
        for behind in &self.behind {
            let end = heard.len().checked_sub(*behind)?;
            let from = end.checked_sub(self.kernel.len())?;
            let (mut re, mut im) = (0.0, 0.0);
            for (x, (c, s)) in heard[from..end].iter().zip(&self.kernel) {
                re += f64::from(*x) * c;
                im += f64::from(*x) * s;
            }
            power += re * re + im * im;
        }
        Some((power / self.behind.len() as f64).sqrt())
    }
}

/// Three seconds of music-like sound: a bass and chords with overtones and vibrato, kicks with falling pitch, and
/// hissing hats, over quiet noise.
fn music() -> Vec<f32> {
    let mut seed = 5_u32;
    let mut noise = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(seed >> 8) / 8_388_608.0 - 1.0
    };
    let mut last = 0.0;
    let sample = |i: usize| {
        let t = i as f64 / RATE;
        let (bar, beat, half) = (t % 1.0, t % 0.5, (t + 0.25) % 0.5);
        let root = [110.0, 87.307, 130.813][t as usize % 3];
        let tone = |hz: f64, partials: i32, vibrato: f64| -> f64 {
            let phase = hz * t + vibrato * (TAU * 5.5 * t).sin();
            (1..=partials).map(|k| (TAU * f64::from(k) * phase).sin() / f64::from(k)).sum()
        };
        let chord: f64 = [2.0, 2.519_842, 2.996_614].iter().map(|r| tone(root * r, 9, 0.3)).sum();
        let hiss = noise();
        let hat = (hiss - last) * (-half / 0.03).exp();
        last = hiss;
        let kick = (TAU * (50.0 * beat + 4.5 * (1.0 - (-40.0 * beat).exp()))).sin() * (-beat / 0.11).exp();
        let struck = (bar / 0.01).min(1.0) * (-bar / 0.5).exp();
        (0.1 * tone(root / 2.0, 5, 0.0) + 0.06 * struck * chord + 0.3 * kick + 0.1 * hat + 0.001 * hiss)
            as f32
    };
    (0..3 * SAMPLE_RATE as usize).map(sample).collect()
}

fn db(ratio: f64) -> f64 {
    20.0 * ratio.log10()
}

#[test]
fn every_bin_is_that_of_the_exact_transform_at_every_hop() {
    let sound = music();
    let exact: Vec<Exact> = (0..BINS).map(Exact::new).collect();
    let mut bank = ConstantQ::new();
    // Per bin: largest error relative to its own size in dB, number of such hops, and largest error relative to the
    // loudest bin.
    let mut worst = [(0.0_f64, 0, 0.0_f64); BINS];
    for (hop, block) in sound.as_chunks::<HOP>().0.iter().enumerate() {
        let mut read = [0.0; BINS];
        bank.process(block, &mut read);
        let heard = &sound[..(hop + 1) * HOP];
        let Some(want) = exact.iter().map(|e| e.amplitude(heard)).collect::<Option<Vec<f64>>>() else {
            continue;
        };
        let loudest = want.iter().copied().fold(0.0, f64::max);
        for (bin, (own, hops, leak)) in worst.iter_mut().enumerate() {
            let got = f64::from(read[bin] / bank.tone_gain(bin));
            *leak = leak.max((got - want[bin]).abs() / loudest);
            if db(want[bin] / loudest) > HEARD_DB {
                *hops += 1;
                *own = own.max(db(got / want[bin]).abs());
            }
        }
    }
    std::println!(
        "bin      Hz  within 40 dB of the loudest: hops, largest error  largest error against the loudest"
    );
    for (bin, (own, hops, leak)) in worst.iter().enumerate() {
        let hz = crate::audio::bin_hz(bin);
        std::println!("{bin:>3} {hz:>7.1} {hops:>44} {own:>8.3} dB {:>22.1} dB", db(*leak));
    }
    let own = worst.iter().map(|w| w.0).fold(0.0, f64::max);
    let leak = db(worst.iter().map(|w| w.2).fold(0.0, f64::max));
    std::println!("of all: {own:.3} dB of a bin's own size, {leak:.1} dB against the loudest");
    assert!(worst.iter().all(|w| w.1 > 50), "a bin is hardly ever heard: {worst:?}");
    assert!(own < 0.25 && leak < -55.0, "{own} dB, {leak} dB");
}
