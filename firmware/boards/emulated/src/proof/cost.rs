//! Counts the instructions of hops and frames, and the stack that they use.

use k1_engine::audio::{Ear, Snapshot};
use k1_engine::patterns::PATTERNS;

use super::{Board, Show, hop, hops, question};

/// Value of unused words of a stack.
const PAINT: u32 = 0x4b31_4b31;
/// Depth in bytes to which the stack is painted, more than a half of a lamp has.
const DEPTH: usize = 24 * 1024;
/// Bytes below the stack pointer that may hold registers of callers: on Xtensa, 16 for the nearest.
const IN_USE: usize = 64;

/// What a piece of work needs.
#[derive(Clone, Copy, Default)]
pub struct Cost {
    /// Number of instructions that the processor ran.
    pub instructions: u32,
    /// Bytes of stack, of at most 24 KiB.
    pub stack: u32,
}

/// Sum and maximum of costs.
#[derive(Clone, Copy, Default)]
pub struct Tally {
    sum: u64,
    worst: Cost,
    rounds: u32,
}

impl Tally {
    /// Adds a cost.
    pub fn add(&mut self, cost: Cost) {
        self.sum += u64::from(cost.instructions);
        self.worst.instructions = self.worst.instructions.max(cost.instructions);
        self.worst.stack = self.worst.stack.max(cost.stack);
        self.rounds += 1;
    }

    /// Prints it as a line of JSON; `kind` and `name` together are its name.
    pub fn print<B: Board>(&self, kind: &str, name: &str) {
        B::print(format_args!(
            "{{\"name\": \"{kind}{name}\", \"mean\": {}, \"worst\": {}, \"stack\": {}, \"rounds\": {}}}",
            self.sum / u64::from(self.rounds.max(1)),
            self.worst.instructions,
            self.worst.stack,
            self.rounds
        ));
    }
}

/// Does a piece of work and measures it.
#[inline(never)]
pub fn cost<B: Board>(work: impl FnOnce()) -> Cost {
    let top = (B::stack_pointer() - IN_USE) as *mut u32;
    let bottom = top.wrapping_byte_sub(DEPTH);
    let mut at = bottom;
    while at < top {
        // SAFETY: below the stack pointer nothing is in use, no interrupt runs, and boards give a proof this much stack.
        unsafe { at.write_volatile(PAINT) };
        at = at.wrapping_add(1);
    }
    let from = B::count();
    below(work);
    let to = B::count();
    let mut at = bottom;
    // SAFETY: the words written above.
    while at < top && unsafe { at.read_volatile() } == PAINT {
        at = at.wrapping_add(1);
    }
    let stack = B::stack_pointer() - at as usize;
    Cost { instructions: B::instructions(from, to), stack: stack as u32 }
}

/// A function of its own, because the frame of the one that measures is not painted.
#[inline(never)]
fn below(work: impl FnOnce()) {
    work();
}

/// Prints the cost of the hops of the music, and of the frames of each pattern.
pub fn instructions<B: Board>(ear: &mut Ear, show: &mut Show) {
    let mut tally = Tally::default();
    let mut snapshot = Snapshot::EMPTY;
    for k in 0..hops::<B>() {
        let hop = hop::<B>(k);
        tally.add(cost::<B>(|| {
            if let Some(s) = ear.push(&hop) {
                snapshot = *s;
            }
        }));
    }
    tally.print::<B>("hop", "");
    let leds = question::<B>(4) as usize;
    let mut wire = [[0; 3]; 300];
    let mut now = snapshot.captured_us;
    for (index, pattern) in PATTERNS.iter().enumerate() {
        show.cut_to(index);
        let mut tally = Tally::default();
        for k in 0..240_u32 {
            now += 8_333;
            snapshot.captured_us = now;
            snapshot.sequence += 1;
            // A beat every half second, so that patterns that react to beats have work to do.
            snapshot.beat_phase = (now % 500_000) as f32 / 500_000.0;
            snapshot.beats = (now / 500_000) as u32;
            // The same of bars of four.
            (snapshot.beats_per_bar, snapshot.bar_confidence) = (4, 0.9);
            snapshot.bar_position = (now % 2_000_000) as f32 / 500_000.0;
            snapshot.onsets += u32::from(k.is_multiple_of(30));
            tally.add(cost::<B>(|| {
                show.render(now, &snapshot);
                show.output.wire(true, &mut wire[..leds]);
            }));
        }
        tally.print::<B>("frame/", pattern.id);
    }
}
