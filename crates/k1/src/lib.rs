//! The program `k1`: sound in, light out, on this machine.
//!
//! | Room | What it does |
//! |---|---|
//! | [`cli`] | the one declaration of the command line |
//! | [`commands`] | the commands |
//! | [`source`] | inputs for sound |
//! | [`sink`] | outputs for light |
//! | [`runtime`] | the two halves on their two threads, and their figures |
//! | [`service`] | K1 as a service of systemd |
//! | [`show`] | the file of lights and zones, kept while K1 runs |
//! | [`picture`] | frames as pictures and arrays |
//! | [`report`] | what K1 heard in a sound, as a picture or a page |
//! | [`web`] | the live page and the API |
//!
//! [`k1_fleet`] looks after many lamps. Both crates use [`k1_host`] for the terminal, files and signals.

pub mod cli;
pub mod commands;
pub mod picture;
pub mod report;
pub mod runtime;
pub mod service;
pub mod show;
pub mod sink;
pub mod source;
pub mod web;

/// Largest number of LEDs of a strip.
pub const MAX_LEDS: usize = k1_show::MOST_LEDS;

/// The renderer in the size this program uses.
pub type Show = k1_engine::show::Show<MAX_LEDS>;

/// A new renderer on the heap.
pub fn new_show(leds: usize, settings: k1_engine::light::OutputSettings) -> Box<Show> {
    Box::new(Show::new(leds, settings))
}
