#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

//! The built-in music: always the same, with sections, a break and a change of tempo.
//!
//! A small drum machine and a few plain voices, so that new users hear and see music without a file or a microphone. All
//! functions come from `libm`, so that every machine plays the same samples.

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;
use core::f32::consts::TAU;

use k1_engine::SAMPLE_RATE;

const RATE: f32 = SAMPLE_RATE as f32;

/// A stretch of the song.
struct Section {
    bars: u32,
    bpm: f32,
    /// The drum voices.
    drums: Drums,
    bass: bool,
    arpeggio: bool,
    pad: f32,
    lead: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Drums {
    None,
    Hats,
    Beat,
    Four,
}

const SONG: [Section; 7] = [
    Section { bars: 4, bpm: 112.0, drums: Drums::Beat, bass: true, arpeggio: true, pad: 0.0, lead: false },
    Section { bars: 8, bpm: 112.0, drums: Drums::Beat, bass: true, arpeggio: true, pad: 0.6, lead: true },
    // The break: drums and bass fall away, then there is half a bar of nothing.
    Section { bars: 4, bpm: 112.0, drums: Drums::None, bass: false, arpeggio: true, pad: 1.0, lead: false },
    Section { bars: 4, bpm: 126.0, drums: Drums::Hats, bass: true, arpeggio: true, pad: 0.5, lead: false },
    Section { bars: 16, bpm: 126.0, drums: Drums::Four, bass: true, arpeggio: true, pad: 0.6, lead: true },
    Section { bars: 4, bpm: 126.0, drums: Drums::Four, bass: true, arpeggio: false, pad: 0.3, lead: false },
    Section { bars: 2, bpm: 126.0, drums: Drums::None, bass: false, arpeggio: false, pad: 1.0, lead: false },
];
const BREAK: usize = 2;
const STEPS: u32 = 16;
/// Silence at the end of the song, in seconds.
const REST_S: f32 = 2.0;

/// Length of the song in seconds, after which it repeats.
pub const SONG_SECONDS: f32 = {
    let mut s = REST_S;
    let mut i = 0;
    while i < SONG.len() {
        s += SONG[i].bars as f32 * 240.0 / SONG[i].bpm;
        i += 1;
    }
    s
};

/// A minor, F, C, G: root of the bass and the chord above it, as semitones from A2 (110 Hz).
const CHORDS: [(i32, [i32; 3]); 4] =
    [(-12, [0, 3, 7]), (-16, [-4, 0, 3]), (-9, [3, 7, 10]), (-14, [-2, 2, 5])];
/// A tune over two bars: semitones from A4, or a rest.
const LEAD: [Option<i32>; 32] = {
    const O: Option<i32> = None;
    [
        Some(0),
        O,
        O,
        Some(3),
        O,
        O,
        Some(7),
        O,
        Some(5),
        O,
        O,
        O,
        Some(3),
        O,
        O,
        O,
        Some(-2),
        O,
        O,
        Some(0),
        O,
        O,
        Some(3),
        O,
        Some(2),
        O,
        O,
        O,
        O,
        O,
        O,
        O,
    ]
};

fn note(semitones_from_a2: i32) -> f32 {
    110.0 * libm::exp2f(semitones_from_a2 as f32 / 12.0)
}

#[derive(Clone, Copy, PartialEq)]
enum Tone {
    Kick,
    Snare,
    Hat { open: bool },
    Bass,
    Pluck,
    Pad,
    Lead,
}

#[derive(Clone, Copy)]
struct Voice {
    tone: Tone,
    hz: f32,
    gain: f32,
    /// Seconds since the start of the note.
    age: f32,
    /// Length of the note in seconds.
    length: f32,
    phase: f32,
    phase2: f32,
    low: f32,
    seed: u32,
}

impl Voice {
    fn noise(&mut self) -> f32 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 17;
        self.seed ^= self.seed << 5;
        self.seed as f32 / 2_147_483_648.0 - 1.0
    }

