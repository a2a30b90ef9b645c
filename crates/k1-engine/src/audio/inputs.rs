//! The network's input: one frame of 16 ms, from what the steps of the ear have computed already.

use super::observation::POSITIONS;
use super::tables::BANDS;
use super::{CHROMA, OnsetDetector};

/// Hops of a frame.
pub(super) const FRAME_HOPS: usize = 2;
/// Values of a frame: the level of each band, the rise of each band, the low slow rise and the new notes, the logarithm of
/// the likelihood of each metrical position, and the pitch classes.
pub const FRAME: usize = 2 * BANDS + 2 + POSITIONS + CHROMA;
const SCALE: f32 = 4096.0;

/// Gathers a frame.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    frame: [f32; FRAME],
    hops: usize,
}

impl Inputs {
    /// All zeros.
    pub(super) const BLANK: Self = Self { frame: [0.0; FRAME], hops: 0 };

    /// Adds a hop.
    pub(super) fn hear(
        &mut self,
        onset: &OnsetDetector,
        slow: [f32; 2],
        positions: &[f32; POSITIONS],
        chroma: &[f32; CHROMA],
    ) {
        let first = self.hops % FRAME_HOPS == 0;
        self.hops = (self.hops + 1) % FRAME_HOPS;
        let (levels, rest) = self.frame.split_at_mut(BANDS);
        let (rises, pitches) = rest.split_at_mut(BANDS + 2 + POSITIONS);
        for (x, log) in levels.iter_mut().zip(&onset.logs) {
            *x = 0.5 * (log - 4.0);
        }
        let now = onset.rises.iter().chain(&slow).copied().chain(positions.iter().map(|p| 0.5 * p));
        for (x, now) in rises.iter_mut().zip(now) {
            *x = if first { now } else { x.max(now) };
        }
        pitches.copy_from_slice(chroma);
    }

    /// The last frame in 1/4096, limited to ±8.
    pub(super) fn frame(&self) -> [i16; FRAME] {
        self.frame.map(|x| (x.clamp(-7.999, 7.999) * SCALE) as i16)
    }
}
