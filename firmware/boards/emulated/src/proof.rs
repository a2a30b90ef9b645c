//! Proofs of the engine on another processor. The host writes a question and music into the machine's memory; the
//! answers are lines of JSON on its console, and bytes.

mod bits;
mod cost;
mod edges;

use core::fmt;

use k1_engine::HOP;

pub use bits::{LEDS, Part, Watch, bits};
pub use cost::{Cost, Tally, cost, instructions};
pub use edges::edges;

/// The renderer, with room for the longest strip of a lamp.
pub type Show = k1_engine::show::Show<300>;

/// What the proofs need of an emulated machine.
pub trait Board {
    /// Address of the host's question: words, see [`question`].
    const QUESTION: usize;
    /// Address of the music: f32, little-endian, 16 kHz.
    const MUSIC: usize;

    /// A count that rises with each instruction.
    fn count() -> u32;

    /// The number of instructions between two counts.
    fn instructions(from: u32, to: u32) -> u32;

    /// The stack pointer of the function that calls.
    fn stack_pointer() -> usize;

    /// Prints a line.
    fn print(line: fmt::Arguments);
}

/// A word of the host's question: its number, the number of samples, frames per second, pattern, LEDs.
pub fn question<B: Board>(i: usize) -> u32 {
    // SAFETY: the host has written five words there, and the memory has no other use.
    unsafe { (B::QUESTION as *const u32).add(i).read_volatile() }
}

/// Number of hops of the music, of which the last may end in silence.
pub fn hops<B: Board>() -> u32 {
    question::<B>(1).div_ceil(HOP as u32)
}

/// Hop `k` of the music.
pub fn hop<B: Board>(k: u32) -> [f32; HOP] {
    let samples = question::<B>(1);
    core::array::from_fn(|i| {
        let at = k * HOP as u32 + i as u32;
        if at >= samples {
            return 0.0;
        }
        // SAFETY: the host has written at least this number of samples there.
        f32::from_bits(unsafe { (B::MUSIC as *const u32).add(at as usize).read_volatile() })
    })
}
