//! The section tracker: something new begins, energy builds, a break, a drop.
//!
//! All of it is causal: whenever a block of a beat or so is complete, it is compared with the [`Blocks`] of the last 13 to
//! 26 s. What is *new* resembles none of the stretches in memory, much less than music usually does (after J. Foote,
//! "Automatic audio segmentation using a measure of audio novelty", ICME 2000, which compares in both directions).
//! [`drive`](super::drive) says how breaks, drops and builds are found.

use super::blocks::{Blocks, Drive, Hop};
use super::drive::{BREAK_BLOCKS, BUILD_BLOCKS};
use super::section::Section;
use crate::HOP_RATE;
use crate::math::{at_least, choose, decay, reciprocal};

/// Length in hops at which a block is complete without a beat, and the least and the most with one.
const BLOCK_HOPS: u32 = 60;
const LEAST_HOPS: u32 = 50;
const MOST_HOPS: u32 = 100;
/// Below this tempo in beats per minute, a block is half a beat.
const SLOW_BPM: f32 = 75.0;
/// Seconds and blocks of sound before a section is known.
const HEARD_S: f32 = 8.0;
const HEARD_BLOCKS: usize = 15;
/// A pause of this length in seconds ends a piece.
const PAUSE_S: f32 = 2.0;
/// Time constant of the confidence in seconds; the confidence from which a sound passes for music, and from which it stays
/// music. Speech, rain and steps reach 0.6 for a moment.
const CONFIDENCE_S: f32 = 3.5;
const MUSIC: [f32; 2] = [0.65, 0.4];
/// Seconds for which it stays music with less: a break often has no beat.
const BEATLESS_S: f32 = 20.0;
/// A novelty is new if it exceeds this many times the usual one by this many octaves, and this many octaves.
const NEW_FACTOR: f32 = 1.6;
const NEW_OCTAVES: f32 = 0.05;
const NEW_LEAST: f32 = 0.45;
/// Share by which the novelty of the last section fades per second.
const FADING: f32 = 0.09;
/// Share of a new block in the usual novelty where it is smaller and where it is larger, and the largest excess in octaves
/// that counts.
const USUAL: [f32; 2] = [0.15, 0.03];
const USUAL_MOST: f32 = 0.3;
/// Least time between two new sections: this many blocks and seconds, or more seconds. Until then, a new section may
/// repeat nothing of itself, so that all of it is new.
const APART_BLOCKS: u32 = 16;
const APART_LEAST_S: f32 = 5.0;
const APART_S: f32 = 12.0;
/// Seconds during which a new section may turn out to be a break or a drop.
const RENAMED_S: f32 = 4.0;
/// Longest wait for a downbeat in seconds. If it is further away, the section begins at once.
const WAIT_S: f32 = 2.0;
/// No bar is slower, in beats per minute.
const SLOWEST_BPM: f32 = 40.0;
/// Music has nearly ended if its energy has fallen by this many octaves within 2 s or so, or if its level is lower.
const ENDED_OCTAVES: f32 = 1.5;
const ENDED_LEVEL: f32 = 0.03;
/// A break of this length in seconds is a quiet section. A drop lasts as many seconds as stated.
const BREAK_MOST_S: f32 = 30.0;
const DROP_S: f32 = 6.0;
/// Seconds after a build during which drums and bass may still return as a drop.
const ARMED_S: f32 = 3.0;
/// Seconds after a new section before a build may begin: a step is not a slope.
const BUILD_AFTER_S: f32 = 4.5;
/// Octaves by which energy rises in a full build.
const FULL_BUILD: f32 = 2.5;
/// A build ends when energy has fallen by this many octaves, or has not risen for some seconds.
const BUILD_FALL: f32 = 0.6;
const BUILD_STALL_S: f32 = 4.0;
const DT: f32 = 1.0 / HOP_RATE;

/// What the tracker knows after a hop.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct SectionReading {
    pub(super) section: Section,
    /// What began in this hop; a new section without a name of its own is [`Section::Steady`].
    pub(super) began: Option<Section>,
    /// How strongly the energy builds, 0 … 1.
    pub(super) build: f32,
}

/// Loudness, beat and bar of a hop.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulse {
    pub(super) silent: bool,
    /// Loudness after automatic gain, 0 … 1.
    pub(super) level: f32,
    /// Tempo in beats per minute; 0 without beats.
    pub(super) bpm: f32,
    /// Phase in the beat.
    pub(super) phase: f32,
    /// Confidence of the beats.
    pub(super) confidence: f32,
    /// Beats in a bar; 0 while the bar is unknown.
    pub(super) beats_per_bar: u32,
    /// Position in the bar in beats.
    pub(super) bar_position: f32,
}

