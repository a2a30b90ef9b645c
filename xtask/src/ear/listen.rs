//! What the ear announces, when it does.

use k1_engine::audio::{BINS, CHROMA, CONFIDENCE_FEATURES, Ear, FEATURES};
use k1_engine::{HOP, SAMPLE_RATE};

/// A tempo is announced again when it has moved by this much, as `k1 analyze` does, in beats per minute.
const TEMPO_STEP_BPM: f32 = 0.5;
/// Every so many hops a moment is kept: 96 ms, about as long as its smoothing.
const MOMENT_HOPS: usize = 12;

/// A beat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beat {
    /// When it is, in seconds of sound.
    pub t: f64,
    /// How many seconds of sound had been handed to the ear when it was announced.
    pub at: f64,
    /// Confidence with which it was announced, 0 … 1; `None` of an ear that tells none.
    pub confidence: Option<f64>,
}

/// A tempo that holds from now on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tempo {
    /// How many seconds of sound had been handed to the ear.
    pub at: f64,
    /// Beats per minute, more than 0.
    pub bpm: f64,
}

/// The beginning of a note.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Onset {
    /// When it was, in seconds of sound.
    pub t: f64,
    /// How many seconds of sound had been handed to the ear when it was reported.
    pub at: f64,
}

/// What the light sees of the sound at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// How many seconds of sound had been handed to the ear.
    pub at: f64,
    /// Nothing rises above the noise floor.
    pub silent: bool,
    /// Loudness, 0 … 1.
    pub level: f32,
    /// The smoothed spectrum, 0 … 1 in each bin.
    pub spectrum: [f32; BINS],
    /// The pitch classes from C on, 0 … 1.
    pub chroma: [f32; CHROMA],
}

/// All that was announced.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// In the order of their announcement.
    pub beats: Vec<Beat>,
    /// Rising in time.
    pub tempi: Vec<Tempo>,
    /// In the order of their report.
    pub onsets: Vec<Onset>,
    /// Of each hop the onset strength of low, middle and high sound, 0 … 1.
    pub bands: Vec<[f32; 3]>,
    /// Every [`MOMENT_HOPS`] hops one.
    pub moments: Vec<Moment>,
    /// Of each announced beat what its confidence was judged by.
    pub confidence_features: Vec<[i16; CONFIDENCE_FEATURES]>,
    /// Of each hop what it was judged by, and whether it was silent.
    pub features: Vec<([i16; FEATURES], bool)>,
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
        let mut is_silent = None;
        ear.feed(hop, |s, now| {
            if (s.bpm - bpm).abs() > TEMPO_STEP_BPM {
                bpm = s.bpm;
                if bpm > 0.0 {
                    heard.tempi.push(Tempo { at, bpm: f64::from(bpm) });
                }
            }
            if let Some((seconds, confidence)) = now.beat_in {
                let confidence = Some(f64::from(confidence));
                heard.beats.push(Beat { t: at + f64::from(seconds), at, confidence });
            }
            if let Some(ago) = now.onset_ago {
                heard.onsets.push(Onset { t: at - f64::from(ago), at });
            }
            heard.bands.push(s.onset_bands);
            if heard.bands.len().is_multiple_of(MOMENT_HOPS) {
                let (silent, level, spectrum, chroma) = (s.silent, s.level, s.smooth, s.chroma);
                heard.moments.push(Moment { at, silent, level, spectrum, chroma });
            }
            is_silent = Some(s.silent);
        });
        // A hop is handed over whole, so that it is the last that was judged.
        if let Some(is_silent) = is_silent {
            heard.features.push((ear.features(), is_silent));
            heard.confidence_features.resize(heard.beats.len(), ear.confidence_features());
        }
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
        assert!(whole.beats.len() > 8 && !whole.tempi.is_empty(), "{:?}", whole.beats);
        assert!(whole.onsets.len() > 8 && whole.moments.len() == 83, "{:?}", whole.onsets);
        let cut = 5 * SAMPLE_RATE as usize;
        clicks[cut..].fill(0.1);
        let other = listen(&clicks);
        let before = |heard: &Heard| {
            let beats: Vec<Beat> = heard.beats.iter().copied().filter(|b| b.at <= 5.0).collect();
            let tempi: Vec<Tempo> = heard.tempi.iter().copied().filter(|t| t.at <= 5.0).collect();
            let onsets: Vec<Onset> = heard.onsets.iter().copied().filter(|o| o.at <= 5.0).collect();
            let moments: Vec<Moment> = heard.moments.iter().filter(|m| m.at <= 5.0).cloned().collect();
            (beats, tempi, onsets, moments)
        };
        assert_eq!(before(&whole), before(&other));
    }
}
