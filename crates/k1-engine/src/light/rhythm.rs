//! The beat at the time of a frame: between snapshots and ahead of them.

use crate::audio::Snapshot;
use crate::math::{fract, nearest, smoothstep};

/// Trust below which onsets drive the light instead of beats.
const TRUSTED: f32 = 0.35;

/// The beat and onset events of one frame, and its phase in the beat.
///
/// Beats come from their *predicted* time, so that the light is not late.
#[derive(Clone, Debug)]
pub struct Rhythm {
    /// Phase in the beat: 0 on the beat, approaching 1 before the next. Without a tempo it advances at
    /// [`REST_BPM`](Self::REST_BPM), for slow motion.
    pub phase: f32,
    /// Tempo of [`phase`](Self::phase) in beats per minute; never 0.
    pub bpm: f32,
    /// Trust in the beat, 0 … 1: the confidence, smoothed and stretched to the range that matters for light.
    pub trust: f32,
    /// A beat fell into this frame, this many seconds ago.
    pub beat: Option<f32>,
    /// Strength (0 … 1) of an event in this frame: a trusted beat, or an onset while the beat is not trusted.
    pub hit: Option<f32>,
    /// Number of beats so far, for colours that change with each beat.
    pub count: u32,
    since_beat: f32,
    seen_onsets: u32,
    seen_sequence: u64,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { bpm: Self::REST_BPM, since_beat: 10.0, ..Self::BLANK }
    }
}

impl Rhythm {
    /// All zeros.
    pub(crate) const BLANK: Self = Self {
        phase: 0.0,
        bpm: 0.0,
        trust: 0.0,
        beat: None,
        hit: None,
        count: 0,
        since_beat: 0.0,
        seen_onsets: 0,
        seen_sequence: 0,
    };

    /// Tempo of the phase without a beat, in beats per minute.
    pub const REST_BPM: f32 = 30.0;

    /// Advances by `dt` seconds to the frame at `now_us`.
    pub fn step(&mut self, sound: &Snapshot, now_us: u64, dt: f32) {
        let heard = sound.bpm > 0.0 && !sound.silent;
        self.bpm = if heard { sound.bpm } else { Self::REST_BPM };
        let rate = self.bpm / 60.0;
        let before = self.phase;
        let mut phase = self.phase + rate * dt;
        if heard {
            // The phase according to the ear. A snapshot much older than a beat has lost its meaning.
            let age = now_us.saturating_sub(sound.captured_us).min(2_000_000) as f32 * 1e-6;
            let mut error = fract(sound.beat_phase + rate * age) - phase;
            error -= nearest(error);
            // Small errors are corrected within a few frames. A large one means a new tempo or song: jump.
            phase += if error.abs() > 0.15 { error } else { error * (1.0 - crate::math::decay(dt, 0.03)) };
        }
        self.since_beat += dt;
        self.beat = None;
        if phase >= 1.0 {
            let late = (phase - 1.0) / rate;
            if self.since_beat > 0.4 / rate {
                self.since_beat = late;
                self.count = self.count.wrapping_add(1);
                if heard {
                    self.beat = Some(late.min(dt));
                }
            }
        } else if phase < 0.0 && before >= 0.0 {
            // The phase was pulled back over a beat that was already shown. The refractory time keeps it from showing
            // twice.
            phase += 1.0;
        }
        self.phase = fract(phase);

        let target = if heard { smoothstep(0.05, 0.4, sound.confidence) } else { 0.0 };
        self.trust = target + (self.trust - target) * crate::math::decay(dt, 0.5);
        let new_onset = sound.onsets != self.seen_onsets;
        let first = self.seen_sequence == 0;
        self.seen_onsets = sound.onsets;
        self.seen_sequence = sound.sequence;
        self.hit = match self.beat {
            Some(_) if self.trust > TRUSTED => Some(0.5 + 0.5 * self.trust),
            _ if new_onset && !first && self.trust <= TRUSTED => Some(0.3 + 0.7 * sound.onset),
            _ => None,
        };
    }

    /// An envelope that is 1 on the beat and falls until the next: `(1 − phase)^sharpness`, weighted by trust.
    pub fn beat_envelope(&self, sharpness: f32) -> f32 {
        crate::math::pow(1.0 - self.phase, sharpness) * self.trust
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the rhythm at `fps` against an exact ear at 120 BPM. Returns the times of the beats shown.
    fn beats_at(fps: f32) -> Vec<f32> {
        let mut r = Rhythm::default();
        let mut out = Vec::new();
        for i in 1..=(fps * 6.0) as usize {
            let now = i as f32 / fps;
            let hop = (now / 0.008).floor() * 0.008;
            let sound = Snapshot {
                sequence: i as u64,
                captured_us: (hop * 1e6) as u64,
                bpm: 120.0,
                beat_phase: fract(hop * 2.0),
                confidence: 0.9,
                silent: false,
                ..Snapshot::EMPTY
            };
            r.step(&sound, (now * 1e6) as u64, 1.0 / fps);
            if let Some(late) = r.beat {
                out.push(now - late);
            }
        }
        out
    }

    #[test]
    fn beats_land_on_the_beat_at_any_frame_rate() {
        for fps in [30.0, 60.0, 120.0, 165.0] {
            let beats = beats_at(fps);
            let late: Vec<_> = beats.iter().filter(|t| **t > 1.0).collect();
            assert!((10..=11).contains(&late.len()), "{fps}: {beats:?}");
            for t in late {
                let off = (t + 0.25) % 0.5 - 0.25;
                assert!(off.abs() < 0.004, "{fps} FPS: beat at {t}");
            }
        }
    }

    #[test]
    fn silence_has_no_beats_and_onsets_lead_without_trust() {
        let mut r = Rhythm::default();
        let mut sound = Snapshot { sequence: 1, ..Snapshot::EMPTY };
        for i in 0..1000 {
            r.step(&sound, i * 8_333, 1.0 / 120.0);
            assert_eq!((r.beat, r.hit), (None, None));
        }
        sound.silent = false;
        sound.onset = 1.0;
        sound.onsets = 1;
        r.step(&sound, 8_400_000, 1.0 / 120.0);
        assert_eq!(r.hit, Some(1.0));
        r.step(&sound, 8_408_000, 1.0 / 120.0);
        assert_eq!(r.hit, None, "one onset is one hit");
    }
}
