//! The known signal with which a lamp is judged, and a recording of it for a virtual lamp with its own clock.

use std::f32::consts::TAU;
use std::time::Duration;

use k1_device::tape::MARK;
use k1_engine::SAMPLE_RATE;

/// Duration of the music in the recording: one bar.
pub const MUSIC: Duration = Duration::from_millis(2_000);
/// Duration of the silence after it. Then the recording repeats.
pub const SILENCE: Duration = Duration::from_millis(1_500);

/// Number of samples in a time.
fn samples(time: Duration) -> u32 {
    (time.as_millis() * u128::from(SAMPLE_RATE) / 1_000) as u32
}

/// A sample of the music: a kick at 120 BPM over a chord.
pub fn music(i: u64) -> f32 {
    let t = i as f64 / f64::from(SAMPLE_RATE);
    let since_kick = (t * 2.0).fract() as f32 / 2.0;
    let wave = |hz: f64| ((t * hz).fract() as f32 * TAU).sin();
    let kick = 0.6 * (TAU * 55.0 * since_kick).sin() * (-since_kick * 18.0).exp();
    // The chord changes every second, so that the analysis of notes has something to hear.
    let root = [220.0, 261.63, 329.63, 196.0][t as usize % 4];
    kick + 0.07 * (wave(root) + wave(root * 1.25) + wave(root * 1.5) + wave(root * 4.0))
}

/// The recording in the format that the virtual lamp reads ([`k1_device::tape`]).
pub fn bytes() -> Vec<u8> {
    let (music_long, silence_long) = (samples(MUSIC), samples(SILENCE));
    let mut bytes = MARK.to_vec();
    bytes.extend((music_long + silence_long).to_le_bytes());
    let loud = (0..music_long).map(|i| (music(u64::from(i)).clamp(-1.0, 1.0) * 32_767.0) as i16);
    // The smallest change, because a microphone that always gives the same value counts as dead.
    let quiet = (0..silence_long).map(|i| (i / 3 % 2) as i16);
    bytes.extend(loud.chain(quiet).flat_map(i16::to_le_bytes));
    bytes
}

#[cfg(test)]
mod tests {
    use k1_device::tape::{END, HEAD, PLACE};

    use super::*;

    #[test]
    fn the_recording_is_music_and_silence_and_has_room_in_the_lamp() {
        let recording = bytes();
        let all = recording[HEAD..].chunks_exact(2).map(|s| i16::from_le_bytes([s[0], s[1]]));
        assert_eq!(u32::from_le_bytes(*recording[4..].first_chunk().unwrap()) as usize, all.len());
        assert_eq!(all.len(), 56_000, "3.5 s");
        let rms = |part: std::ops::Range<usize>| {
            let part_of = all.clone().skip(part.start).take(part.len());
            (part_of.map(|s| (f64::from(s) / 32_768.0).powi(2)).sum::<f64>() / part.len() as f64).sqrt()
        };
        assert!((0.1..0.5).contains(&rms(0..32_000)), "{}", rms(0..32_000));
        assert!((1e-6..1e-4).contains(&rms(32_000..56_000)), "{}", rms(32_000..56_000));
        assert!(recording.len() <= (END - PLACE) as usize, "{}", recording.len());
    }
}
