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
mod loudness;
mod onset;
mod pulse;
mod snapshot;
mod spectrum;
mod tempo;
mod tempogram;

pub use chroma::{CHROMA, Chroma, NOTE_NAMES};
pub use condition::{Conditioner, GAIN_RANGE, InputState};
pub use ear::{Ear, Heard};
pub use loudness::{Loudness, LoudnessReading, SILENT_DB};
pub use onset::{OnsetDetector, OnsetReading};
pub use snapshot::{SNAPSHOT_WORDS, Snapshot};
pub use spectrum::{BINS, ConstantQ, LOWEST_HZ, Q, bin_hz};
pub use tempo::{BPM_RANGE, BeatReading, BeatTracker};
pub use tempogram::{CANDIDATES, Tempogram, candidate_bpm};
