//! The sections of a piece of music: something new begins, energy builds, a drop, a break.
//!
//! All of it is causal: a block of a beat or so is compared with the [`Blocks`] of the last 13 to 26 s.
//! - *New* is what resembles no stretch of them, in levels and pitch classes, much more than usual (after J. Foote,
//!   "Automatic audio segmentation using a measure of audio novelty", ICME 2000, which compares in both directions).
//! - A *break* begins where low sound and the rises of all bands fall clearly; a *drop* where they return.
//! - A *build* is an energy that has risen along a straight line.

use super::blocks::{Blocks, Drive, Hop};
use crate::HOP_RATE;
use crate::math::{decay, reciprocal};

const DT: f32 = 1.0 / HOP_RATE;

/// What a stretch of music does with its energy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Section {
    /// The ear is unsure.
    #[default]
    Unknown,
    /// The energy stays as it is.
    Steady,
    /// The energy rises towards something new.
    Build,
    /// The full energy has come, at once.
    Drop,
    /// The drums or the bass pause.
    Break,
}

impl Section {
    /// Every section, in the order of the codes.
    pub const ALL: [Self; 5] = [Self::Unknown, Self::Steady, Self::Build, Self::Drop, Self::Break];

    /// The section as a number, for a wire or a word of a snapshot.
    pub const fn code(self) -> u32 {
        match self {
            Self::Unknown => 0,
            Self::Steady => 1,
            Self::Build => 2,
            Self::Drop => 3,
            Self::Break => 4,
        }
    }

    /// The inverse of [`code`](Self::code); unknown numbers become [`Unknown`](Self::Unknown).
    pub const fn from_code(code: u32) -> Self {
        match code {
            1 => Self::Steady,
            2 => Self::Build,
            3 => Self::Drop,
            4 => Self::Break,
            _ => Self::Unknown,
        }
    }

    /// The section as one lower-case word, for interfaces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Steady => "steady",
            Self::Build => "build",
            Self::Drop => "drop",
            Self::Break => "break",
        }
    }
}

/// What the tracker knows after a hop.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct SectionReading {
    pub(super) section: Section,
    /// What began in this hop.
    pub(super) began: Option<Section>,
    /// How strongly the energy builds, 0 … 1.
    pub(super) build: f32,
}

/// Beat and bar of a hop, as far as they are known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulse {
    /// Tempo in beats per minute; 0 without beats.
    pub(super) bpm: f32,
    /// Phase in the beat.
    pub(super) phase: f32,
    /// Confidence of the beats.
    pub(super) confidence: f32,
    /// Beats of a bar and position in it, in beats; 0 while the bar is not known.
    pub(super) beats_per_bar: u32,
    pub(super) bar_position: f32,
}

/// Finds sections. About 1.4 KiB.
#[derive(Clone, Debug)]
pub(super) struct SectionTracker {
    blocks: Blocks,
    /// Phase of the beat in the last hop.
    phase: f32,
    /// Smoothed confidence of the beats.
    confidence: f32,
    /// Seconds of sound since the last pause, of the pause, since a beat was believed, since the state began, since
    /// something began, and since the energy was highest.
    awake: f32,
    paused: f32,
    beatless: f32,
    state_s: f32,
    began_s: f32,
    highest_s: f32,
    state: Section,
    /// Whether what began last is a new section without a further name; a break or a drop may still turn out to be it.
    plain: bool,
    /// Seconds that a new section still waits for its downbeat; 0 = none waits.
    waits_s: f32,
    /// Usual novelty, and what is left of the novelty of the last section, in octaves.
    usual: f32,
    held: f32,
    /// Drums and bass before the break or the build, and the seconds for which they may still return as a drop.
    before: Drive,
    armed_s: f32,
    /// Energy at the beginning of the build, and the highest since, in octaves.
    from: f32,
    highest: f32,
    build: f32,
}

