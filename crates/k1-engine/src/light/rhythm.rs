//! The beat at the time of a frame: between snapshots and ahead of them.

use crate::audio::Snapshot;
use crate::math::{fract, nearest, smoothstep};

/// Trust below which onsets drive the light instead of beats.
const TRUSTED: f32 = 0.35;
/// Gain of a downbeat in a trusted bar, and loss of its other beats.
const STRONGER: f32 = 0.35;
const WEAKER: f32 = 0.15;

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
    /// Strength of an event in this frame: a trusted beat, 0 … 1 times its [accent](Self::accent), or an onset while
    /// the beat is not trusted, 0 … 1.
    pub hit: Option<f32>,
    /// Number of beats so far, for colours that change with each beat.
    pub count: u32,
    /// Place of the current beat in its bar: 0 for the downbeat. Counts to four while the bar is unknown.
    pub place: u32,
    /// Trust in the bar, 0 … 1: the confidence of the downbeats, smoothed and stretched to the range that matters for
    /// light. 0 while the bar is unknown.
    pub bar_trust: f32,
    /// True if the place of the current beat comes from the ear.
    is_placed: bool,
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
        place: 0,
        bar_trust: 0.0,
        is_placed: false,
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
        // A snapshot much older than a beat has lost its meaning.
        let age = now_us.saturating_sub(sound.captured_us).min(2_000_000) as f32 * 1e-6;
        if heard {
            // The phase according to the ear.
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
                // The place changes with the beat only, so that a change of mind does not show within one.
                let number = if heard { sound.beat_of_bar_after(rate * age - (phase - 1.0)) } else { None };
                self.is_placed = number.is_some();
                self.place = number.map_or(self.count % 4, |n| n - 1);
            }
        } else if phase < 0.0 && before >= 0.0 {
            // The phase was pulled back over a beat that was already shown. The refractory time keeps it from showing
            // twice.
            phase += 1.0;
        }
        self.phase = fract(phase);

        let target = if heard { smoothstep(0.05, 0.4, sound.confidence) } else { 0.0 };
        let keep = crate::math::decay(dt, 0.5);
        self.trust = target + (self.trust - target) * keep;
        let is_counted = heard && self.is_placed && sound.beats_per_bar > 0;
        let target = if is_counted { smoothstep(0.3, 0.7, sound.bar_confidence) } else { 0.0 };
        self.bar_trust = target + (self.bar_trust - target) * keep;
        let new_onset = sound.onsets != self.seen_onsets;
        let first = self.seen_sequence == 0;
        self.seen_onsets = sound.onsets;
        self.seen_sequence = sound.sequence;
        self.hit = match self.beat {
            Some(_) if self.trust > TRUSTED => Some((0.5 + 0.5 * self.trust) * self.accent()),
            _ if new_onset && !first && self.trust <= TRUSTED => Some(0.3 + 0.7 * sound.onset),
            _ => None,
        };
    }

    /// How strongly the current beat is a downbeat, 0 … 1: the [trust in the bar](Self::bar_trust) on its first beat; 0
    /// on the others and while the bar is unknown.
    pub fn downbeat(&self) -> f32 {
        if self.is_placed && self.place == 0 { self.bar_trust } else { 0.0 }
    }

    /// Factor for the light of the current beat, 0.85 … 1.35: above 1 on the downbeat, below 1 on the other beats of a
    /// bar, and 1 while the bar is unknown.
    pub fn accent(&self) -> f32 {
        match (self.is_placed, self.place) {
            (false, _) => 1.0,
            (true, 0) => 1.0 + STRONGER * self.bar_trust,
            (true, _) => 1.0 - WEAKER * self.bar_trust,
        }
    }

    /// An envelope that is highest on the beat and falls until the next: `(1 − phase)^sharpness`, weighted by trust and
    /// by the [accent](Self::accent).
    pub fn beat_envelope(&self, sharpness: f32) -> f32 {
        crate::math::pow(1.0 - self.phase, sharpness) * (self.trust * self.accent())
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

    /// Runs the rhythm at `fps` for 8 s against an exact ear at 120 BPM that announces bars from `known_s` on. The first
    /// beat, at 0 s, is a downbeat. Returns the time, place and accent of each beat shown, and the strength of its hit.
    fn bars_at(fps: f32, beats_per_bar: u32, known_s: f32) -> Vec<(f32, u32, f32, f32)> {
        let mut r = Rhythm::default();
        let mut out = Vec::new();
        for i in 1..=(fps * 8.0) as usize {
            let now = i as f32 / fps;
            let hop = (now / 0.008).floor() * 0.008;
            let is_known = now > known_s;
            let sound = Snapshot {
                sequence: i as u64,
                captured_us: (hop * 1e6) as u64,
                bpm: 120.0,
                beat_phase: fract(hop * 2.0),
                confidence: 0.9,
                silent: false,
                beats_per_bar: if is_known { beats_per_bar } else { 0 },
                bar_position: if is_known { (hop * 2.0) % beats_per_bar as f32 } else { 0.0 },
                bar_confidence: if is_known { 0.9 } else { 0.0 },
                ..Snapshot::EMPTY
            };
            r.step(&sound, (now * 1e6) as u64, 1.0 / fps);
            if let Some(late) = r.beat {
                out.push((now - late, r.place, r.accent(), r.hit.unwrap_or_default()));
            }
        }
        out
    }

    #[test]
    fn downbeats_are_stronger_at_any_frame_rate() {
        for fps in [30.0, 60.0, 120.0, 165.0] {
            for beats_per_bar in [3, 4] {
                for (t, place, accent, hit) in bars_at(fps, beats_per_bar, 2.2) {
                    let beat = (2.0 * t).round() as u32;
                    if t < 2.2 {
                        assert_eq!(accent, 1.0, "{t} s: the bar is unknown");
                    } else {
                        assert_eq!(place, beat % beats_per_bar, "{fps} FPS, {t} s");
                        assert!(if place == 0 { accent >= 1.0 } else { accent <= 1.0 }, "{t} s: {accent}");
                    }
                    if t > 5.0 {
                        let expected = if place == 0 { 1.35 } else { 0.85 };
                        assert!((accent - expected).abs() < 0.01, "{fps} FPS, {t} s: {accent}");
                        assert!((hit - expected).abs() < 0.02, "{fps} FPS, {t} s: a hit of {hit}");
                    }
                }
            }
        }
    }

    #[test]
    fn without_a_bar_every_beat_is_the_same_and_places_count_to_four() {
        let beats = bars_at(120.0, 4, 99.0);
        assert!(beats.len() > 14);
        for (before, (t, place, accent, _)) in beats.iter().zip(&beats[1..]) {
            assert_eq!((*accent, *place), (1.0, (before.1 + 1) % 4), "{t} s");
        }
        // A bar that is lost again loses its accent.
        let mut r = Rhythm::default();
        let mut sound =
            Snapshot { sequence: 1, bpm: 120.0, confidence: 0.9, silent: false, ..Snapshot::EMPTY };
        let mut play = |seconds: std::ops::Range<u64>, beats_per_bar: u32| {
            for now_us in (1_000_000 * seconds.start..1_000_000 * seconds.end).step_by(8_000) {
                let beat = now_us as f32 * 2e-6;
                sound.captured_us = now_us;
                sound.beat_phase = fract(beat);
                sound.beats_per_bar = beats_per_bar;
                sound.bar_position = if beats_per_bar > 0 { beat % beats_per_bar as f32 } else { 0.0 };
                sound.bar_confidence = if beats_per_bar > 0 { 0.8 } else { 0.0 };
                r.step(&sound, now_us, 0.008);
            }
            (r.place, r.downbeat(), r.accent(), r.bar_trust)
        };
        let (place, downbeat, accent, _) = play(0..8, 3);
        assert!(place == 0 && downbeat > 0.99 && accent > 1.3, "{place} {downbeat} {accent}");
        let (_, downbeat, accent, trust) = play(8..16, 0);
        assert_eq!((downbeat, accent), (0.0, 1.0));
        assert!(trust < 1e-3, "{trust}");
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