impl Pulse {
    /// Seconds to the next downbeat; 0 on it, or while the bar is unknown.
    fn downbeat_in(&self) -> f32 {
        if self.beats_per_bar == 0 || self.bar_position < 0.5 {
            return 0.0;
        }
        (self.beats_per_bar as f32 - self.bar_position) * 60.0 * reciprocal(at_least(self.bpm, SLOWEST_BPM))
    }
}

/// Finds sections. About 1.3 KiB.
#[derive(Clone, Debug)]
pub(super) struct SectionTracker {
    blocks: Blocks,
    now: State,
}

/// Everything but the blocks.
#[derive(Clone, Copy, Debug)]
struct State {
    section: Section,
    /// How strongly the energy builds.
    build: f32,
    /// Phase of the beat in the last hop, smoothed confidence, and the highest level of this block.
    phase: f32,
    confidence: f32,
    level: f32,
    /// Seconds of sound since the last pause, of the pause, and without a beat.
    awake: f32,
    paused: f32,
    beatless: f32,
    /// Seconds since this state began; seconds and blocks since something began.
    since: f32,
    began: f32,
    began_blocks: u32,
    /// Whether a new section without a name began last.
    unnamed: bool,
    /// Seconds that a new section still waits for its downbeat; 0 = none waits.
    waits: f32,
    /// Usual novelty, and what is left of the novelty of the last section, in octaves.
    usual: f32,
    held: f32,
    /// Drums and bass before the break or build, and the seconds for which they may still return as a drop.
    before: Drive,
    armed: f32,
    /// Energy at the beginning of the build, and the highest since, in octaves; seconds since then.
    from: f32,
    highest: f32,
    stalled: f32,
}

impl State {
    const BLANK: Self = Self {
        section: Section::Unknown,
        build: 0.0,
        phase: 0.0,
        confidence: 0.0,
        level: 0.0,
        awake: 0.0,
        paused: 0.0,
        beatless: 0.0,
        since: 0.0,
        began: 0.0,
        began_blocks: 0,
        unnamed: false,
        waits: 0.0,
        usual: 0.0,
        held: 0.0,
        before: Drive { low: 0.0, low_rise: 0.0, rise: 0.0 },
        armed: 0.0,
        from: 0.0,
        highest: 0.0,
        stalled: 0.0,
    };

    fn enter(&mut self, section: Section) {
        self.section = section;
        self.since = 0.0;
    }

    /// Something begins.
    fn begin(&mut self, unnamed: bool) {
        (self.began, self.began_blocks, self.waits, self.unnamed) = (0.0, 0, 0.0, unnamed);
    }

    /// Whether the last section began long enough ago for another.
    fn is_apart(&self) -> bool {
        self.began >= APART_S || (self.began_blocks >= APART_BLOCKS && self.began >= APART_LEAST_S)
    }

    /// Whether a novelty is that of a new section.
    fn is_new(&mut self, novelty: f32, seconds: f32) -> bool {
        self.held -= self.held * (FADING * seconds);
        let is_new = novelty > (NEW_FACTOR * self.usual + NEW_OCTAVES).max(NEW_LEAST) && novelty > self.held;
        if is_new || !self.is_apart() {
            self.held = self.held.max(novelty);
        }
        let excess = novelty - self.usual;
        let share = choose(excess > 0.0, &USUAL);
        self.usual += excess.min(USUAL_MOST) * share;
        is_new
    }
}

impl SectionTracker {
    /// A tracker that has heard nothing; all zeros.
    pub(super) const BLANK: Self = Self { blocks: Blocks::BLANK, now: State::BLANK };

    /// Advances by one hop.
    pub(super) fn process(&mut self, hop: &Hop, pulse: &Pulse) -> SectionReading {
        let now = &mut self.now;
        if pulse.silent {
            now.paused += DT;
            if now.paused > PAUSE_S && now.awake > 0.0 {
                self.blocks.forget();
                *now = State { paused: now.paused, ..State::BLANK };
            }
            return SectionReading::default();
        }
        now.paused = 0.0;
        now.awake += DT;
        now.confidence += (pulse.confidence - now.confidence) * const { 1.0 - decay(DT, CONFIDENCE_S) };
        // Once it is music, less is enough.
        let enough = choose(now.section != Section::Unknown, &MUSIC);
        now.beatless = if now.confidence > enough { 0.0 } else { now.beatless + DT };
        now.level = now.level.max(pulse.level);
        let hops = self.blocks.hear(hop);
        let mut began = None;
        if self.is_complete(hops, pulse) {
            self.blocks.complete();
            began = self.judge(hops as f32 * DT, pulse);
            self.now.level = 0.0;
        }
        self.now.phase = pulse.phase;
        SectionReading { section: self.now.section, began, build: self.now.build }
    }

