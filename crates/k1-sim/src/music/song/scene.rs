//! A scene: which instruments play what for how many bars.

use super::super::chance::Chance;
use super::super::mixer::Mixer;
use super::super::note::Drum::{Hat, Kick, OpenHat, Snare};
use super::super::pieces::Stroke;
use super::bands::{Line, Players};

/// A harmony: the bass root and the chord above it, in semitones from A2.
pub(super) type Harmony = (i32, [i32; 3]);

/// What is played in a scene. A field that is `None` or empty is silent.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) bars: usize,
    /// One harmony for each bar, repeated.
    pub(super) changes: Vec<Harmony>,
    pub(super) drums: &'static [Stroke],
    pub(super) bass: Line,
    /// Positions of chords in the bar in beats, and how long they last in beats.
    pub(super) chords: (&'static [f64], f64),
    pub(super) pad: bool,
    pub(super) lead: Line,
    /// Number of bars at the end over which a riser and a roll of the snare swell.
    pub(super) riser: usize,
    pub(super) gain: f32,
}

/// Largest deviation from the grid in seconds.
const SLOPPY: f64 = 0.004;

fn late(chance: &mut Chance) -> f64 {
    chance.between(-SLOPPY, SLOPPY)
}

impl Scene {
    /// Plays the scene from `from` s on.
    pub(super) fn play(
        &self,
        mixer: &mut Mixer,
        players: &Players,
        from: f64,
        beat_s: f64,
        beats_per_bar: usize,
    ) {
        let bar_s = beats_per_bar as f64 * beat_s;
        for bar in 0..self.bars {
            let start = from + bar as f64 * bar_s;
            let at = |position: f64| start + position * beat_s;
            let fill = bar % 4 == 3 && !self.drums.is_empty();
            for &(position, drum, gain) in self.drums {
                if position >= beats_per_bar as f64 || (fill && position >= beats_per_bar as f64 - 1.0) {
                    continue;
                }
                let gain = self.gain * gain * mixer.chance.between(0.8, 1.0) as f32;
                let at = at(position) + late(&mut mixer.chance);
                (players.hit)(mixer, drum, at, gain);
            }
            if fill {
                for sixteenth in 0..4 {
                    let position = beats_per_bar as f64 - 1.0 + 0.25 * f64::from(sixteenth);
                    let (at, gain) =
                        (at(position) + late(&mut mixer.chance), mixer.chance.between(0.4, 0.9) as f32);
                    (players.hit)(mixer, if sixteenth == 0 { Kick } else { Snare }, at, self.gain * gain);
                }
            }
            let (root, notes) = self.changes[bar % self.changes.len()];
            let inside = |position: &f64| *position < beats_per_bar as f64;
            for (position, above) in self.bass.iter().filter(|(position, _)| inside(position)) {
                let at = at(*position) + late(&mut mixer.chance);
                (players.bass)(mixer, at, 0.45 * beat_s, root + above, 0.28 * self.gain);
            }
            let (positions, length) = self.chords;
            for position in positions.iter().filter(|position| inside(position)) {
                let at = at(*position) + late(&mut mixer.chance);
                (players.chord)(mixer, at, length * beat_s, &notes, 0.1 * self.gain);
            }
            if self.pad {
                (players.pad)(mixer, start - 0.2, bar_s + 0.4, &notes, 0.07 * self.gain);
            }
            for (position, tone) in self.lead.iter().filter(|(position, _)| inside(position)) {
                let at = at(*position) + late(&mut mixer.chance);
                (players.lead)(mixer, at, notes[*tone as usize % 3] + 12, 0.12 * self.gain);
            }
        }
        if self.riser > 0 {
            let seconds = self.riser as f64 * bar_s;
            rise(mixer, players, from + self.bars as f64 * bar_s - seconds, seconds, beat_s);
        }
    }
}

/// A riser and a roll that doubles its pace twice.
fn rise(mixer: &mut Mixer, players: &Players, from: f64, seconds: f64, beat_s: f64) {
    let mut t = 0.0;
    while t < seconds - 0.01 {
        let share = t / seconds;
        let gain = 0.15 + 0.6 * share as f32;
        (players.hit)(mixer, Snare, from + t, gain);
        if share > 0.75 {
            (players.hit)(mixer, Hat, from + t, gain);
        }
        t += beat_s
            * if share < 0.5 {
                1.0
            } else if share < 0.75 {
                0.5
            } else {
                0.25
            };
    }
    let (mut low, mut lower) = (0.0_f32, 0.0_f32);
    mixer.add(from, seconds, |t, chance| {
        let share = t / seconds as f32;
        // A band of noise whose edges rise.
        let white = chance.noise();
        low += (0.1 + 0.75 * share) * (white - low);
        lower += (0.02 + 0.5 * share) * (low - lower);
        0.35 * (0.08 + share) * (low - lower)
    });
    let end = from + seconds;
    (players.hit)(mixer, OpenHat, end, 0.6);
}
