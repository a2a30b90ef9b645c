//! A cheap microphone in a real room.

use std::f32::consts::TAU;

use libm::sinf;

use super::chance::Chance;
use super::mixer::RATE;

/// The sound as such a microphone delivers it: without bass, with reflections of the room, mains hum and noise,
/// clipped at its loudest, and at a low level.
pub(super) fn microphone(sound: &[f32], seed: u64) -> Vec<f32> {
    let mut chance = Chance::new(seed);
    // Early reflections: delay in samples (13 to 41 ms) and gain.
    const ECHOES: [(usize, f32); 4] = [(211, 0.35), (337, 0.3), (467, 0.2), (659, 0.15)];
    let loudest = sound.iter().fold(1e-9_f32, |m, x| m.max(x.abs()));
    let (mut low, mut smooth) = (0.0, 0.0);
    (0..sound.len())
        .map(|i| {
            let wet: f32 =
                ECHOES.iter().filter_map(|(d, gain)| Some(gain * sound.get(i.checked_sub(*d)?)?)).sum();
            let x = (sound[i] + wet) / loudest;
            // A high-pass at 160 Hz and a low-pass at 4 kHz, one pole each.
            low += 0.061 * (x - low);
            smooth += 0.79 * (x - low - smooth);
            let clipped = (3.0 * smooth).clamp(-0.8, 0.8);
            let t = i as f64 / RATE;
            let hum = sinf(TAU * (50.0 * t).fract() as f32) + 0.4 * sinf(TAU * (150.0 * t).fract() as f32);
            0.06 * (clipped + 0.08 * hum + 0.09 * chance.noise())
        })
        .collect()
}
