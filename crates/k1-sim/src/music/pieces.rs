//! The pieces: common grooves, changes of tempo, and hard cases.

use super::cheap_microphone::microphone;
use super::grid::Grid;
use super::instruments::{bass, chord, hit, pad, pluck};
use super::mixer::Mixer;
use super::note::Drum::{self, Hat, Kick, OpenHat, Ride, Snare};
use super::{Entry, Piece};

/// Every piece with a beat.
pub const PIECES: [Entry; 13] = [
    ("four on the floor", four_on_the_floor),
    ("rock", rock),
    ("swing", swing),
    ("breakbeat", breakbeat),
    ("waltz", waltz),
    ("pads", pads),
    ("off-beat", off_beat),
    ("tresillo", tresillo),
    ("sixteenths", sixteenths),
    ("tempo step", tempo_step),
    ("ramp", ramp),
    ("gap", gap),
    ("microphone", of_a_microphone),
];

/// A stroke: position in the bar in beats, drum, gain.
pub(super) type Stroke = (f64, Drum, f32);

/// The harmony A minor, F, C, G: bass root and chord above it, in semitones from A2.
const CHANGES: [(i32, [i32; 3]); 4] =
    [(-12, [12, 15, 19]), (-16, [8, 12, 15]), (-9, [15, 19, 22]), (-14, [10, 14, 17])];

/// Largest deviation from the grid in seconds.
const SLOPPY: f64 = 0.004;

const THIRD: f64 = 1.0 / 3.0;

/// Plays bars of drums over a grid. `strokes` holds one bar, or several consecutive ones.
pub(super) fn drums(mixer: &mut Mixer, grid: &Grid, beats_per_bar: usize, bars: &[&[Stroke]]) {
    for bar in 0..grid.len().div_ceil(beats_per_bar) {
        for &(position, drum, gain) in bars[bar % bars.len()] {
            let Some(at) = grid.at((bar * beats_per_bar) as f64 + position) else { continue };
            let at = at + mixer.chance.between(-SLOPPY, SLOPPY);
            let gain = gain * mixer.chance.between(0.8, 1.0) as f32;
            hit(mixer, drum, at, gain);
        }
    }
}

/// Calls `each` with every bar of a grid: the time of a position in the bar, the length of its first beat in seconds,
/// and the harmony.
fn bars(
    grid: &Grid,
    beats_per_bar: usize,
    mut each: impl FnMut(&dyn Fn(f64) -> Option<f64>, f64, (i32, [i32; 3])),
) {
    for bar in 0..grid.len().div_ceil(beats_per_bar) {
        let at = |position: f64| grid.at((bar * beats_per_bar) as f64 + position);
        let beat_s = at(0.0).zip(at(1.0)).map_or(0.5, |(from, to)| to - from);
        each(&at, beat_s, CHANGES[bar % CHANGES.len()]);
    }
}

/// Bass notes at positions of the bar (in beats, with the semitones above the root), each `length` beats long.
pub(super) fn bass_line(
    mixer: &mut Mixer,
    grid: &Grid,
    beats_per_bar: usize,
    notes: &[(f64, i32)],
    length: f64,
) {
    bars(grid, beats_per_bar, |at, beat_s, (root, _)| {
        for (position, above) in notes {
            if let Some(at) = at(*position) {
                let at = at + mixer.chance.between(-SLOPPY, SLOPPY);
                bass(mixer, at, length * beat_s, root + above, 0.25);
            }
        }
    });
}

/// Chords at positions of the bar, each `length` beats long.
pub(super) fn comp(
    mixer: &mut Mixer,
    grid: &Grid,
    beats_per_bar: usize,
    at_beats: &[f64],
    length: f64,
    gain: f32,
) {
    bars(grid, beats_per_bar, |at, beat_s, (_, notes)| {
        for position in at_beats {
            if let Some(at) = at(*position) {
                let at = at + mixer.chance.between(-SLOPPY, SLOPPY);
                chord(mixer, at, length * beat_s, &notes, gain);
            }
        }
    });
}

pub(super) fn steady(mixer: Mixer, grid: &Grid) -> Piece {
    let (notes, beats) = (mixer.notes(), grid.beats().to_vec());
    Piece { samples: mixer.mixed(0.6), beats, changes: Vec::new(), steady: true, notes }
}

