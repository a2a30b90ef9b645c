//! Microphone faults one at a time, to show the cost of each.
//!
//! [`cheap_microphone`](super::cheap_microphone) combines them in one piece; here each fault alone is applied to any
//! sound. Levels are relative to the whole sound, so that silence gets neither noise nor hum.

use std::f32::consts::TAU;

use libm::{exp10f, sinf};

use super::chance::Chance;
use super::mixer::RATE;

/// A fault by its name. The function returns the sound (16 kHz, −1 … 1) as such a microphone would deliver it,
/// reproducibly and rounded to 16 bits.
pub type Fault = (&'static str, fn(&[f32]) -> Vec<f32>);

/// Every fault.
pub const FAULTS: [Fault; 7] = [
    ("noise 20 dB below", |sound| noise(sound, -20.0)),
    ("noise 10 dB below", |sound| noise(sound, -10.0)),
    ("hum 10 dB below", |sound| hum(sound, -10.0)),
    ("loudest 5 % clipped", |sound| clipped(sound, 0.05)),
    ("offset 0.2", |sound| sixteen_bit(sound.iter().map(|x| x + 0.2))),
    ("level -20 dB", |sound| quieter(sound, -20.0)),
    ("level -40 dB", |sound| quieter(sound, -40.0)),
];

/// Adds white noise, `below_db` dB below the sound.
fn noise(sound: &[f32], below_db: f32) -> Vec<f32> {
    let mut chance = Chance::new(15);
    // The RMS of uniform noise is 1/√3 of its peak.
    let peak = 3.0_f32.sqrt() * rms(sound) * factor(below_db);
    sixteen_bit(sound.iter().map(|x| x + peak * chance.noise()))
}

/// Adds mains hum, `below_db` dB below the sound: 50 Hz and the harmonics of a rectifier.
fn hum(sound: &[f32], below_db: f32) -> Vec<f32> {
    // Frequency in Hz and amplitude.
    const PARTIALS: [(f64, f32); 5] = [(50.0, 1.0), (100.0, 0.5), (150.0, 0.4), (250.0, 0.2), (350.0, 0.1)];
    let power: f32 = PARTIALS.iter().map(|(_, a)| 0.5 * a * a).sum();
    let gain = rms(sound) * factor(below_db) / power.sqrt();
    sixteen_bit(sound.iter().enumerate().map(|(i, x)| {
        let t = i as f64 / RATE;
        let hum: f32 = PARTIALS.iter().map(|(hz, a)| a * sinf(TAU * (hz * t).fract() as f32)).sum();
        x + gain * hum
    }))
}

/// Amplifies until this share of the samples is at full scale.
fn clipped(sound: &[f32], share: f64) -> Vec<f32> {
    let mut sizes: Vec<f32> = sound.iter().map(|x| x.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    let limit = sizes.get((sizes.len() as f64 * (1.0 - share)) as usize).copied().unwrap_or(0.0);
    // Near silence there is nothing to clip.
    let gain = if limit > 0.0 { 1.0 / limit } else { 1.0 };
    sixteen_bit(sound.iter().map(|x| gain * x))
}

fn quieter(sound: &[f32], by_db: f32) -> Vec<f32> {
    let gain = factor(by_db);
    sixteen_bit(sound.iter().map(|x| gain * x))
}

fn factor(db: f32) -> f32 {
    exp10f(db / 20.0)
}

fn rms(sound: &[f32]) -> f32 {
    let sum: f64 = sound.iter().map(|x| f64::from(x * x)).sum();
    (sum / sound.len().max(1) as f64).sqrt() as f32
}

/// Rounds and clips like a 16-bit converter.
fn sixteen_bit(sound: impl Iterator<Item = f32>) -> Vec<f32> {
    const STEPS: f32 = 32_768.0;
    sound.map(|x| (x * STEPS).round().clamp(-STEPS, STEPS - 1.0) / STEPS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone() -> Vec<f32> {
        (0..16_000).map(|i| (0.2 * sinf(TAU * 0.031 * i as f32) * STEPS).round() / STEPS).collect()
    }

    const STEPS: f32 = 32_768.0;

    fn spoiled(name: &str, sound: &[f32]) -> Vec<f32> {
        FAULTS.iter().find(|(n, _)| *n == name).expect("a fault of this name").1(sound)
    }

    fn added_db(name: &str, sound: &[f32]) -> f32 {
        let added: Vec<f32> = spoiled(name, sound).iter().zip(sound).map(|(y, x)| y - x).collect();
        20.0 * (rms(&added) / rms(sound)).log10()
    }

    #[test]
    fn each_is_always_the_same_in_steps_of_sixteen_bit_and_within_range() {
        let tone = tone();
        for (name, spoil) in FAULTS {
            let out = spoil(&tone);
            assert_eq!(out, spoil(&tone), "{name}");
            assert_eq!(out.len(), tone.len(), "{name}");
            assert!(out.iter().all(|x| (-1.0..1.0).contains(x) && (x * STEPS).fract() == 0.0), "{name}");
            assert_ne!(out, tone, "{name}");
            assert!(spoil(&[]).is_empty(), "{name}");
        }
    }

    #[test]
    fn added_noise_has_its_stated_level() {
        let tone = tone();
        for (name, db) in
            [("noise 20 dB below", -20.0), ("noise 10 dB below", -10.0), ("hum 10 dB below", -10.0)]
        {
            assert!((added_db(name, &tone) - db).abs() < 0.1, "{name}: {}", added_db(name, &tone));
            assert!(spoiled(name, &[0.0; 100]).iter().all(|x| *x == 0.0), "{name} of nothing");
        }
    }

    #[test]
    fn a_twentieth_is_clipped_and_quiet_is_quiet() {
        let tone = tone();
        let out = spoiled("loudest 5 % clipped", &tone);
        let full = out.iter().filter(|x| x.abs() > 0.9999).count();
        assert!((700..=900).contains(&full), "{full} of 16,000");
        for (name, factor) in [("level -20 dB", 0.1), ("level -40 dB", 0.01)] {
            let ratio = rms(&spoiled(name, &tone)) / rms(&tone);
            assert!((ratio / factor - 1.0).abs() < 0.01, "{name}: {ratio}");
        }
        let mean = spoiled("offset 0.2", &tone).iter().sum::<f32>() / 16_000.0;
        assert!((mean - 0.2).abs() < 1e-3, "{mean}");
    }
}
