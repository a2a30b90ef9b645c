//! Decides whether a microphone is present: after three failures in a row it counts as absent, and K1 tries it again
//! once per second.
//!
//! While it is absent, the ear hears silence at the normal pace, so that the light is calm and nothing waits for ever.
//!
//! A microphone that answers may still send no sound: it is dead, or it sends in the other of the two slots of an I²S
//! frame, which depends on one solder joint.

use k1_engine::SAMPLE_RATE;

/// Failures in a row that make a microphone absent.
pub const MOST_FAILURES: u32 = 3;
/// Pause between two attempts while it is absent, in µs.
pub const PROBE_US: u64 = 1_000_000;

/// A slot whose words differ by this many of a microphone's 2¹⁸ steps within a second carries sound. The noise of a
/// quiet room differs by more; the rest of the previous slot that stays on the line differs by less.
const MOVES: i32 = 16;

/// State of a microphone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// It is present and sends sound.
    Present,
    /// Nothing answers.
    Absent,
    /// It answers, but its samples do not change.
    Dead,
    /// The samples in its slot do not change, but those in the other slot do.
    WrongSlot,
}

impl Hearing {
    /// One or two words for an interface.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Absent => "absent",
            Self::Dead => "dead",
            Self::WrongSlot => "wrong slot",
        }
    }

    /// What to do about the state, as a sentence.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Present => "",
            Self::Absent => "no microphone answers: check its wires and its supply, or send sound",
            Self::Dead => "it answers, but its samples do not change: check its data wire and its supply",
            Self::WrongSlot => "it sends in the other slot: tie its SEL (or L/R) pin to the other level",
        }
    }
}

/// Watches both slots of an I²S frame, of which one is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    heard: Option<(i32, i32)>,
    other: Option<(i32, i32)>,
    frames: u32,
    is_other: bool,
}

impl Slots {
    /// Notes a frame: the words of the slot that is heard and of the other slot, in steps of the microphone.
    pub fn frame(&mut self, heard: i32, other: i32) {
        let grow = |range: &mut Option<(i32, i32)>, word: i32| {
            let (low, high) = range.unwrap_or((word, word));
            *range = Some((low.min(word), high.max(word)));
        };
        grow(&mut self.heard, heard);
        grow(&mut self.other, other);
        self.frames += 1;
        if self.frames == SAMPLE_RATE {
            let width = |range: Option<(i32, i32)>| range.map_or(0, |(low, high)| high.saturating_sub(low));
            let is_other = width(self.heard) < MOVES && width(self.other) >= MOVES;
            *self = Self { is_other, ..Self::default() };
        }
    }

    /// True if during the last whole second only the other slot carried sound.
    pub fn is_other(&self) -> bool {
        self.is_other
    }
}

/// Finds the lowest bit that changes in a microphone's words of 32 bits. It shows whether the bus takes the words at the
/// right place: the 18 bits of an SPH0645 end at bit 14.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alignment {
    last: Option<i32>,
    changed: u32,
    words: u32,
}

impl Alignment {
    /// The bits below this one are not driven by a microphone with 24 bits or fewer, so they may be anything.
    const FLOATING: u32 = 8;

    /// Takes a word, until a second of them was seen.
    pub fn word(&mut self, word: i32) {
        if self.words < SAMPLE_RATE {
            self.changed |= self.last.map_or(0, |last| (last ^ word) as u32);
            self.last = Some(word);
            self.words += 1;
        }
    }

    /// The lowest bit that changed during the first second; `None` before its end, or if no bit changed.
    pub fn lowest_bit(&self) -> Option<u8> {
        let lowest = (self.changed >> Self::FLOATING << Self::FLOATING).trailing_zeros();
        (self.words == SAMPLE_RATE && lowest < u32::BITS).then_some(lowest as u8)
    }
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read, with a limited wait.
    Read,
    /// Hear a hop of silence.
    Silence,
}

/// Tracks whether a microphone is present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    in_a_row: u32,
    probe_at_us: u64,
    /// Reads that failed since the start.
    pub failures: u32,
    /// Number of times that it became absent since the start.
    pub losses: u32,
}