pub(super) const FOUR: &[Stroke] = &[
    (0.0, Kick, 1.0),
    (0.5, OpenHat, 0.3),
    (1.0, Kick, 1.0),
    (1.0, Snare, 0.5),
    (1.5, OpenHat, 0.3),
    (2.0, Kick, 1.0),
    (2.5, OpenHat, 0.3),
    (3.0, Kick, 1.0),
    (3.0, Snare, 0.5),
    (3.5, OpenHat, 0.3),
    (3.75, Hat, 0.2),
];

pub(super) const ROCK: &[Stroke] = &[
    (0.0, Kick, 1.0),
    (0.0, Hat, 0.3),
    (0.5, Hat, 0.25),
    (1.0, Snare, 0.9),
    (1.0, Hat, 0.3),
    (1.5, Hat, 0.25),
    (2.0, Kick, 0.9),
    (2.0, Hat, 0.3),
    (2.5, Kick, 0.8),
    (2.5, Hat, 0.25),
    (3.0, Snare, 0.9),
    (3.0, Hat, 0.3),
    (3.5, OpenHat, 0.3),
];

fn four_on_the_floor() -> Piece {
    let (mut mixer, grid) = (Mixer::new(30.0, 1), Grid::steady(0.21, 29.5, 126.0));
    drums(&mut mixer, &grid, 4, &[FOUR]);
    bass_line(&mut mixer, &grid, 4, &[(0.5, 0), (1.5, 0), (2.5, 12), (3.5, 0)], 0.4);
    comp(&mut mixer, &grid, 4, &[0.0, 1.75], 1.2, 0.08);
    steady(mixer, &grid)
}

/// A backbeat with hats on the eighths.
fn rock() -> Piece {
    let (mut mixer, grid) = (Mixer::new(32.0, 2), Grid::steady(0.37, 31.5, 96.0));
    drums(&mut mixer, &grid, 4, &[ROCK]);
    bass_line(&mut mixer, &grid, 4, &[(0.0, 0), (0.5, 0), (1.5, 0), (2.0, 0), (2.5, 7), (3.5, 0)], 0.45);
    comp(&mut mixer, &grid, 4, &[0.0, 2.5], 1.4, 0.1);
    steady(mixer, &grid)
}

/// Ride and walking bass; the off-beat falls on two thirds, and the piano plays freely.
fn swing() -> Piece {
    const RIDE: &[Stroke] = &[
        (0.0, Ride, 0.6),
        (1.0, Ride, 0.7),
        (1.0, Hat, 0.4),
        (1.0 + 2.0 * THIRD, Ride, 0.4),
        (2.0, Ride, 0.6),
        (3.0, Ride, 0.7),
        (3.0, Hat, 0.4),
        (3.0 + 2.0 * THIRD, Ride, 0.4),
    ];
    const RIDE_AND_SNARE: &[Stroke] = &[
        (0.0, Ride, 0.6),
        (0.0 + 2.0 * THIRD, Snare, 0.2),
        (1.0, Ride, 0.7),
        (1.0, Hat, 0.4),
        (1.0 + 2.0 * THIRD, Ride, 0.4),
        (2.0, Ride, 0.6),
        (2.0 + 2.0 * THIRD, Kick, 0.4),
        (3.0, Ride, 0.7),
        (3.0, Hat, 0.4),
        (3.0 + 2.0 * THIRD, Ride, 0.4),
    ];
    let (mut mixer, grid) = (Mixer::new(30.0, 3), Grid::steady(0.3, 29.5, 148.0));
    drums(&mut mixer, &grid, 4, &[RIDE, RIDE_AND_SNARE]);
    bass_line(&mut mixer, &grid, 4, &[(0.0, 0), (1.0, 4), (2.0, 7), (3.0, 11)], 0.9);
    comp(&mut mixer, &grid, 4, &[0.0 + 2.0 * THIRD, 2.0 + 2.0 * THIRD], 0.5, 0.07);
    steady(mixer, &grid)
}

