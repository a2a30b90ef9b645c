//! Hearing: from samples to a [`Snapshot`], once every [`HOP`](crate::HOP) samples.
//!
//! ```text
//! samples ─▶ Conditioner ─▶ Loudness ─▶ ConstantQ ─▶ Chroma
//!             DC, gain,      dBFS,       64 semitones  12 notes
//!             faults         gate        └▶ OnsetDetector ─▶ BeatTracker ─▶ Snapshot
//! ```
//!
//! [`Ear`] runs the stages in this order; each is usable and tested alone.

mod accent;
mod chroma;
mod condition;
mod ear;
mod fourier;
mod level;
mod level_trees;
mod loudness;
mod onset;
#[cfg(test)]
mod places;
mod pulse;
mod snapshot;
mod spectrum;
#[allow(dead_code, reason = "what computes the tables is the build script's")]
mod tables;
mod tempo;
mod tempogram;
mod tree;
mod trust_trees;

pub use chroma::{CHROMA, Chroma, NOTE_NAMES};
pub use condition::{Conditioner, GAIN_RANGE, InputState};
pub use ear::{Ear, Heard};
pub use loudness::{Loudness, LoudnessReading, SILENT_DB};
pub use onset::{OnsetDetector, OnsetReading};
pub use snapshot::{SNAPSHOT_WORDS, Snapshot};
pub use spectrum::ConstantQ;
pub use tables::{BINS, GROUP_EDGES_HZ, LOOKS, LOWEST_HZ, Q, TEMPI, TRUST_LOOKS, bin_hz};
pub use tempo::{BELIEVED, BPM_RANGE, BeatReading, BeatTracker, tempo_bpm};
pub use tempogram::{CANDIDATES, Tempogram, candidate_bpm};

/// The tables, as the build script wrote them.
#[allow(clippy::approx_constant, reason = "a number in a table may look like any other")]
mod looked_up {
    use super::tables::{BANDS, BINS, FFT, FOURS_COUNT, HISTORY, PER_OCTAVE, REACH, TEMPI};
    include!(concat!(env!("OUT_DIR"), "/tables.rs"));
}
