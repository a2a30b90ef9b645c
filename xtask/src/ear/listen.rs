//! What the ear announces, and when.

use k1_engine::audio::{BINS, CHROMA, CONFIDENCE_FEATURES, Ear};
use k1_engine::{HOP, SAMPLE_RATE};

/// A tempo is reported again when it has moved by this much, in beats per minute, as in `k1 analyze`.
const TEMPO_STEP_BPM: f32 = 0.5;
/// Distance of the kept moments in hops: 96 ms, about the time constant of the smoothing.
const MOMENT_HOPS: usize = 12;

/// Hops of a second.
const SECOND_HOPS: usize = 125;

/// A beat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beat {
    /// Time of the beat in seconds of sound.
    pub t: f64,
    /// Seconds of sound that the ear had received when it announced the beat.
    pub at: f64,
    /// Confidence in the beat, 0 … 1; `None` for trackers without one.
    pub confidence: Option<f64>,
    /// Place in the bar, 1 on the downbeat; `None` while unknown.
    pub position: Option<u32>,
    /// Confidence in this place, 0 … 1; `None` while unknown.
    pub bar: Option<f64>,
}

/// A tempo that holds from now on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tempo {
    /// Seconds of sound that the ear had received.
    pub at: f64,
    /// Beats per minute, more than 0.
    pub bpm: f64,
}

/// An onset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Onset {
    /// Time of the onset in seconds of sound.
    pub t: f64,
    /// Seconds of sound that the ear had received when it reported the onset.
    pub at: f64,
}

/// What a snapshot says of the sound at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// Seconds of sound that the ear had received.
    pub at: f64,
    /// Whether nothing exceeds the noise floor.
    pub silent: bool,
    /// Loudness after automatic gain, 0 … 1.
    pub level: f32,
    /// The smoothed spectrum, each bin 0 … 1.
    pub spectrum: [f32; BINS],
    /// The pitch classes from C on, 0 … 1.
    pub chroma: [f32; CHROMA],
}

/// Everything announced.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// Beats in the order of their announcement.
    pub beats: Vec<Beat>,
    /// Tempi, rising in time.
    pub tempi: Vec<Tempo>,
    /// Onsets in the order of their report.
    pub onsets: Vec<Onset>,
    /// Onset strength of low, middle and high sound in each hop, 0 … 1.
    pub bands: Vec<[f32; 3]>,
    /// One moment per [`MOMENT_HOPS`] hops.
    pub moments: Vec<Moment>,
    /// Features of the confidence once a second, also without beats.
    pub seconds: Vec<[i16; CONFIDENCE_FEATURES]>,
    /// Features of the confidence of each announced beat.
    pub confidence_features: Vec<[i16; CONFIDENCE_FEATURES]>,
}

/// Plays `samples` (16 kHz) to a new ear, one hop at a time. Announcements are dated by the number of samples that
/// the ear has received, whatever its own clock says.
pub fn listen(samples: &[f32]) -> Heard {
    let mut ear = Box::new(Ear::new());
    let mut heard = Heard::default();
    let mut bpm = 0.0_f32;
    let mut given = 0;
    for hop in samples.chunks(HOP) {
        given += hop.len();
        let at = given as f64 / f64::from(SAMPLE_RATE);
        ear.feed(hop, |s, now| {
            if (s.bpm - bpm).abs() > TEMPO_STEP_BPM {
                bpm = s.bpm;
                if bpm > 0.0 {
                    heard.tempi.push(Tempo { at, bpm: f64::from(bpm) });
                }
            }
            if let Some((seconds, confidence)) = now.beat_in {
                let confidence = Some(f64::from(confidence));
                let is_known = s.beats_per_bar > 0;
                let position = is_known.then_some(s.bar_position as u32 + 1);
                let bar = is_known.then_some(f64::from(s.bar_confidence));
                heard.beats.push(Beat { t: at + f64::from(seconds), at, confidence, position, bar });
            }
            if let Some(ago) = now.onset_ago {
                heard.onsets.push(Onset { t: at - f64::from(ago), at });
            }
            heard.bands.push(s.onset_bands);
            if heard.bands.len().is_multiple_of(MOMENT_HOPS) {
                let (silent, level, spectrum, chroma) = (s.silent, s.level, s.smooth, s.chroma);
                heard.moments.push(Moment { at, silent, level, spectrum, chroma });
            }
        });
        if heard.bands.len().is_multiple_of(SECOND_HOPS) {
            heard.seconds.push(ear.confidence_features());
        }
        heard.confidence_features.resize(heard.beats.len(), ear.confidence_features());
    }
    heard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_do_not_depend_on_later_sound() {
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
