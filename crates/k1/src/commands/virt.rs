//! `k1 virt`: the virtual lamp, with the built-in music for it to hear.

use k1_engine::{HOP, SAMPLE_RATE};

use super::Failure;
use crate::cli::VirtArgs;
use crate::source::{self, Input, Source};

/// Starts the virtual lamp and stays with it.
pub fn virt(args: &VirtArgs) -> Result<(), Failure> {
    let mut music: Option<Box<dyn Source>> = None;
    k1_fleet::virt::virt(args, move |hop: &mut [f32; HOP]| {
        let playing = match &mut music {
            Some(playing) => playing,
            none => none.insert(source::open(&Input::Demo, SAMPLE_RATE)?),
        };
        // It begins again when it is over.
        if playing.read(hop)? == 0 {
            music = None;
        }
        Ok(())
    })
}
