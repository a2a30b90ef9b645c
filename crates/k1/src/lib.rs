//! The program `k1`: sound in, light out, on this machine.
//!
//! | Room | What it does |
//! |---|---|
//! | [`cli`] | the one declaration of the command line |
//! | [`commands`] | the commands |
//! | [`console`] | all printed text, with terminal escapes made visible |
//! | [`foreign`] | cleans text from outside on arrival |
//! | [`identity`] | the name and the id of this program |
//! | [`source`] | inputs for sound |
//! | [`sink`] | outputs for light |
//! | [`stage`] | the two halves on their two threads, and their figures |
//! | [`output`] | files that commands write: whole or not at all, and never over their input |
//! | [`picture`] | frames as pictures and arrays |
//! | [`strip_line`] | the terminal while the strip is drawn on it |
//! | [`report`] | what K1 heard in a sound, as a picture or a page |
//! | [`lamps`] | finds, queries and watches lamps on the network |
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
pub mod signals;
pub mod sink;
pub mod source;
pub mod stage;
pub mod strip_line;
pub mod update;
pub mod web;

pub(crate) use console::say;

/// Largest number of LEDs of a strip.
pub const MAX_LEDS: usize = 4_096;

/// The renderer in the size this program uses.
pub type Show = k1_engine::show::Show<MAX_LEDS>;

/// A new renderer on the heap.
pub fn new_show(leds: usize, settings: k1_engine::light::OutputSettings) -> Box<Show> {
    Box::new(Show::new(leds, settings))
}
