//! The known signal by which a lamp is judged, and the tape that a virtual lamp with a clock of its own hears it from.

use std::f32::consts::TAU;
use std::time::Duration;

use k1_engine::SAMPLE_RATE;

/// Music on the tape, in samples: a bar.
const MUSIC: usize = 2 * SAMPLE_RATE as usize;
/// Silence behind it, in samples.
const SILENCE: usize = 3 * SAMPLE_RATE as usize / 2;
/// How long the tape is; then it goes round.
pub const LENGTH: Duration = Duration::from_millis(((MUSIC + SILENCE) * 1_000 / SAMPLE_RATE as usize) as u64);

/// A sample of the music: a kick at 120 BPM over a chord.
pub fn music(i: u64) -> f32 {
    let t = i as f64 / f64::from(SAMPLE_RATE);
    let since_kick = (t * 2.0).fract() as f32 / 2.0;
    let wave = |hz: f64| ((t * hz).fract() as f32 * TAU).sin();
    let kick = 0.6 * (TAU * 55.0 * since_kick).sin() * (-since_kick * 18.0).exp();
    // A chord that changes every second, so that notes have something to do.
    let root = [220.0, 261.63, 329.63, 196.0][t as usize % 4];
    kick + 0.07 * (wave(root) + wave(root * 1.25) + wave(root * 1.5) + wave(root * 4.0))
}

/// The tape as the virtual lamp reads it: `TAPE`, number of samples u32, samples i16, little-endian.
pub fn bytes() -> Vec<u8> {
    let mut tape = b"TAPE".to_vec();
    tape.extend(((MUSIC + SILENCE) as u32).to_le_bytes());
    let loud = (0..MUSIC as u64).map(|i| (music(i).clamp(-1.0, 1.0) * 32_767.0) as i16);
    // The least that moves: a microphone which says the same all the time is a dead one.
    let quiet = (0..SILENCE).map(|i| (i / 3 % 2) as i16);
    tape.extend(loud.chain(quiet).flat_map(i16::to_le_bytes));
    tape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tape_is_music_and_silence_and_has_room_in_the_lamp() {
        let tape = bytes();
        let samples = tape[8..].chunks_exact(2).map(|s| i16::from_le_bytes([s[0], s[1]]));
        assert_eq!(u32::from_le_bytes(*tape[4..].first_chunk().unwrap()) as usize, samples.len());
        let rms = |part: std::ops::Range<usize>| {
            let all = samples.clone().skip(part.start).take(part.len());
            (all.map(|s| (f64::from(s) / 32_768.0).powi(2)).sum::<f64>() / part.len() as f64).sqrt()
        };
        assert!((0.1..0.5).contains(&rms(0..MUSIC)), "{}", rms(0..MUSIC));
        assert!((1e-6..1e-4).contains(&rms(MUSIC..MUSIC + SILENCE)), "{}", rms(MUSIC..MUSIC + SILENCE));
        assert_eq!(LENGTH.as_secs_f64(), 3.5);
        // From 0x80f0_1000 to 0x80fe_0000 in the lamp's memory.
        assert!(tape.len() <= 0xd_f000, "{}", tape.len());
    }
}