/// Length in hops at which a block is complete without a beat, and the least and the most with one.
const BLOCK_HOPS: u32 = 60;
const LEAST_HOPS: u32 = 50;
const MOST_HOPS: u32 = 100;
/// Below this tempo a block is half a beat.
const SLOW_BPM: f32 = 75.0;
/// Seconds of sound before anything is said.
const HEARD_S: f32 = 8.0;
/// A pause of this length ends a piece.
const PAUSE_S: f32 = 2.0;
/// Time constant of the confidence in seconds, and the confidence from which a sound passes for music. Speech and bursts
/// of noise reach it for a moment only.
const CONFIDENCE_S: f32 = 3.0;
const MUSIC: f32 = 0.6;
/// Seconds for which it stays music without such a confidence: breaks often have no beat.
const BEATLESS_S: f32 = 20.0;
/// Novelty is new if it exceeds this many times the usual one plus this many octaves.
const NEW_FACTOR: f32 = 1.6;
const NEW_OCTAVES: f32 = 0.1;
/// Share by which the novelty of the last section fades per second; and least time between two sections in seconds.
const HELD: f32 = 0.09;
const APART_S: f32 = 8.0;
const RENAMED_S: f32 = 4.0;
/// Shares of a new block in the usual novelty, where it is larger and where it is smaller.
const USUAL_UP: f32 = 0.03;
const USUAL_DOWN: f32 = 0.15;
/// A larger excess of novelty counts as this many octaves.
const USUAL_MOST: f32 = 0.3;
/// Longest wait for a downbeat in seconds.
const WAIT_S: f32 = 1.5;
/// Blocks that show a break, and those with which they are compared.
const BREAK_BLOCKS: usize = 3;
const BEFORE_BLOCKS: usize = 16;
/// A break: low sound falls by this many octaves or its rises to this share, and all rises to this share.
const BREAK_OCTAVES: f32 = 1.2;
const BREAK_LOW_RISE: f32 = 0.4;
const BREAK_RISE: f32 = 0.65;
/// A pause was as deep before if rises were at most this many times stronger then, and low sound this many octaves.
const PAUSE_RISE: f32 = 1.4;
const PAUSE_OCTAVES: f32 = 0.7;
/// A break without end is a section.
const BREAK_MOST_S: f32 = 30.0;
/// A drop: low sound is back up to this many octaves, and rises to this share, of what they were.
const DROP_OCTAVES: f32 = 0.6;
const DROP_RISE: f32 = 0.5;
const DROP_JUMP: f32 = 0.8;
/// Seconds after a break or a build during which drums and bass may still return as a drop.
const ARMED_S: f32 = 3.0;
/// A piece that has become quieter by this many octaves is about to end.
const FADED: f32 = 1.5;
const DROP_S: f32 = 6.0;
/// Numbers of blocks over which a build may show, and the least rise from one to the next in octaves; the octaves of a
/// full build.
const BUILD_BLOCKS: [usize; 2] = [8, 12];
const BUILD_OCTAVES: f32 = 0.15;
const FULL_BUILD: f32 = 2.5;
/// Share of the variance that a straight line must explain.
const MOST_STEP: f32 = 0.6;
const STRAIGHT: f32 = 0.82;
/// A build ends when the energy has fallen by this many octaves, or has not risen for so long.
const BUILD_FALL: f32 = 0.6;
const BUILD_STALL_S: f32 = 4.0;

impl SectionTracker {
    /// All zeros.
    pub(super) const BLANK: Self = Self {
        blocks: Blocks::BLANK,
        phase: 0.0,
        confidence: 0.0,
        awake: 0.0,
        paused: 0.0,
        beatless: 0.0,
        state_s: 0.0,
        began_s: 0.0,
        highest_s: 0.0,
        state: Section::Unknown,
        plain: false,
        waits_s: 0.0,
        usual: 0.0,
        held: 0.0,
        before: Drive { low: 0.0, low_rise: 0.0, rise: 0.0 },
        armed_s: 0.0,
        from: 0.0,
        highest: 0.0,
        build: 0.0,
    };

    /// Advances by one hop.
    pub(super) fn process(&mut self, hop: &Hop, pulse: &Pulse, silent: bool) -> SectionReading {
        if silent {
            self.paused += DT;
            if self.paused > PAUSE_S && self.awake > 0.0 {
                self.forget();
            }
            return SectionReading::default();
        }
        self.paused = 0.0;
        self.awake += DT;
        self.confidence += (pulse.confidence - self.confidence) * const { 1.0 - decay(DT, CONFIDENCE_S) };
        self.beatless = if self.confidence > MUSIC { 0.0 } else { self.beatless + DT };
        let hops = self.blocks.hear(hop);
        let mut began = None;
        if self.is_complete(hops, pulse) {
            self.blocks.complete();
            began = self.judge(hops as f32 * DT, pulse);
        }
        self.phase = pulse.phase;
        SectionReading { section: self.state, began, build: self.build }
    }

