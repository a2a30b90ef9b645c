//! Sounds for the tests, as WAV files.

use k1_demo::Demo;
use k1_engine::SAMPLE_RATE;

/// A WAV file of samples −1 … 1: mono, 16 bits.
pub fn wav(samples: &[f32], rate: u32) -> Vec<u8> {
    let bytes = 2 * samples.len() as u32;
    let mut file = Vec::with_capacity(44 + bytes as usize);
    file.extend(b"RIFF");
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend([1, 0, 1, 0]);
    file.extend(rate.to_le_bytes());
    file.extend((2 * rate).to_le_bytes());
    file.extend([2, 0, 16, 0]);
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    samples.iter().for_each(|x| file.extend(((x.clamp(-1.0, 1.0) * 32_767.0) as i16).to_le_bytes()));
    file
}

/// The beginning of the built-in music.
pub fn demo(seconds: usize) -> Vec<f32> {
    let mut samples = vec![0.0; seconds * SAMPLE_RATE as usize];
    Demo::default().fill(&mut samples);
    samples
}
