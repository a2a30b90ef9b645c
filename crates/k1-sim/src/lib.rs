#![forbid(unsafe_code)]

//! The adverse world, for tests: everything outside K1 at its worst.
//!
//! | Room | What lives there |
//! |---|---|
//! | [`hostile`] | bytes from an enemy, or from a broken friend: one body per door, for fuzzers and for plain tests |
//! | [`fleet`] | many lamps, as far as a network can see them |
//! | [`flash`] | NOR flash that tears when the power is cut |
//! | [`clock`] | time that stands until it is moved; with the feature `tasks` |
//! | [`tasks`] | an executor that does the same at the same time in every run; with the feature `tasks` |
//! | [`link`] | a cable between two network stacks, with loss, delay and disorder; with the feature `tasks` |
//! | [`dice`] | chance from a seed |
//! | [`music`] | pieces whose beats are known exactly, and sound without a beat |
//! | [`tape`] | choices read from bytes, so that a fuzzer steers what is otherwise chance |
//!
//! Nothing in here but the fleet reads a clock, and nothing a random source: what a test meets is decided by its bytes or its seed alone, so
//! that whatever fails once fails always. A body panics when K1 breaks a promise; that a body returns is the result.
//!
//! Fuzzers grow the corpora under `fuzz/corpus`; `tests/corpus.rs` replays them with plain `cargo test`.

#[cfg(feature = "tasks")]
pub mod clock;
pub mod dice;
pub mod flash;
pub mod fleet;
pub mod hostile;
#[cfg(feature = "tasks")]
pub mod link;
pub mod music;
pub mod tape;
#[cfg(feature = "tasks")]
pub mod tasks;
