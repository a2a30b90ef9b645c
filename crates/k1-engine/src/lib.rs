#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

//! The engine of K1: sound goes in, light comes out.
//!
//! | Room | What it does |
//! |---|---|
//! | [`audio`] | conditions samples and analyses them into one [`Snapshot`](audio::Snapshot) per hop |
//! | [`light`] | colour, palettes, geometry, the frame and the one output stage |
//! | [`patterns`] | the patterns, one file each, and their registry |
//! | [`params`] | the table of everything a user can set |
//! | [`show`] | the renderer: pattern, cross-fade and output stage, in this order |
//! | [`math`] | the functions that `core` lacks, fast enough for a microcontroller |
//! | [`random`] | reproducible random numbers for tests and simulations |
//!
//! **Time, randomness and sound are arguments.** The engine reads no clock, allocates nothing, takes no lock and
//! starts no thread, so the same calls give the same bits on a laptop, on a lamp and in a test.

pub mod audio;
mod lanes;
pub mod light;

pub mod math;
pub mod params;
pub mod patterns;
pub mod random;
mod rate;
pub mod show;

pub use rate::{HOP, HOP_RATE, HOP_US, SAMPLE_RATE};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
