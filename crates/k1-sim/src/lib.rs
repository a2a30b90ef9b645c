#![forbid(unsafe_code)]

//! The adverse world for tests: everything outside K1 at its worst.
//!
//! | Room | What lives there |
//! |---|---|
//! | [`hostile`] | hostile or broken bytes: one body per interface, for fuzzers and for plain tests |
//! | [`fleet`] | many simulated lamps, as a network sees them |
//! | [`flash`] | NOR flash that tears when the power is cut |
//! | `clock` | time that only moves when it is told to; with the feature `tasks` |
//! | `tasks` | an executor that does the same in every run; with the feature `tasks` |
//! | `link` | a cable between two network stacks, with loss, delay and reordering; with the feature `tasks` |
//! | [`music`] | pieces with exactly known beats, and sound without a beat |
//! | [`refused`] | requests that every K1 refuses, and how |
//! | [`choices`] | choices read from bytes, so that a fuzzer steers what is random elsewhere |
//!
//! Only the fleet reads a clock, and nothing uses a random source. The bytes or the seed of a test decide everything
//! it meets, so a failure can be repeated. A fuzz body panics if K1 breaks a promise; returning is success.
//!
//! Fuzzers grow the corpora under `fuzz/corpus`; `tests/corpus.rs` replays them with plain `cargo test`.

pub mod choices;
#[cfg(feature = "tasks")]
pub mod clock;
pub mod flash;
pub mod fleet;
pub mod hostile;
#[cfg(feature = "tasks")]
pub mod link;
pub mod music;
pub mod refused;
#[cfg(feature = "tasks")]
pub mod tasks;
