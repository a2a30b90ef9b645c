#![no_std]
#![forbid(unsafe_code)]

//! The lamp: everything that it does, independent of the board.
//!
//! | Room | What lives there |
//! |---|---|
//! | [`board`] | what a board must bring: microphone, strip, facts |
//! | [`hear`] | core 1: microphone → ear → snapshots |
//! | [`show`] | core 0: snapshots → light → strip |
//! | [`memory`] | settings in flash: loaded first, written when a user has let go |
//! | [`console`] | the boot log and the figures of each second |
//! | [`guard`] | who stands still, and must not |
//! | [`self_test`] | reading snapshots while they are written, when asked to |
//! | [`state`] | what the tasks share |
//! | [`pages`] | the page and the description of the API, packed |
//! | [`home`] | the lamp as a home of the API |
//! | [`web`] | HTTP and WebSockets |
//! | [`reset_filter`] | a connection that finds no free worker is not refused |
//! | [`receive`] | new firmware on its way in, from any door |
//! | [`trial`] | new firmware tried, judged, confirmed or taken back |
//! | [`journal`] | what became of the last update |
//! | [`espota`] | the door for people's existing tools |
//! | [`rtp`] | sound from the network, for boards without a microphone |
//! | [`mdns`] | being found |
//! | [`portal`] | the access point on which its owner names a network |
//! | [`mirror`] | frames to a network light |
//!
//! A board makes the drivers, gives each to the one task that owns it, and runs the tasks: [`hear`](hear::hear) on
//! core 1, [`show`](show::show) on core 0 above everything else there, the rest below. What they share is one
//! [`Lamp`] in a `static`.

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
pub mod self_test;
pub mod show;
pub mod state;
pub mod trial;
pub mod web;

pub use state::{BINS, FRAME_WORDS, FrameRing, Lamp, Meters, Show, State};

/// Microseconds since the start, on the one clock.
pub fn now_us() -> u64 {
    embassy_time::Instant::now().as_micros()
}