    fn forget(&mut self) {
        self.blocks.forget();
        let blocks = core::mem::replace(&mut self.blocks, Blocks::BLANK);
        *self = Self { blocks, paused: self.paused, ..Self::BLANK };
    }

    /// Whether the block ends here: with a beat, if one is known.
    fn is_complete(&self, hops: u32, pulse: &Pulse) -> bool {
        if pulse.bpm <= 0.0 {
            return hops >= BLOCK_HOPS;
        }
        let beat = pulse.phase < self.phase - 0.5;
        let half = pulse.bpm < SLOW_BPM && self.phase < 0.5 && pulse.phase >= 0.5;
        hops >= MOST_HOPS || (hops >= LEAST_HOPS && (beat || half))
    }

    /// Judges a complete block of `seconds`.
    fn judge(&mut self, seconds: f32, pulse: &Pulse) -> Option<Section> {
        self.armed_s -= seconds;
        for age in [&mut self.state_s, &mut self.began_s, &mut self.highest_s] {
            *age += seconds;
        }
        let novelty = self.blocks.novelty();
        let is_new = self.is_new(novelty, seconds);
        let is_music = self.beatless < BEATLESS_S && (self.state != Section::Unknown || self.beatless == 0.0);
        if self.awake < HEARD_S || !is_music || self.blocks.heard < BREAK_BLOCKS + BEFORE_BLOCKS - 4 {
            self.enter(Section::Unknown);
            self.build = 0.0;
            return None;
        }
        if self.state == Section::Unknown {
            self.enter(Section::Steady);
            self.began_s = 0.0;
        }
        let began = self.next_state();
        if let Some(state) = began {
            self.enter(state);
            // The same change may have been heard as a new section a moment ago.
            let again = self.plain && self.began_s < RENAMED_S && state != Section::Build;
            self.waits_s = 0.0;
            self.held = self.held.max(novelty);
            if again {
                self.plain = false;
                return None;
            }
            (self.began_s, self.plain) = (0.0, false);
            return Some(state);
        }
        let may_begin = matches!(self.state, Section::Steady | Section::Drop);
        if is_new && may_begin && self.waits_s <= 0.0 && self.began_s >= APART_S {
            self.waits_s = WAIT_S;
        }
        if self.waits_s > 0.0 {
            self.waits_s -= seconds;
            let downbeat = pulse.beats_per_bar > 0 && pulse.bar_position < 0.5;
            let in_time = downbeat || pulse.beats_per_bar == 0 || self.waits_s <= 0.0;
            if in_time && self.goes_on() {
                (self.waits_s, self.began_s, self.plain) = (0.0, 0.0, true);
                return Some(self.state);
            }
        }
        None
    }

    /// Whether the latest sound is not just the end of what was before.
    fn goes_on(&self) -> bool {
        let before = self.blocks.energy(3) + self.blocks.energy(4) + self.blocks.energy(5) + self.blocks.energy(6);
        self.blocks.energy(0) > 0.25 * before - FADED
    }

    /// Whether the novelty is that of a new section.
    fn is_new(&mut self, novelty: f32, seconds: f32) -> bool {
        self.held -= self.held * (HELD * seconds).min(1.0);
        let is_new = novelty > NEW_FACTOR * self.usual + NEW_OCTAVES && novelty > self.held;
        if self.began_s < APART_S || is_new {
            self.held = self.held.max(novelty);
        }
        let share = if novelty > self.usual { USUAL_UP } else { USUAL_DOWN };
        self.usual += (novelty - self.usual).min(USUAL_MOST) * share;
        is_new
    }

    fn enter(&mut self, state: Section) {
        self.state = state;
        self.state_s = 0.0;
    }

