//! Straight eighths at any tempo: slow music whose eighths can pass for the beats of twice the tempo.

use super::Piece;
use super::grid::Grid;
use super::mixer::Mixer;
use super::note::Drum::{Hat, Kick, OpenHat, Snare};
use super::pieces::{ROCK, Stroke, bass_line, comp, drums, steady};

/// The instruments that play the eighths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eighths {
    /// A kick on each beat and a hat in between.
    KickAndHat,
    /// A backbeat with hats on all eighths and a bass that follows them.
    Rock,
    /// The same at half the pace: kick on the first beat, snare on the third.
    HalfTime,
    /// A kick on each beat, an open hat and the bass in between.
    OffBeatBass,
    /// Chords on all eighths, without drums.
    Chords,
}

impl Eighths {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::KickAndHat, Self::Rock, Self::HalfTime, Self::OffBeatBass, Self::Chords];
}

const KICK_AND_HAT: &[Stroke] = &[(0.0, Kick, 1.0), (0.5, Hat, 0.35)];
const HALF_TIME: &[Stroke] = &[
    (0.0, Kick, 1.0),
    (0.0, Hat, 0.3),
    (0.5, Hat, 0.25),
    (1.0, Hat, 0.3),
    (1.5, Hat, 0.25),
    (2.0, Snare, 1.0),
    (2.0, Hat, 0.3),
    (2.5, Hat, 0.25),
    (3.0, Hat, 0.3),
    (3.5, Kick, 0.7),
    (3.5, Hat, 0.25),
];
const OFF_BEAT: &[Stroke] = &[(0.0, Kick, 1.0), (0.5, OpenHat, 0.35)];

/// 24 s of straight eighths at `bpm` beats per minute.
pub fn eighths(players: Eighths, bpm: f64) -> Piece {
    let (mut mixer, grid) = (Mixer::new(24.0, 40 + bpm as u64), Grid::steady(0.3, 23.6, bpm));
    let all: Vec<(f64, i32)> = (0..8).map(|n| (0.5 * f64::from(n), 0)).collect();
    match players {
        Eighths::KickAndHat => {
            drums(&mut mixer, &grid, 1, &[KICK_AND_HAT]);
            comp(&mut mixer, &grid, 4, &[0.0], 3.8, 0.05);
        }
        Eighths::Rock => {
            drums(&mut mixer, &grid, 4, &[ROCK]);
            bass_line(&mut mixer, &grid, 4, &all, 0.4);
        }
        Eighths::HalfTime => {
            drums(&mut mixer, &grid, 4, &[HALF_TIME]);
            bass_line(&mut mixer, &grid, 4, &[(0.0, 0), (1.5, 0), (2.0, 7), (3.5, 0)], 0.9);
        }
        Eighths::OffBeatBass => {
            drums(&mut mixer, &grid, 1, &[OFF_BEAT]);
            bass_line(&mut mixer, &grid, 4, &[(0.5, 0), (1.5, 0), (2.5, 12), (3.5, 0)], 0.4);
        }
        Eighths::Chords => {
            let at: Vec<f64> = all.iter().map(|(position, _)| *position).collect();
            comp(&mut mixer, &grid, 4, &at, 0.4, 0.12);
        }
    }
    steady(mixer, &grid)
}
