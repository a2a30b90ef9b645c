//! The music of the last 13 to 26 s, in blocks of a beat or so.

use super::CHROMA;
use super::tables::BANDS;
use crate::math::{at_least, log2, reciprocal};

/// Number of blocks in memory.
pub(super) const BLOCKS: usize = 32;
/// Groups of bands with a level of their own.
const LEVELS: usize = 8;
/// First band of each, and the end of the last.
const FROM: [usize; LEVELS + 1] = [0, 5, 9, 12, 15, 18, 21, 24, BANDS];
/// Levels below about 190 Hz: the bass drum and the bass.
const LOW: usize = 2;
/// Bands of these levels.
const LOW_BANDS: usize = FROM[LOW];
/// First level of bright sound, above 1.2 kHz.
const BRIGHT: usize = 5;
/// Fixed-point scale of levels and rises. Whole numbers take half the memory.
const SCALE: f32 = 256.0;
const RISE_SCALE: f32 = 16_384.0;
/// A difference of one level counts up to this many octaves, so that an instrument that begins or ends does not count
/// for more than the rest.
const MOST: i32 = (1.0 * SCALE) as i32;
/// Shares of a level and of a pitch class in a distance. A difference of all pitch classes by 1 counts as much as one
/// of all levels by 2 octaves.
const LEVEL_SHARE: i32 = 3;
const CHROMA_SHARE: i32 = 4;
/// Unit of a distance in octaves.
const UNIT: f32 = 1.0 / (SCALE * (LEVEL_SHARE * LEVELS as i32) as f32);
/// Least distance in time, in blocks, at which two stretches of music are compared.
const FIRST_LAG: usize = 4;
/// Weight in 1/16 of the newest block in the comparison of two stretches.
const NEWEST: u32 = 5;
/// The reference of the log compression stays above this, as in the onset detector.
const LEAST_REFERENCE: f32 = 1e-4;

/// A block of sound.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// Level of each group of bands in 1/256 octaves of amplitude.
    levels: [i16; LEVELS],
    chroma: [u8; CHROMA],
    /// Mean rise of a low band, and of any band, per hop, in 1/16384 octaves.
    low_rise: i16,
    rise: i16,
}

impl Block {
    const BLANK: Self = Self { levels: [0; LEVELS], chroma: [0; CHROMA], low_rise: 0, rise: 0 };

    /// How different two blocks sound, in [`UNIT`]s.
    fn distance(&self, other: &Self) -> u32 {
        let levels: i32 = self
            .levels
            .iter()
            .zip(&other.levels)
            .map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs().min(MOST))
            .sum();
        let chroma: i32 =
            self.chroma.iter().zip(&other.chroma).map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs()).sum();
        (LEVEL_SHARE * levels + CHROMA_SHARE * chroma) as u32
    }
}

/// The hop's part in a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hop<'a> {
    /// Compressed bands and their rises, in octaves.
    pub(super) logs: &'a [f32; BANDS],
    pub(super) rises: &'a [f32; BANDS],
    /// The amplitude to which the bands relate.
    pub(super) reference: f32,
    pub(super) chroma: &'a [f32; CHROMA],
}

/// What the drums and the bass do, averaged over blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Drive {
    /// Level of low sound in octaves.
    pub(super) low: f32,
    /// Mean rise of a low band per hop, in octaves.
    pub(super) low_rise: f32,
    /// Mean rise of any band per hop, in octaves: how dense and strong the onsets are.
    pub(super) rise: f32,
}

/// The blocks. About 1.2 KiB.
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    ring: [Block; BLOCKS],
    /// Index of the newest.
    newest: usize,
    /// Number of blocks heard, at most [`BLOCKS`].
    heard: usize,
    /// How different the latest music is from that of each number of blocks ago, in [`UNIT`]s.
    differences: [u16; BLOCKS],
    // Sums over the hops of the block that is not complete.
    hops: u32,
    levels: [f32; LEVELS],
    chroma: [f32; CHROMA],
    reference: f32,
    low_rise: f32,
    rise: f32,
}

impl Blocks {
    /// All zeros, and no block heard.
    pub(super) const BLANK: Self = Self {
        ring: [Block::BLANK; BLOCKS],
        newest: 0,
        heard: 0,
        differences: [0; BLOCKS],
        hops: 0,
        levels: [0.0; LEVELS],
        chroma: [0.0; CHROMA],
        reference: 0.0,
        low_rise: 0.0,
        rise: 0.0,
    };

    /// Number of blocks in memory.
    pub(super) fn heard(&self) -> usize {
        self.heard
    }

    /// Forgets everything.
    pub(super) fn forget(&mut self) {
        self.heard = 0;
        self.begin();
    }