    /// The state that begins with this block, if one does.
    fn next_state(&mut self) -> Option<Section> {
        let rising = self.rising();
        if matches!(self.state, Section::Break | Section::Build) {
            self.armed_s = ARMED_S;
        }
        if self.armed_s > 0.0 && self.drops() {
            (self.build, self.armed_s) = (0.0, 0.0);
            return Some(Section::Drop);
        }
        match self.state {
            Section::Build => {
                let energy = self.blocks.energy(0);
                if energy > self.highest {
                    (self.highest, self.highest_s) = (energy, 0.0);
                }
                self.build = ((self.highest - self.from) * (1.0 / FULL_BUILD)).clamp(self.build, 1.0);
                if energy < self.highest - BUILD_FALL || self.highest_s > BUILD_STALL_S {
                    self.build = 0.0;
                    self.enter(Section::Steady);
                }
            }
            Section::Break if self.state_s > BREAK_MOST_S => self.enter(Section::Steady),
            Section::Drop if self.state_s > DROP_S => self.enter(Section::Steady),
            _ => {}
        }
        if let Some(from) = rising.filter(|_| matches!(self.state, Section::Steady | Section::Break)) {
            if self.state != Section::Break {
                self.before = self.blocks.drive(BUILD_BLOCKS[0], BEFORE_BLOCKS);
            }
            (self.from, self.highest, self.highest_s) = (from, self.blocks.energy(0), 0.0);
            self.build = ((self.highest - from) * (1.0 / FULL_BUILD)).clamp(0.0, 1.0);
            return Some(Section::Build);
        }
        (matches!(self.state, Section::Steady | Section::Drop) && self.falls_away()).then_some(Section::Break)
    }

    /// Whether drums and bass have fallen away.
    fn falls_away(&mut self) -> bool {
        let now = self.blocks.drive(0, BREAK_BLOCKS);
        let most = self.blocks.heard.min(BREAK_BLOCKS + BEFORE_BLOCKS);
        let before = self.blocks.drive(BREAK_BLOCKS, most - BREAK_BLOCKS);
        let falls = now.rise < BREAK_RISE * before.rise
            && (now.low < before.low - BREAK_OCTAVES || now.low_rise < BREAK_LOW_RISE * before.low_rise);
        if !falls {
            return false;
        }
        // A sparse groove may pause as long; then it did so before.
        let paused_before = (BREAK_BLOCKS..most - BREAK_BLOCKS).any(|ago| {
            let then = self.blocks.drive(ago, BREAK_BLOCKS);
            then.rise < PAUSE_RISE * now.rise && then.low < now.low + PAUSE_OCTAVES
        });
        if !paused_before {
            self.before = before;
        }
        !paused_before
    }

    /// Whether drums and bass are back.
    fn drops(&self) -> bool {
        let back = |blocks: usize, octaves: f32, share: f32| {
            let now = self.blocks.drive(0, blocks);
            let lately = self.blocks.drive(blocks, 4);
            now.low > self.before.low - octaves
                && now.rise > share * self.before.rise
                && now.low > lately.low + DROP_JUMP
                && lately.low < self.before.low - DROP_OCTAVES
        };
        back(1, 0.5 * DROP_OCTAVES, 1.2 * DROP_RISE) || back(2, DROP_OCTAVES, DROP_RISE)
    }

    /// Whether the energy has risen steadily over the last blocks. Returns the energy at their beginning.
    fn rising(&self) -> Option<f32> {
        BUILD_BLOCKS.into_iter().filter(|blocks| self.blocks.heard >= *blocks).find_map(|blocks| {
            let n = blocks as f32;
            // The sum of squares of (1 − n) / 2, (3 − n) / 2 … (n − 1) / 2.
            let spread = n * (n * n - 1.0) * (1.0 / 12.0);
            let last = self.blocks.energy(0);
            let (mut sum, mut squares, mut slope) = (0.0, 0.0, 0.0);
            let (mut later, mut step) = (0.0_f32, 0.0_f32);
            for ago in 0..blocks {
                let energy = self.blocks.energy(ago) - last;
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
            let is_straight = slope * slope * spread > STRAIGHT * variance;
            (rise > BUILD_OCTAVES * (n - 1.0) && is_straight && step < MOST_STEP * rise).then_some(last + mean - 0.5 * rise)
        })
    }
}
