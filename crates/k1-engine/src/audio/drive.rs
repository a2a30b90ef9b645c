//! What drums, bass and energy do from block to block: breaks, drops and builds.
//!
//! - A *break* begins where the rises of all bands, and low sound or its rises, fall far below those of the last blocks, as
//!   they did not do before.
//! - A *drop* comes where both return at once.
//! - A *build* is an energy that has risen along a straight line for 4 s or more.

use super::blocks::{Blocks, Drive};
use crate::math::reciprocal;

/// Blocks that show a break.
pub(super) const BREAK_BLOCKS: usize = 3;
/// Blocks before with which they are compared.
const BEFORE_BLOCKS: usize = 16;
/// In a break, low sound falls by this many octaves or its rises to this share, and all rises to the other.
const BREAK_OCTAVES: f32 = 1.2;
const BREAK_LOW_RISE: f32 = 0.4;
const BREAK_RISE: f32 = 0.65;
/// Blocks among which an earlier pause counts.
const PAUSE_BLOCKS: usize = 24;
/// A pause was as deep before if rises were at most this many times stronger then, and low sound this many octaves.
const PAUSE_RISE: f32 = 1.4;
const PAUSE_OCTAVES: f32 = 0.7;
/// In a drop, low sound is back up to this many octaves, and rises to this share, of what they were; the limits are
/// narrower where one block shows it. Low sound steps up by that many octaves over the blocks before.
const DROP_OCTAVES: f32 = 0.6;
const DROP_RISE: f32 = 0.5;
const DROP_JUMP: f32 = 0.8;
const JUMP_BLOCKS: usize = 4;
/// Numbers of blocks over which a build may show, and the least rise from one to the next in octaves.
pub(super) const BUILD_BLOCKS: [usize; 2] = [8, 12];
const BUILD_OCTAVES: f32 = 0.15;
/// Share of the variance that a straight line must explain, and the most of its rise that one step may be.
const STRAIGHT: f32 = 0.82;
const MOST_STEP: f32 = 0.6;

impl Blocks {
    /// Drums and bass of the blocks in memory before the newest `blocks`.
    pub(super) fn before(&self, blocks: usize) -> Drive {
        let most = self.heard().min(blocks + BEFORE_BLOCKS);
        self.drive(blocks, most - blocks)
    }

    /// Whether drums and bass have fallen away in the newest blocks.
    pub(super) fn falls_away(&self) -> bool {
        let (now, before) = (self.drive(0, BREAK_BLOCKS), self.before(BREAK_BLOCKS));
        let falls = now.rise < BREAK_RISE * before.rise
            && (now.low < before.low - BREAK_OCTAVES || now.low_rise < BREAK_LOW_RISE * before.low_rise);
        // A sparse groove pauses as long now and then.
        let most = self.heard().min(PAUSE_BLOCKS);
        falls
            && !(BREAK_BLOCKS..most - BREAK_BLOCKS).any(|ago| {
                let then = self.drive(ago, BREAK_BLOCKS);
                then.rise < PAUSE_RISE * now.rise && then.low < now.low + PAUSE_OCTAVES
            })
    }

    /// Whether drums and bass are back as they were `before`.
    pub(super) fn drops(&self, before: &Drive) -> bool {
        let back = |blocks: usize, octaves: f32, share: f32| {
            let (now, lately) = (self.drive(0, blocks), self.drive(blocks, JUMP_BLOCKS));
            now.low > before.low - octaves
                && now.rise > share * before.rise
                && now.low > lately.low + DROP_JUMP
                && lately.low < before.low - DROP_OCTAVES
        };
        back(1, 0.5 * DROP_OCTAVES, 1.2 * DROP_RISE) || back(2, DROP_OCTAVES, DROP_RISE)
    }

    /// Whether energy has risen steadily over the last blocks. Returns the energy at their beginning, in octaves.
    pub(super) fn rising(&self) -> Option<f32> {
        BUILD_BLOCKS.into_iter().filter(|blocks| self.heard() >= *blocks).find_map(|blocks| {
            let n = blocks as f32;
            // The sum of the squares of (1 − n) / 2, (3 − n) / 2 … (n − 1) / 2.
            let spread = n * (n * n - 1.0) * (1.0 / 12.0);
            let last = self.energy(0);
            let (mut sum, mut squares, mut slope) = (0.0, 0.0, 0.0);
            let (mut later, mut step) = (0.0_f32, 0.0_f32);
            for ago in 0..blocks {
                let energy = self.energy(ago) - last;
                step = step.max(later - energy);
                later = energy;
                sum += energy;
                squares += energy * energy;
                slope += energy * (0.5 * (n - 1.0) - ago as f32);
            }
            slope *= reciprocal(spread);
            let mean = sum * reciprocal(n);
            let variance = squares - sum * mean;
            let rise = slope * (n - 1.0);
            let is_straight = slope * slope * spread > STRAIGHT * variance && step < MOST_STEP * rise;
            (rise > BUILD_OCTAVES * (n - 1.0) && is_straight).then_some(last + mean - 0.5 * rise)
        })
    }
}