    fn begin(&mut self) {
        self.hops = 0;
        self.levels = [0.0; LEVELS];
        self.chroma = [0.0; CHROMA];
        (self.reference, self.low_rise, self.rise) = (0.0, 0.0, 0.0);
    }

    /// Adds a hop to the block that is not complete. Returns the number of its hops.
    pub(super) fn hear(&mut self, hop: &Hop) -> u32 {
        for (sum, group) in self.levels.iter_mut().zip(FROM.windows(2)) {
            *sum += hop.logs[group[0]..group[1]].iter().sum::<f32>();
        }
        for (sum, c) in self.chroma.iter_mut().zip(hop.chroma) {
            *sum += c;
        }
        let (low, rest) = hop.rises.split_at(LOW_BANDS);
        let low = low.iter().sum::<f32>();
        self.low_rise += low;
        self.rise += low + rest.iter().sum::<f32>();
        self.reference += log2(at_least(hop.reference, LEAST_REFERENCE));
        self.hops += 1;
        self.hops
    }

    /// Completes the block.
    pub(super) fn complete(&mut self) {
        let share = reciprocal(self.hops as f32);
        // Undoes the reference: levels are amplitudes again, whose floor is far below the music.
        let reference = self.reference * share;
        let mut block = Block::BLANK;
        for ((level, sum), group) in block.levels.iter_mut().zip(&self.levels).zip(FROM.windows(2)) {
            let bands = reciprocal((group[1] - group[0]) as f32);
            *level = (SCALE * (sum * share * bands + reference)) as i16;
        }
        for (c, sum) in block.chroma.iter_mut().zip(&self.chroma) {
            *c = (255.0 * sum * share) as u8;
        }
        block.low_rise = (RISE_SCALE / LOW_BANDS as f32 * self.low_rise * share) as i16;
        block.rise = (RISE_SCALE / BANDS as f32 * self.rise * share) as i16;
        self.compare(&block);
        self.newest = (self.newest + 1) % BLOCKS;
        self.ring[self.newest] = block;
        self.heard = (self.heard + 1).min(BLOCKS);
        self.begin();
    }

    /// Compares a new block with each in memory.
    fn compare(&mut self, block: &Block) {
        for lag in FIRST_LAG..self.heard.saturating_add(1).min(BLOCKS) {
            let before = &self.ring[(self.newest + BLOCKS + 1 - lag) % BLOCKS];
            let distance = block.distance(before);
            let known = u32::from(self.differences[lag]);
            // A lag that was not known before begins with its first distance.
            let old = if lag == self.heard { distance } else { known };
            self.differences[lag] = ((old * (16 - NEWEST) + distance * NEWEST) / 16) as u16;
        }
    }

    /// How different the latest blocks are from all that was heard before, in octaves: the difference to the stretch that
    /// resembles them most. Music that repeats is not new, however its chords and strokes vary in the meantime.
    pub(super) fn novelty(&self) -> f32 {
        let known = self.heard.saturating_sub(2).min(BLOCKS);
        let least = self.differences[FIRST_LAG..known.max(FIRST_LAG)].iter().copied().min();
        f32::from(least.unwrap_or(0)) * UNIT
    }

    fn block(&self, ago: usize) -> &Block {
        &self.ring[(self.newest + BLOCKS - ago) % BLOCKS]
    }

    /// Drums and bass of `count` blocks, of which the newest was completed `ago` blocks before the last one.
    pub(super) fn drive(&self, ago: usize, count: usize) -> Drive {
        let (mut low, mut low_rise, mut rise) = (0, 0, 0);
        for ago in ago..ago + count {
            let block = self.block(ago);
            low += block.levels[..LOW].iter().map(|x| i32::from(*x)).sum::<i32>();
            low_rise += i32::from(block.low_rise);
            rise += i32::from(block.rise);
        }
        let share = reciprocal(count as f32);
        Drive {
            low: low as f32 * (share * (1.0 / (SCALE * LOW as f32))),
            low_rise: low_rise as f32 * (share * (1.0 / RISE_SCALE)),
            rise: rise as f32 * (share * (1.0 / RISE_SCALE)),
        }
    }

    /// Energy of a block in octaves of amplitude: the mean of all levels, in which bright sound counts twice.
    pub(super) fn energy(&self, ago: usize) -> f32 {
        let levels = &self.block(ago).levels;
        let sum = |levels: &[i16]| levels.iter().map(|x| i32::from(*x)).sum::<i32>();
        let all = sum(levels) + sum(&levels[BRIGHT..]);
        all as f32 * (1.0 / (SCALE * (2 * LEVELS - BRIGHT) as f32))
    }
}
