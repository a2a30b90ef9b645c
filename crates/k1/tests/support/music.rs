//! The piece of music in all fixtures.

use k1::source::{Demo, Source};

/// Length of the piece in seconds.
pub const SECONDS: f64 = 2.0;

/// The first two seconds of the built-in music, at the engine's 16 kHz. `fixtures/` holds the same, compressed.
pub fn piece() -> Vec<f32> {
    let mut samples = vec![0.0; (SECONDS * f64::from(k1_engine::SAMPLE_RATE)) as usize];
    let n = Demo::default().read(&mut samples).expect("the built-in music plays");
    assert_eq!(n, samples.len());
    samples
}

/// `samples` at another rate, by windowed sinc: slow, and independent of the program's own resampler.
pub fn at_rate(samples: &[f32], rate: u32) -> Vec<f32> {
    let ratio = f64::from(rate) / f64::from(k1_engine::SAMPLE_RATE);
    let cutoff = ratio.min(1.0) * 0.95;
    let reach = 24.0 / cutoff;
    (0..(samples.len() as f64 * ratio) as usize)
        .map(|i| {
            let centre = i as f64 / ratio;
            let from = (centre - reach).ceil().max(0.0) as usize;
            let to = ((centre + reach) as usize).min(samples.len() - 1);
            let sum: f64 = (from..=to)
                .map(|j| {
                    let x = j as f64 - centre;
                    let window = 0.5 + 0.5 * (std::f64::consts::PI * x / reach).cos();
                    f64::from(samples[j]) * cutoff * sinc(x * cutoff) * window
                })
                .sum();
            sum as f32
        })
        .collect()
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x.abs() < 1e-9 { 1.0 } else { x.sin() / x }
}
