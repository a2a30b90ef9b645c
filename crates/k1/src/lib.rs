//! The program `k1`: sound in, light out, on this machine.
//!
//! | Room | What it does |
//! |---|---|
//! | [`cli`] | the one declaration of the command line |
//! | [`commands`] | what each command does |
//! | [`console`] | the one door for text: what is said and printed, made harmless |
//! | [`foreign`] | what comes from outside, cleaned where it comes in |
//! | [`identity`] | the name and the id of this program |
//! | [`source`] | where sound comes from |
//! | [`sink`] | where light goes |
//! | [`runtime`] | the two halves on their two threads, and what they measure |
//! | [`output`] | files that commands write: whole or not at all, and never over their input |
//! | [`picture`] | frames as pictures and arrays |
//! | [`strip_line`] | the terminal while the strip is drawn on it |
//! | [`report`] | what an ear did with a sound, as a picture or a page |
//! | [`lamps`] | lamps on the network: found, asked, watched |
//! | [`web`] | the live page and the API |

pub mod cli;
pub mod commands;
pub mod console;
pub mod foreign;
pub mod identity;
pub mod lamps;
pub mod output;
pub mod picture;
pub mod private;
pub mod report;
pub mod runtime;
pub mod signals;
pub mod sink;
pub mod source;
pub mod strip_line;
pub mod update;
pub mod web;

pub(crate) use console::say;

/// Most LEDs that one strip may have.
pub const MAX_LEDS: usize = 4_096;

/// The renderer in the size this program uses.
pub type Show = k1_engine::show::Show<MAX_LEDS>;

/// A new renderer on the heap.
pub fn new_show(leds: usize, settings: k1_engine::light::OutputSettings) -> Box<Show> {
    Box::new(Show::new(leds, settings))
}
