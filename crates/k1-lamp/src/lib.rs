#![no_std]
#![forbid(unsafe_code)]

//! The lamp: everything that it does, independent of the board.
//!
//! | Room | Purpose |
//! |---|---|
//! | [`board`] | what a board must provide: microphone, strip, facts |
//! | [`hear`] | core 1: microphone → ear → snapshots |
//! | [`show`] | core 0: snapshots → light → strip |
//! | [`memory`] | settings in flash: loaded first, written after a pause in the changes |
//! | [`console`] | the boot log and the figures of each second |
//! | [`guard`] | which part has stopped |
//! | [`self_test`] | reading snapshots on request while they are written |
//! | [`state`] | the state that the tasks share |
//! | [`pages`] | the page and the description of the API, compressed |
//! | [`home`] | the lamp as a back end of the API |
//! | [`scenes`] | scenes, and the light as a whole |
//! | [`web`] | HTTP and WebSockets |
//! | [`reset_filter`] | lets a connection wait when every worker is busy |
//! | [`receive`] | new firmware that is arriving, over HTTP or espota |
//! | [`trial`] | the trial of new firmware: judged, confirmed or rolled back |
//! | [`journal`] | the result of the last update |
//! | [`espota`] | updates by espota, for existing tools |
//! | [`rtp`] | sound from the network, for boards without a microphone |
//! | [`mdns`] | answers to programs that search for lamps |
//! | [`portal`] | the access point on which its owner names a network |
//! | [`mirror`] | frames to a network light |
//!
//! A board creates the drivers, gives each to the task that owns it, and runs the tasks: [`hear`](hear::hear) on core
//! 1, [`show`](show::show) on core 0 with the highest priority there, the others below it. They share one [`Lamp`] in a
//! `static`.

extern crate alloc;

pub mod board;
pub mod console;
pub mod espota;
pub mod guard;
pub mod hear;
pub mod home;
pub mod journal;
pub mod mdns;
pub mod memory;
pub mod mirror;
pub mod pages;
pub mod portal;
pub mod receive;
pub mod reset_filter;
pub mod rtp;
pub mod scenes;
pub mod self_test;
pub mod show;
pub mod state;
pub mod trial;
pub mod web;

pub use state::{BINS, FRAME_WORDS, FrameRing, Lamp, Meters, Show, State, Streams};

/// Microseconds since the start, on the clock that all tasks share.
pub fn now_us() -> u64 {
    embassy_time::Instant::now().as_micros()
}
