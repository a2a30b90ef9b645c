#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

//! The engine of K1: sound goes in, light comes out.
//!
//! | Room | What it does |
//! |---|---|
//! | [`audio`] | conditions samples and analyses them into a [`Snapshot`](audio::Snapshot), one every hop |
//! | [`light`] | colour, palettes, geometry, the frame and the one output stage |
//! | [`patterns`] | what the light does: one file each, and the registry |
//! | [`params`] | the one table of everything a user can turn |
//! | [`show`] | the renderer: pattern, cross-fade and output stage in their order |
//! | [`math`] | the few functions that `core` lacks, fast enough for a micro-controller |
//!
//! The principle: **time, randomness and sound are arguments.** Nothing in here reads a clock, allocates,
//! locks or knows a thread, so the same calls give the same bits on a laptop, a lamp and in a test.

pub mod audio;
pub mod light;

pub mod math;
pub mod params;
pub mod patterns;
pub mod show;

/// Samples per second that the engine hears. Every rate in the engine derives from this one.
pub const SAMPLE_RATE: u32 = 16_000;

/// Samples per analysis step: 8 ms at [`SAMPLE_RATE`].
pub const HOP: usize = 128;

/// Analysis steps per second (125).
pub const HOP_RATE: f32 = SAMPLE_RATE as f32 / HOP as f32;

/// Duration of one hop in microseconds (8,000; exact).
pub const HOP_US: u64 = HOP as u64 * 1_000_000 / SAMPLE_RATE as u64;

const _: () = assert!(
    (HOP as u64 * 1_000_000).is_multiple_of(SAMPLE_RATE as u64),
    "a hop must be a whole number of µs"
);
