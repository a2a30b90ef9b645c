//! WAV files, whole and broken, and the piece of music that all fixtures hold.

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

/// A 16-bit WAV file with the same sound in every channel.
pub fn wav(samples: &[f32], rate: u32, channels: u16) -> Vec<u8> {
    let data: Vec<u8> = samples
        .iter()
        .flat_map(|x| ((x.clamp(-1.0, 1.0) * 32_767.0) as i16).to_le_bytes().repeat(usize::from(channels)))
        .collect();
    let mut file = header(1, channels, rate, 16, data.len() as u32);
    file.extend(data);
    file
}

/// The 44 bytes in front of the samples, with any numbers in them.
pub fn header(format: u16, channels: u16, rate: u32, bits: u16, data_bytes: u32) -> Vec<u8> {
    let frame = channels.wrapping_mul(bits / 8);
    let mut h = Vec::with_capacity(44);
    h.extend(b"RIFF");
    h.extend(data_bytes.wrapping_add(36).to_le_bytes());
    h.extend(b"WAVEfmt ");
    h.extend(16_u32.to_le_bytes());
    h.extend(format.to_le_bytes());
    h.extend(channels.to_le_bytes());
    h.extend(rate.to_le_bytes());
    h.extend(rate.wrapping_mul(u32::from(frame)).to_le_bytes());
    h.extend(frame.to_le_bytes());
    h.extend(bits.to_le_bytes());
    h.extend(b"data");
    h.extend(data_bytes.to_le_bytes());
    h
}