/// The snare answers between the beats.
fn breakbeat() -> Piece {
    const ONE: &[Stroke] = &[
        (0.0, Kick, 1.0),
        (0.0, Ride, 0.3),
        (0.5, Kick, 0.8),
        (0.5, Ride, 0.3),
        (1.0, Snare, 0.9),
        (1.0, Ride, 0.3),
        (1.5, Ride, 0.3),
        (1.75, Snare, 0.35),
        (2.0, Ride, 0.3),
        (2.25, Snare, 0.35),
        (2.5, Kick, 0.9),
        (2.5, Ride, 0.3),
        (2.75, Kick, 0.7),
        (3.0, Snare, 0.9),
        (3.0, Ride, 0.3),
        (3.5, Ride, 0.3),
        (3.75, Snare, 0.35),
    ];
    const TWO: &[Stroke] = &[
        (0.0, Ride, 0.3),
        (0.25, Snare, 0.35),
        (0.5, Kick, 0.9),
        (0.5, Ride, 0.3),
        (1.0, Snare, 0.9),
        (1.0, Ride, 0.3),
        (1.5, Ride, 0.3),
        (1.75, Snare, 0.35),
        (2.25, Snare, 0.35),
        (2.5, Kick, 0.9),
        (2.5, OpenHat, 0.5),
        (3.5, Snare, 0.9),
        (3.5, Ride, 0.3),
    ];
    let (mut mixer, grid) = (Mixer::new(32.0, 4), Grid::steady(0.25, 31.5, 134.0));
    drums(&mut mixer, &grid, 4, &[ONE, ONE, ONE, TWO]);
    bass_line(&mut mixer, &grid, 4, &[(0.0, 0), (2.5, 0)], 1.2);
    steady(mixer, &grid)
}

/// Three beats to the bar: bass, chord, chord.
fn waltz() -> Piece {
    const BRUSH: &[Stroke] = &[(0.0, Kick, 0.4), (1.0, Hat, 0.2), (2.0, Hat, 0.2)];
    let (mut mixer, grid) = (Mixer::new(30.0, 5), Grid::steady(0.33, 29.5, 132.0));
    drums(&mut mixer, &grid, 3, &[BRUSH]);
    bass_line(&mut mixer, &grid, 3, &[(0.0, 0)], 1.0);
    comp(&mut mixer, &grid, 3, &[1.0, 2.0], 0.6, 0.1);
    steady(mixer, &grid)
}

/// No drums: slow chords under a soft arpeggio in eighths.
fn pads() -> Piece {
    let (mut mixer, grid) = (Mixer::new(36.0, 6), Grid::steady(0.5, 35.0, 84.0));
    bars(&grid, 4, |at, beat_s, (root, notes)| {
        let Some(start) = at(0.0) else { return };
        pad(&mut mixer, start - 0.3, 4.4 * beat_s, &notes, 0.05);
        pad(&mut mixer, start - 0.3, 4.4 * beat_s, &[root], 0.08);
        for (eighth, tone) in [0, 1, 2, 1, 0, 2, 1, 2].into_iter().enumerate() {
            if let Some(at) = at(0.5 * eighth as f64) {
                let at = at + mixer.chance.between(-SLOPPY, SLOPPY);
                pluck(&mut mixer, at, notes[tone] + 12, if eighth % 2 == 0 { 0.07 } else { 0.045 });
            }
        }
    });
    steady(mixer, &grid)
}

/// The chords fall between the beats, and the kick on the third only.
fn off_beat() -> Piece {
    const ONE_DROP: &[Stroke] = &[
        (0.0, Hat, 0.2),
        (0.5, Hat, 0.15),
        (1.0, Hat, 0.2),
        (1.5, Hat, 0.15),
        (2.0, Kick, 1.0),
        (2.0, Snare, 0.5),
        (2.5, Hat, 0.15),
        (3.0, Hat, 0.2),
        (3.5, OpenHat, 0.15),
    ];
    let (mut mixer, grid) = (Mixer::new(36.0, 7), Grid::steady(0.4, 35.5, 78.0));
    drums(&mut mixer, &grid, 4, &[ONE_DROP]);
    bass_line(&mut mixer, &grid, 4, &[(0.0, 0), (0.75, 0), (1.5, 7), (3.0, 0)], 0.6);
    comp(&mut mixer, &grid, 4, &[0.5, 1.5, 2.5, 3.5], 0.3, 0.12);
    steady(mixer, &grid)
}

/// A kick on each beat, with a rhythm of three against it.
fn tresillo() -> Piece {
    const DEMBOW: &[Stroke] = &[
        (0.0, Kick, 1.0),
        (0.75, Snare, 0.6),
        (1.0, Kick, 0.8),
        (1.5, Snare, 0.7),
        (2.0, Kick, 1.0),
        (2.75, Snare, 0.6),
        (3.0, Kick, 0.8),
        (3.5, Snare, 0.7),
    ];
    let (mut mixer, grid) = (Mixer::new(32.0, 8), Grid::steady(0.45, 31.5, 94.0));
    drums(&mut mixer, &grid, 4, &[DEMBOW]);
    bass_line(&mut mixer, &grid, 4, &[(0.0, 0), (0.75, 0), (1.5, 7), (2.0, 0), (2.75, 0), (3.5, 7)], 0.5);
    comp(&mut mixer, &grid, 4, &[0.0, 1.5], 1.0, 0.07);
    steady(mixer, &grid)
}