    /// Whether the block ends here: with a beat, if one is known.
    fn is_complete(&self, hops: u32, pulse: &Pulse) -> bool {
        if pulse.bpm <= 0.0 {
            return hops >= BLOCK_HOPS;
        }
        let before = self.now.phase;
        let beat = pulse.phase < before - 0.5;
        let half = pulse.bpm < SLOW_BPM && before < 0.5 && pulse.phase >= 0.5;
        hops >= MOST_HOPS || (hops >= LEAST_HOPS && (beat || half))
    }

    /// Judges a complete block of `seconds`. Returns what begins with it.
    fn judge(&mut self, seconds: f32, pulse: &Pulse) -> Option<Section> {
        let now = &mut self.now;
        now.since += seconds;
        now.began += seconds;
        now.began_blocks += 1;
        now.stalled += seconds;
        now.armed -= seconds;
        let novelty = self.blocks.novelty();
        let is_new = now.is_new(novelty, seconds);
        let was_music = now.section != Section::Unknown;
        let is_music = now.beatless < BEATLESS_S && (was_music || now.beatless == 0.0);
        if now.awake < HEARD_S || self.blocks.heard() < HEARD_BLOCKS || !is_music {
            now.enter(Section::Unknown);
            (now.build, now.waits, now.armed) = (0.0, 0.0, 0.0);
            return None;
        }
        if !was_music {
            now.enter(Section::Steady);
            now.begin(false);
        }
        if let Some(section) = self.named() {
            let now = &mut self.now;
            now.enter(section);
            now.held = now.held.max(novelty);
            // The same change may have counted as a new section a moment ago.
            let again = now.unnamed && now.began < RENAMED_S;
            if again {
                now.unnamed = false;
                return None;
            }
            now.begin(false);
            return Some(section);
        }
        let goes_on = self.goes_on();
        let now = &mut self.now;
        let is_open = matches!(now.section, Section::Steady | Section::Drop);
        if is_new && is_open && now.waits <= 0.0 && now.is_apart() {
            now.waits = WAIT_S;
        }
        if now.waits <= 0.0 {
            return None;
        }
        now.waits -= seconds;
        let wait = pulse.downbeat_in();
        if !goes_on || (wait > 0.0 && wait <= now.waits) {
            return None;
        }
        now.enter(Section::Steady);
        now.begin(true);
        Some(Section::Steady)
    }

    /// Whether the latest sound is more than the end of what was before.
    fn goes_on(&self) -> bool {
        let before: f32 = (3..7).map(|ago| self.blocks.energy(ago)).sum();
        self.now.level > ENDED_LEVEL && self.blocks.energy(0) > 0.25 * before - ENDED_OCTAVES
    }

    /// The break, drop or build that begins with this block, if one does.
    fn named(&mut self) -> Option<Section> {
        let now = &mut self.now;
        if matches!(now.section, Section::Break | Section::Build) {
            now.armed = ARMED_S;
        }
        if now.armed > 0.0 && self.blocks.drops(&now.before) {
            (now.build, now.armed) = (0.0, 0.0);
            return Some(Section::Drop);
        }
        match now.section {
            Section::Build => self.follow_build(),
            Section::Break if now.since > BREAK_MOST_S => now.enter(Section::Steady),
            Section::Drop if now.since > DROP_S => now.enter(Section::Steady),
            _ => {}
        }
        let now = &mut self.now;
        let may_build = match now.section {
            Section::Steady => !now.unnamed || now.began > BUILD_AFTER_S,
            section => section == Section::Break,
        };
        if may_build && let Some(from) = self.blocks.rising() {
            if now.section != Section::Break {
                now.before = self.blocks.before(BUILD_BLOCKS[0]);
            }
            (now.from, now.highest, now.stalled) = (from, self.blocks.energy(0), 0.0);
            now.build = share_of_build(now.highest - from);
            return Some(Section::Build);
        }
        // The blocks that show a break must be later than what began last, unless they say what began.
        let is_later = now.unnamed || now.began_blocks >= BREAK_BLOCKS as u32;
        let may_break =
            is_later && matches!(now.section, Section::Steady | Section::Drop) && now.level > ENDED_LEVEL;
        if may_break && self.blocks.falls_away() {
            now.before = self.blocks.before(BREAK_BLOCKS);
            return Some(Section::Break);
        }
        None
    }

    fn follow_build(&mut self) {
        let now = &mut self.now;
        let energy = self.blocks.energy(0);
        if energy > now.highest {
            (now.highest, now.stalled) = (energy, 0.0);
        }
        now.build = share_of_build(now.highest - now.from).max(now.build);
        if energy < now.highest - BUILD_FALL || now.stalled > BUILD_STALL_S {
            now.build = 0.0;
            now.enter(Section::Steady);
        }
    }
}

/// The share of a full build that a rise of energy in octaves is, 0 … 1.
fn share_of_build(octaves: f32) -> f32 {
    (octaves * (1.0 / FULL_BUILD)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests;
