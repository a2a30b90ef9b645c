//! Hearing: from samples to a [`Snapshot`], once every [`HOP`](crate::HOP) samples.
//!
//! ```text
//! samples ─▶ Conditioner ─▶ Loudness ─▶ ConstantQ ─▶ Chroma
//!             DC, gain,      dBFS,       64 semitones  12 notes
//!             faults         gate        └▶ OnsetDetector ─▶ two networks ─▶ BeatTracker ─▶ Snapshot
//! ```
//!
//! [`Ear`] runs these steps in order; each can be used and tested alone.

mod bar;
mod beat_tracker;
mod blocks;
mod chroma;
mod condition;
mod confidence_trees;
mod drive;
mod ear;
mod fourier;
mod inputs;
mod judgement;
mod loudness;
mod network;
#[cfg(test)]
mod network_golden;
mod network_weights;
mod onset;
mod section;
mod section_tracker;
mod snapshot;
mod spectrum;
mod state_space;
#[allow(dead_code, reason = "what computes the tables is the build script's")]
mod tables;
mod tempogram;
mod tree;

pub use bar::Place;
pub use beat_tracker::{BELIEVED, BPM_RANGE, BeatReading, BeatTracker};
pub use chroma::{CHROMA, Chroma, NOTE_NAMES};
pub use condition::{Conditioner, GAIN_RANGE, InputState};
pub use ear::{Ear, Heard};
pub use inputs::INPUTS;
pub use loudness::{Loudness, LoudnessReading, SILENT_DB};
pub use onset::{OnsetDetector, OnsetReading};
pub use section::Section;
pub use snapshot::{LONGEST_BAR, SNAPSHOT_WORDS, Snapshot};
pub use spectrum::ConstantQ;
pub use tables::{BINS, CONFIDENCE_FEATURES, GROUP_EDGES_HZ, LOWEST_HZ, Q, TEMPI, bin_hz, tempo_bpm};
pub use tempogram::{CANDIDATES, Tempogram, candidate_bpm};

/// The tables that the build script generates.
#[allow(clippy::approx_constant, reason = "a number in a table may look like any other")]
mod looked_up {
    use super::tables::{BANDS, BINS, FFT, HISTORY, PER_OCTAVE, RADIX4_TWIDDLE_COUNT, REACH, TEMPI};
    include!(concat!(env!("OUT_DIR"), "/tables.rs"));
}