    /// The next sample; `None` when the note has died away.
    fn next(&mut self) -> Option<f32> {
        let t = self.age;
        self.age += 1.0 / RATE;
        let decay = |tau: f32| libm::expf(-t / tau);
        let sample = match self.tone {
            Tone::Kick => {
                let hz = 48.0 + 130.0 * decay(0.028);
                self.phase += hz / RATE;
                (self.phase * TAU).sin_lib() * decay(0.13) + 0.4 * self.noise() * decay(0.003)
            }
            Tone::Snare => {
                self.phase += 190.0 / RATE;
                let n = self.noise();
                self.low += 0.35 * (n - self.low);
                0.8 * (n - 0.6 * self.low) * decay(0.075) + 0.5 * (self.phase * TAU).sin_lib() * decay(0.05)
            }
            Tone::Hat { open } => {
                let n = self.noise();
                self.low += 0.75 * (n - self.low);
                (n - self.low) * decay(if open { 0.11 } else { 0.025 })
            }
            Tone::Bass => {
                let gate = edge(t, 0.004, self.length, 0.03);
                self.phase = (self.phase + self.hz / RATE) % 1.0;
                let saw = 2.0 * self.phase - 1.0;
                self.low += (0.05 + 0.14 * decay(0.12)) * (saw - self.low);
                self.low * gate
            }
            Tone::Pluck => {
                self.phase += self.hz / RATE;
                self.phase2 += self.hz * 2.0 / RATE;
                let body = (self.phase * TAU + 1.1 * decay(0.06) * (self.phase2 * TAU).sin_lib()).sin_lib();
                body * decay(0.16) * edge(t, 0.002, 1.0, 0.1)
            }
            Tone::Pad => {
                let gate = edge(t, 0.35, self.length, 0.5);
                self.phase = (self.phase + self.hz / RATE) % 1.0;
                self.phase2 = (self.phase2 + self.hz * 1.006 / RATE) % 1.0;
                let saws = self.phase + self.phase2 - 1.0;
                self.low += (0.10 + 0.04 * (t * 2.4).sin_lib()) * (saws - self.low);
                self.low * gate
            }
            Tone::Lead => {
                let gate = edge(t, 0.02, self.length, 0.12);
                let vibrato = 1.0 + 0.004 * (t * 5.5 * TAU).sin_lib() * (t * 4.0).min(1.0);
                self.phase += self.hz * vibrato / RATE;
                self.phase2 += self.hz * vibrato / RATE;
                let bright = 0.9 * decay(0.4) + 0.35;
                (self.phase * TAU + bright * (self.phase2 * TAU).sin_lib()).sin_lib() * gate
            }
        };
        let done = match self.tone {
            Tone::Kick | Tone::Snare => t > 0.7,
            Tone::Hat { .. } | Tone::Pluck => t > 1.0,
            Tone::Bass | Tone::Pad | Tone::Lead => t > self.length + 0.6,
        };
        (!done).then_some(sample * self.gain)
    }
}

trait SinLib {
    fn sin_lib(self) -> f32;
}

impl SinLib for f32 {
    fn sin_lib(self) -> f32 {
        libm::sinf(self)
    }
}

/// Rises within `attack`, holds for `length`, falls within `release` (seconds).
fn edge(t: f32, attack: f32, length: f32, release: f32) -> f32 {
    let up = (t / attack).min(1.0);
    let down = (1.0 - (t - length) / release).clamp(0.0, 1.0);
    up * down
}

/// A player of the song, which never ends.
#[derive(Clone)]
pub struct Demo {
    voices: Vec<Voice>,
    section: usize,
    step: u32,
    /// Samples until the next sixteenth.
    wait: f32,
    seed: u32,
    echo: Vec<f32>,
    echo_at: usize,
}

impl Default for Demo {
    fn default() -> Self {
        Self {
            voices: Vec::with_capacity(64),
            section: 0,
            step: 0,
            wait: 0.0,
            seed: 1,
            echo: vec![0.0; (RATE * 0.402) as usize],
            echo_at: 0,
        }
    }
}

impl Demo {
    fn play(&mut self, tone: Tone, hz: f32, gain: f32, length: f32) {
        self.seed = self.seed.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        // A phase that differs from note to note keeps chords from clicking in step.
        let phase = if matches!(tone, Tone::Pad) { (self.seed >> 8) as f32 / 16_777_216.0 } else { 0.0 };
        self.voices.push(Voice {
            tone,
            hz,
            gain,
            age: 0.0,
            length,
            phase,
            phase2: phase,
            low: 0.0,
            seed: self.seed | 1,
        });
    }

