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
mod lanes;
pub mod light;

pub mod math;
pub mod params;
pub mod patterns;
mod rate;
pub mod show;

pub use rate::{HOP, HOP_RATE, HOP_US, SAMPLE_RATE};
