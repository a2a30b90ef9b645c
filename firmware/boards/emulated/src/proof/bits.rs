//! The whole of the engine's output, for a comparison byte by byte.

use k1_engine::audio::{Ear, Snapshot};
use k1_engine::params::{LAST_PALETTE, Param, Params};
use k1_engine::patterns::PATTERNS;
use k1_engine::show::CROSS_FADE_S;
use k1_engine::{HOP, HOP_US};

use super::Show;

/// Number of LEDs.
pub const LEDS: usize = 180;
/// Frames per second.
const FPS: u64 = 120;

/// A part of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The results of [`super::edges`].
    Edges,
    /// The words of the snapshot after hop `k`.
    Hop(u32),
    /// The bytes of the LEDs in frame `number`.
    Frame {
        /// Frames before this one.
        number: u32,
        /// Index of the pattern that is shown, or faded in.
        pattern: usize,
        /// Whether another pattern fades out.
        fades: bool,
    },
}

/// Takes the output, and may measure the work.
pub trait Watch {
    /// Does the work for a part.
    fn work(&mut self, part: Part, work: impl FnOnce());

    /// Takes the bytes of a part.
    fn bytes(&mut self, part: Part, bytes: &[u8]);
}

/// Plays music, and shows each pattern in turn for equal times, faded and with changing palettes.
pub fn bits(
    ear: &mut Ear,
    show: &mut Show,
    hops: u32,
    hop: impl Fn(u32) -> [f32; HOP],
    watch: &mut impl Watch,
) {
    let mut snapshot = Snapshot::EMPTY;
    let mut wire = [[0; 3]; LEDS];
    let mut number = 0;
    let mut changed_us = 0;
    let of_pattern = hops.div_ceil(PATTERNS.len() as u32).max(1);
    let of_palette = hops.div_ceil(LAST_PALETTE as u32 + 1).max(1);
    let mut params = Params::default();
    show.cut_to(0);
    for k in 0..hops {
        let samples = hop(k);
        watch.work(Part::Hop(k), || {
            if let Some(s) = ear.push(&samples) {
                snapshot = *s;
            }
        });
        for word in snapshot.to_words() {
            watch.bytes(Part::Hop(k), &word.to_le_bytes());
        }
        let pattern = (k / of_pattern) as usize;
        if show.pattern() != pattern {
            show.select(pattern);
            changed_us = snapshot.captured_us;
        }
        if k.is_multiple_of(of_palette) {
            params.set(Param::PaletteId, (k / of_palette) as f32);
            show.set_params(params);
        }
        loop {
            let at = u64::from(number) * 1_000_000 / FPS;
            if at >= snapshot.captured_us + HOP_US {
                break;
            }
            let fades = pattern > 0 && at < changed_us + (CROSS_FADE_S * 1.1e6) as u64;
            let part = Part::Frame { number, pattern, fades };
            watch.work(part, || {
                show.render(at, &snapshot);
                show.output.wire(true, &mut wire);
            });
            watch.bytes(part, wire.as_flattened());
            number += 1;
        }
    }
}