    /// Starts the notes of the sixteenth that begins now.
    fn trigger(&mut self) {
        let section = &SONG[self.section];
        let sixteenth = 15.0 / section.bpm;
        let bar = self.step / STEPS;
        let s = self.step % STEPS;
        // The last half bar of the break is silent.
        if self.section == BREAK && bar + 1 == section.bars && s >= STEPS / 2 {
            self.voices.retain(|v| v.tone == Tone::Pluck);
            return;
        }
        let (root, chord) = CHORDS[bar as usize % CHORDS.len()];
        let fill = bar % 8 == 7 && s >= 12;
        match section.drums {
            Drums::None => {}
            Drums::Hats => {
                if s % 4 == 2 {
                    self.play(Tone::Hat { open: false }, 0.0, 0.30, 0.0);
                }
                if s.is_multiple_of(8) {
                    self.play(Tone::Kick, 0.0, 0.65, 0.0);
                }
            }
            Drums::Beat => {
                if [0, 6, 10].contains(&s) {
                    self.play(Tone::Kick, 0.0, if s == 0 { 0.9 } else { 0.75 }, 0.0);
                }
                if s == 4 || s == 12 || fill {
                    self.play(Tone::Snare, 0.0, if fill { 0.35 } else { 0.5 }, 0.0);
                }
                if s.is_multiple_of(2) {
                    self.play(
                        Tone::Hat { open: s == 14 },
                        0.0,
                        if s.is_multiple_of(4) { 0.18 } else { 0.26 },
                        0.0,
                    );
                }
            }
            Drums::Four => {
                if s.is_multiple_of(4) {
                    self.play(Tone::Kick, 0.0, 0.95, 0.0);
                }
                if s == 4 || s == 12 || fill {
                    self.play(Tone::Snare, 0.0, if fill { 0.3 } else { 0.5 }, 0.0);
                }
                self.play(Tone::Hat { open: s % 4 == 2 }, 0.0, if s % 4 == 2 { 0.24 } else { 0.10 }, 0.0);
            }
        }
        if section.bass && [0, 3, 6, 8, 11, 14].contains(&s) {
            let octave = if s == 11 { 12 } else { 0 };
            self.play(Tone::Bass, note(root + octave), 0.55, sixteenth * 1.6);
        }
        if section.arpeggio && s.is_multiple_of(2) {
            let degree = [0, 1, 2, 1, 0, 2, 1, 2][(s / 2) as usize];
            let octave = if s % 8 == 4 { 36 } else { 24 };
            self.play(Tone::Pluck, note(chord[degree] + octave), 0.20, 0.0);
        }
        if section.pad > 0.0 && s == 0 {
            for semitone in chord {
                self.play(Tone::Pad, note(semitone + 12), 0.17 * section.pad, 14.0 * sixteenth);
            }
        }
        if section.lead
            && let Some(semitone) = LEAD[((bar % 2) * STEPS + s) as usize]
        {
            self.play(Tone::Lead, note(semitone + 24), 0.17, sixteenth * 2.6);
        }
    }

    /// Fills `out` with the next samples, mono at the engine's rate, −1 … 1.
    pub fn fill(&mut self, out: &mut [f32]) {
        out.iter_mut().for_each(|x| *x = self.next_sample());
    }

    fn next_sample(&mut self) -> f32 {
        if self.wait <= 0.0 {
            if self.section < SONG.len() {
                self.trigger();
                self.wait += 15.0 / SONG[self.section].bpm * RATE;
                self.step += 1;
                if self.step == SONG[self.section].bars * STEPS {
                    self.step = 0;
                    self.section += 1;
                }
            } else {
                self.section = 0;
                self.wait += REST_S * RATE;
            }
        }
        self.wait -= 1.0;
        let (mut dry, mut send) = (0.0, 0.0);
        self.voices.retain_mut(|v| {
            let Some(x) = v.next() else { return false };
            dry += x;
            if matches!(v.tone, Tone::Pluck | Tone::Lead) {
                send += x;
            }
            true
        });
        let echo = self.echo[self.echo_at];
        // A note that has died away is exactly silent.
        let fed = send + echo * 0.38;
        self.echo[self.echo_at] = if fed.abs() < 1e-6 { 0.0 } else { fed };
        self.echo_at = (self.echo_at + 1) % self.echo.len();
        let x = 0.75 * (dry + 0.35 * echo);
        // Gentle saturation instead of clipping.
        0.87 * x / (1.0 + 0.3 * x.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn song() -> Vec<f32> {
        let mut out = vec![0.0; (SONG_SECONDS * RATE) as usize];
        Demo::default().fill(&mut out);
        out
    }

    fn rms(x: &[f32]) -> f32 {
        (x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32).sqrt()
    }

    #[test]
    fn it_is_always_the_same_and_does_not_clip() {
        let (a, b) = (song(), song());
        assert_eq!(a, b);
        let peak = a.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
        assert!((0.5..0.999).contains(&peak), "peak {peak}");
        assert!(rms(&a[..32_000]) > 0.05, "it starts with music");
    }

    #[test]
    fn it_has_a_break_a_tempo_change_and_an_end() {
        let a = song();
        let at = |s: f32| (s * RATE) as usize;
        let bar = 240.0 / 112.0;
        let gap = 16.0 * bar - 0.25;
        assert!(rms(&a[at(gap)..at(gap + 0.2)]) < 0.02, "half a bar of nothing");
        assert!(rms(&a[at(gap + 0.3)..at(gap + 2.0)]) > 0.04, "and then it goes on");
        assert!(rms(&a[a.len() - 8_000..]) < 0.003, "the end is silent");
        assert!(SONG.windows(2).any(|w| w[0].bpm != w[1].bpm));
    }
}
