//! Music with exactly known beats, and sound without beats.
//!
//! Pieces of half a minute, played by a few simple instruments (oscillators and noise from seeded generators, with
//! functions from `libm`), so that every machine hears the same samples. The truth about a piece is the grid on which
//! its notes were placed, never an analysis of its sound. Timing is human: notes are up to a few milliseconds off the
//! grid, and their loudness varies.

mod beatless;
mod chance;
mod cheap_microphone;
mod eighths;
mod faults;
mod grid;
mod instruments;
mod mixer;
mod note;
mod pieces;
mod song;

pub use beatless::BEATLESS;
pub use eighths::{Eighths, eighths};
pub use faults::{FAULTS, Fault};
pub use note::{Drum, Instrument, Note};
pub use pieces::PIECES;
pub use song::{Band, Form, Part, Song, song};

/// A piece of sound with the truth about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Piece {
    /// Mono, at the engine's 16 kHz, within −1 … 1.
    pub samples: Vec<f32>,
    /// Times of all beats in seconds from the first sample, rising; empty without beats.
    pub beats: Vec<f64>,
    /// Times in seconds at which the tempo changes or the music resumes.
    pub changes: Vec<f64>,
    /// Whether the tempo is constant.
    pub steady: bool,
    /// Every note with an onset, rising in time; other notes may mask some of them.
    pub notes: Vec<Note>,
}

/// The name of a piece, and the function that plays it, reproducibly.
pub type Entry = (&'static str, fn() -> Piece);

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = k1_engine::SAMPLE_RATE as f64;

    #[test]
    fn every_piece_is_always_the_same_and_within_range() {
        for (name, play) in PIECES.iter().chain(&BEATLESS) {
            let piece = play();
            assert_eq!(piece, play(), "{name}");
            let peak = piece.samples.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
            assert!(peak <= 1.0 && (peak > 0.02 || *name == "silence"), "{name}: peak {peak}");
            assert!((20.0..45.0).contains(&(piece.samples.len() as f64 / RATE)), "{name}");
        }
    }

    #[test]
    fn beats_rise_and_lie_within_the_sound() {
        for (name, play) in PIECES {
            let piece = play();
            let seconds = piece.samples.len() as f64 / RATE;
            assert!(piece.beats.len() > 25, "{name}");
            assert!(piece.beats.windows(2).all(|w| w[1] > w[0] + 0.25), "{name}");
            assert!(piece.beats.iter().chain(&piece.changes).all(|t| (0.0..seconds).contains(t)), "{name}");
        }
        assert!(BEATLESS.iter().all(|(_, play)| play().beats.is_empty()));
    }

    #[test]
    fn every_note_is_noted_where_it_is_heard() {
        for (name, play) in PIECES {
            let piece = play();
            let seconds = piece.samples.len() as f64 / RATE;
            assert!(piece.notes.len() >= piece.beats.len(), "{name}");
            assert!(piece.notes.windows(2).all(|w| w[0].at <= w[1].at), "{name}");
            assert!(piece.notes.iter().all(|n| (0.0..seconds).contains(&n.at)), "{name}");
        }
        // An isolated kick: silence before it, its beater in the first sample.
        let piece = four_on_the_floor();
        let lone = piece.notes.iter().enumerate().skip(1).find(|(k, n)| {
            n.instrument == Instrument::Drum(Drum::Kick)
                && piece.notes.get(k + 1).is_some_and(|next| next.at - n.at > 0.05)
                && n.at - piece.notes[k - 1].at > 0.1
        });
        let at = lone.expect("a kick of its own").1.at;
        assert!(energy(&piece.samples, at) > 3.0 * energy(&piece.samples, at - 0.032), "{at}");
    }

    fn four_on_the_floor() -> Piece {
        PIECES.iter().find(|(n, _)| *n == "four on the floor").expect("a piece of this name").1()
    }

    /// Energy of the 30 ms from `t` on.
    fn energy(samples: &[f32], t: f64) -> f32 {
        let from = (t * RATE) as usize;
        samples[from..].iter().take(480).map(|x| x * x).sum()
    }

    #[test]
    fn where_a_kick_is_on_every_beat_the_sound_is_louder_there_than_before() {
        for name in ["four on the floor", "ramp"] {
            let piece = PIECES.iter().find(|(n, _)| *n == name).expect("a piece of this name").1();
            let beats = piece.beats.iter().filter(|t| **t > 0.1);
            let louder = beats
                .clone()
                .filter(|t| energy(&piece.samples, **t - 0.005) > 2.0 * energy(&piece.samples, **t - 0.055));
            assert!(louder.count() as f64 > 0.9 * beats.count() as f64, "{name}");
        }
    }
}