impl Presence {
    /// True while the microphone counts as present.
    pub fn is_present(&self) -> bool {
        self.in_a_row < MOST_FAILURES
    }

    /// What to do at `now_us`.
    pub fn next(&self, now_us: u64) -> Next {
        if self.is_present() || now_us >= self.probe_at_us { Next::Read } else { Next::Silence }
    }

    /// Notes that a read has succeeded.
    pub fn heard(&mut self) {
        self.in_a_row = 0;
    }

    /// Notes that a read has failed.
    pub fn failed(&mut self, now_us: u64) {
        self.failures = self.failures.saturating_add(1);
        if self.in_a_row < MOST_FAILURES {
            self.in_a_row += 1;
            self.losses += u32::from(self.in_a_row == MOST_FAILURES);
        }
        self.probe_at_us = now_us + PROBE_US;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_in_the_other_slot_is_told_from_none() {
        type Word = fn(i32) -> i32;
        let told = |heard: Word, other: Word| {
            let mut slots = Slots::default();
            (0..SAMPLE_RATE as i32).for_each(|i| slots.frame(heard(i), other(i)));
            slots.is_other()
        };
        let (nothing, sound): (Word, Word) = (|_| -7, |i| i % 50 * 100);
        let rest: Word = |i| i % 2;
        assert!(told(nothing, sound) && told(rest, sound));
        assert!(!told(sound, nothing), "as it should be");
        assert!(!told(sound, sound), "two microphones, or one that is heard twice");
        assert!(!told(nothing, nothing) && !told(nothing, rest), "dead");
        let extremes: Word = |i| if i % 2 == 0 { i32::MIN } else { i32::MAX };
        assert!(told(nothing, extremes), "no sum overflows");
    }

    #[test]
    fn a_shifted_word_is_told_by_its_lowest_bit() {
        let lowest = |word: fn(i32) -> i32| {
            let mut alignment = Alignment::default();
            (0..SAMPLE_RATE as i32 - 1).for_each(|i| alignment.word(word(i)));
            assert_eq!(alignment.lowest_bit(), None, "not before a second has passed");
            alignment.word(word(-1));
            alignment.word(1 << 9);
            alignment.lowest_bit()
        };
        // 18 bits of sound around an offset, and a line that nobody drives afterwards.
        assert_eq!(lowest(|i| (i % 701 - 6_640) << 14 | (i & 0xff)), Some(14));
        assert_eq!(lowest(|i| ((i % 701 - 6_640) << 14) >> 1 | (i & 0x7f)), Some(13), "one bit late");
        assert_eq!(lowest(|i| (i % 701 - 6_640) << 15), Some(15), "one bit early");
        assert_eq!(lowest(|_| -7 << 14), None, "dead");
    }

    #[test]
    fn it_is_told_within_a_second_and_forgotten_within_another() {
        let mut slots = Slots::default();
        (0..SAMPLE_RATE as i32 - 1).for_each(|i| slots.frame(0, i));
        assert!(!slots.is_other(), "not before a second has passed");
        slots.frame(0, 0);
        assert!(slots.is_other());
        (0..SAMPLE_RATE as i32).for_each(|i| slots.frame(i, 0));
        assert!(!slots.is_other());
    }

    #[test]
    fn three_failures_make_it_absent_and_one_read_brings_it_back() {
        let mut p = Presence::default();
        for i in 0..3 {
            assert!(p.is_present());
            assert_eq!(p.next(i * 100_000), Next::Read);
            p.failed(i * 100_000);
        }
        assert!(!p.is_present());
        let reads = (201_u64..2_500).filter(|ms| {
            let read = p.next(ms * 1000) == Next::Read;
            if read {
                p.failed(ms * 1000);
            }
            read
        });
        assert_eq!(reads.count(), 2, "once a second, and silence between");
        p.heard();
        assert!(p.is_present());
        assert_eq!((p.failures, p.losses), (5, 1));
        p.failed(0);
        p.heard();
        p.failed(0);
        p.failed(0);
        assert!(p.is_present(), "not in a row");
    }
}
