//! What the ear announces, when it does.

use k1_engine::audio::Ear;
use k1_engine::{HOP, SAMPLE_RATE};

/// A tempo is announced again when it has moved by this much, as `k1 analyze` does, in beats per minute.
const TEMPO_STEP_BPM: f32 = 0.5;

/// A beat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beat {
    /// When it is, in seconds of sound.
    pub t: f64,
    /// How many seconds of sound had been handed to the ear when it was announced.
    pub at: f64,
}

/// A tempo that holds from now on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tempo {
    /// How many seconds of sound had been handed to the ear.
    pub at: f64,
    /// Beats per minute, more than 0.
    pub bpm: f64,
}

/// All that was announced.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// In the order of their announcement.
    pub beats: Vec<Beat>,
    /// Rising in time.
    pub tempi: Vec<Tempo>,
}

/// Plays `samples` (16 kHz) to a fresh ear. It gets one hop at a time and never one that has not been counted: what is
/// announced is announced at the number of samples that it was given, whatever its own clock may say.
pub fn listen(samples: &[f32]) -> Heard {
    let mut ear = Box::new(Ear::new());
    let mut heard = Heard::default();
    let mut bpm = 0.0_f32;
    let mut given = 0;
    for hop in samples.chunks(HOP) {
        given += hop.len();
        let at = given as f64 / f64::from(SAMPLE_RATE);
        ear.feed(hop, |snapshot, now| {
            if (snapshot.bpm - bpm).abs() > TEMPO_STEP_BPM {
                bpm = snapshot.bpm;
                if bpm > 0.0 {
                    heard.tempi.push(Tempo { at, bpm: f64::from(bpm) });
                }
            }
            if let Some((seconds, _)) = now.beat_in {
                heard.beats.push(Beat { t: at + f64::from(seconds), at });
            }
        });
    }
    heard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_announced_does_not_depend_on_what_comes_after() {
        let beat = SAMPLE_RATE as usize / 2;
        let mut clicks: Vec<f32> =
            (0..16 * beat).map(|i| if i % beat < 80 { 0.5 * (i as f32 * 0.9).sin() } else { 0.0 }).collect();
        let whole = listen(&clicks);
        assert!(whole.beats.len() > 8 && !whole.tempi.is_empty(), "{whole:?}");
        let cut = 5 * SAMPLE_RATE as usize;
        clicks[cut..].fill(0.1);
        let other = listen(&clicks);
        let before = |heard: &Heard| {
            let beats: Vec<Beat> = heard.beats.iter().copied().filter(|b| b.at <= 5.0).collect();
            let tempi: Vec<Tempo> = heard.tempi.iter().copied().filter(|t| t.at <= 5.0).collect();
            (beats, tempi)
        };
        assert_eq!(before(&whole), before(&other));
    }
}