/// Sixteenths throughout, and kicks that avoid the beat.
fn sixteenths() -> Piece {
    const FUNK: &[Stroke] = &[
        (0.0, Kick, 1.0),
        (0.0, Hat, 0.3),
        (0.25, Hat, 0.15),
        (0.5, Hat, 0.25),
        (0.75, Hat, 0.15),
        (0.75, Kick, 0.7),
        (1.0, Snare, 0.9),
        (1.0, Hat, 0.3),
        (1.25, Hat, 0.15),
        (1.5, OpenHat, 0.25),
        (1.75, Snare, 0.25),
        (2.0, Hat, 0.3),
        (2.25, Snare, 0.25),
        (2.5, Kick, 0.9),
        (2.5, Hat, 0.25),
        (2.75, Hat, 0.15),
        (3.0, Snare, 0.9),
        (3.0, Hat, 0.3),
        (3.25, Hat, 0.15),
        (3.5, Hat, 0.25),
        (3.75, Kick, 0.6),
        (3.75, Hat, 0.15),
    ];
    let (mut mixer, grid) = (Mixer::new(32.0, 9), Grid::steady(0.29, 31.5, 104.0));
    drums(&mut mixer, &grid, 4, &[FUNK]);
    bass_line(&mut mixer, &grid, 4, &[(0.0, 0), (0.75, 0), (1.5, 10), (2.5, 0), (3.25, 7), (3.75, 12)], 0.3);
    comp(&mut mixer, &grid, 4, &[0.5, 2.25], 0.3, 0.08);
    steady(mixer, &grid)
}

fn tempo_step() -> Piece {
    let mut mixer = Mixer::new(38.0, 10);
    let grid = Grid::new(0.4, 37.5, |t| if t < 18.0 { 98.0 } else { 122.0 });
    let change = grid.beats().iter().copied().find(|t| *t >= 18.0).unwrap_or(18.0);
    drums(&mut mixer, &grid, 4, &[ROCK]);
    bass_line(&mut mixer, &grid, 4, &[(0.0, 0), (1.5, 0), (2.0, 0), (3.5, 7)], 0.45);
    Piece { changes: vec![change], steady: false, ..steady(mixer, &grid) }
}

/// From 96 to 132 BPM within 22 s.
fn ramp() -> Piece {
    let mut mixer = Mixer::new(38.0, 11);
    let grid = Grid::new(0.4, 37.5, |t| 96.0 + 36.0 * ((t - 8.0) / 22.0).clamp(0.0, 1.0));
    drums(&mut mixer, &grid, 4, &[FOUR]);
    bass_line(&mut mixer, &grid, 4, &[(0.5, 0), (1.5, 0), (2.5, 12), (3.5, 0)], 0.4);
    Piece { steady: false, ..steady(mixer, &grid) }
}

/// A gap of 6 s, after which the music resumes on another grid.
fn gap() -> Piece {
    let mut mixer = Mixer::new(38.0, 12);
    let (before, after) = (Grid::steady(0.3, 15.5, 116.0), Grid::steady(21.83, 37.5, 116.0));
    for grid in [&before, &after] {
        drums(&mut mixer, grid, 4, &[ROCK]);
        bass_line(&mut mixer, grid, 4, &[(0.0, 0), (1.5, 0), (2.0, 0), (3.5, 7)], 0.45);
    }
    Piece {
        notes: mixer.notes(),
        samples: mixer.mixed(0.6),
        beats: [before.beats(), after.beats()].concat(),
        changes: vec![after.beats()[0]],
        steady: false,
    }
}

/// A band through a poor microphone across the room.
fn of_a_microphone() -> Piece {
    let (mut mixer, grid) = (Mixer::new(34.0, 13), Grid::steady(0.31, 33.5, 110.0));
    drums(&mut mixer, &grid, 4, &[ROCK]);
    bass_line(&mut mixer, &grid, 4, &[(0.0, 0), (0.5, 0), (1.5, 0), (2.0, 0), (2.5, 7), (3.5, 0)], 0.45);
    comp(&mut mixer, &grid, 4, &[0.0, 2.5], 1.4, 0.15);
    let piece = steady(mixer, &grid);
    Piece { samples: microphone(&piece.samples, 14), ..piece }
}
