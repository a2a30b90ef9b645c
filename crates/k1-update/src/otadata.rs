//! The two records that select the slot to start, in ESP-IDF's format, read as tolerantly as its bootloader reads them.
//!
//! A record is 32 bytes at the start of a sector: sequence number, 20 bytes that IDF leaves to the application, state,
//! and a CRC of the sequence number alone. It counts if its CRC is right. Of the records that may boot, the one with
//! the highest number wins, and selects the slot (number − 1) mod 2 (`esp_ota_select_entry_t` and
//! `bootloader_utility.c` of ESP-IDF).

use crc::{Algorithm, Crc, NoTable};

use crate::layout::Slot;

/// Size of a record in bytes.
pub const ENTRY: usize = 32;

/// The CRC-32 of the chips' ROM with an initial value of all ones, which the ROM inverts first.
const ROM_CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&Algorithm {
    width: 32,
    poly: 0x04c1_1db7,
    init: 0,
    refin: true,
    refout: true,
    xorout: 0xffff_ffff,
    check: 0xd202_d277,
    residue: 0xdebb_20e3,
});

/// State of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Activated, to be tried at the next start.
    New,
    /// On trial. An image that starts again in this state has failed.
    Pending,
    /// Confirmed: the image stays.
    Valid,
    /// Rejected by itself.
    Invalid,
    /// Failed its trial.
    Aborted,
    /// Never judged: written by a tool that does not support trials.
    Unjudged,
}

impl State {
    const fn word(self) -> u32 {
        match self {
            Self::New => 0,
            Self::Pending => 1,
            Self::Valid => 2,
            Self::Invalid => 3,
            Self::Aborted => 4,
            Self::Unjudged => u32::MAX,
        }
    }

    const fn from_word(word: u32) -> Self {
        match word {
            0 => Self::New,
            1 => Self::Pending,
            2 => Self::Valid,
            3 => Self::Invalid,
            4 => Self::Aborted,
            _ => Self::Unjudged,
        }
    }
}

/// Information that one start of a lamp leaves for the next, in the bytes that IDF leaves free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// There was a network just before the update.
    pub had_network: bool,
    /// The bootloader was observed to put an image on trial.
    pub is_armed: bool,
    /// The bootloader was asked to put an image on trial, to test whether it does.
    pub was_asked: bool,
    /// Pace of the previous image just before the update.
    pub before: Pace,
}

/// Share of the due work that is done, in fifteenths; 0 means not measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Frames shown.
    pub frames: u8,
    /// Hops of sound analysed.
    pub hops: u8,
}

const NOTE_MARK: [u8; 2] = *b"K1";

/// A valid record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Sequence number; the higher one wins.
    pub sequence: u32,
    /// State of its image.
    pub state: State,
    /// Information for the next start.
    pub note: Note,
}

impl Entry {
    /// Reads a record; `None` if it is not valid.
    pub fn read(bytes: &[u8; ENTRY]) -> Option<Self> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let (sequence, state, sum) = (word(0), word(24), word(28));
        if sequence == u32::MAX || sum != ROM_CRC.checksum(&bytes[..4]) {
            return None;
        }
        let (flags, pace) = if bytes[4..6] == NOTE_MARK { (bytes[6], bytes[7]) } else { (0, 0) };
        let note = Note {
            had_network: flags & 1 != 0,
            is_armed: flags & 2 != 0,
            was_asked: flags & 4 != 0,
            before: Pace { frames: pace >> 4, hops: pace & 15 },
        };
        Some(Self { sequence, state: State::from_word(state), note })
    }

    /// The bytes of the record.
    pub fn bytes(&self) -> [u8; ENTRY] {
        let mut bytes = [0xff; ENTRY];
        let sequence = self.sequence.to_le_bytes();
        bytes[..4].copy_from_slice(&sequence);
        bytes[4..6].copy_from_slice(&NOTE_MARK);
        let Note { had_network, is_armed, was_asked, before: Pace { frames, hops } } = self.note;
        bytes[7] = frames.min(15) << 4 | hops.min(15);
        bytes[6] = u8::from(had_network) | u8::from(is_armed) << 1 | u8::from(was_asked) << 2;
        bytes[24..28].copy_from_slice(&self.state.word().to_le_bytes());
        bytes[28..].copy_from_slice(&ROM_CRC.checksum(&sequence).to_le_bytes());
        bytes
    }

    /// The slot that it selects.
    pub const fn slot(&self) -> Slot {
        if self.sequence.wrapping_sub(1).is_multiple_of(2) { Slot::App0 } else { Slot::App1 }
    }

    /// True if a bootloader may choose it.
    pub const fn may_boot(&self) -> bool {
        !matches!(self.state, State::Invalid | State::Aborted)
    }

    /// True between activation and verdict.
    pub const fn is_on_trial(&self) -> bool {
        matches!(self.state, State::New | State::Pending)
    }
}

/// Both records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records(pub [Option<Entry>; 2]);

impl Records {
    /// Index of the record that a bootloader chooses; `None` lets it try the slots from the first.
    pub fn chosen(&self) -> Option<usize> {
        let number = |which: usize| self.0[which].filter(Entry::may_boot).map(|e| e.sequence);
        match (number(0), number(1)) {
            (None, None) => None,
            (first, second) => Some(usize::from(second > first)),
        }
    }

    /// The newest record of a slot, with its index.
    pub fn of(&self, slot: Slot) -> Option<(usize, Entry)> {
        let both = self.0.iter().enumerate().filter_map(|(which, e)| Some((which, (*e)?)));
        both.filter(|(_, e)| e.slot() == slot).max_by_key(|(_, e)| e.sequence)
    }

    /// The lowest number above all others that selects `slot`; `None` if no number is left.
    pub fn next(&self, slot: Slot) -> Option<u32> {
        let highest = self.0.iter().flatten().map(|e| e.sequence).max().unwrap_or(0);
        let above = |n: u32| highest.checked_add(n).filter(|s| *s < u32::MAX);
        let names = |s: &u32| (s.wrapping_sub(1) % 2) as usize == slot as usize;
        above(1).filter(names).or_else(|| above(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by IDF's `otatool.py` for the first two numbers.
    #[test]
    fn the_sum_is_the_one_of_the_chips() {
        assert_eq!(ROM_CRC.checksum(&1_u32.to_le_bytes()), 0x4743_989a);
        assert_eq!(ROM_CRC.checksum(&2_u32.to_le_bytes()), 0x55f6_3774);
    }

    #[test]
    fn what_was_written_is_read_and_what_is_torn_does_not_count() {
        for state in [State::New, State::Pending, State::Valid, State::Invalid, State::Aborted] {
            let note = Note {
                had_network: true,
                is_armed: state == State::Valid,
                was_asked: state == State::New,
                before: Pace { frames: 14, hops: 3 },
            };
            let entry = Entry { sequence: 7, state, note };
            let bytes = entry.bytes();
            assert_eq!(Entry::read(&bytes), Some(entry));
            for bit in (0..32).chain(224..256) {
                let mut torn = bytes;
                torn[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Entry::read(&torn), None, "bit {bit}");
            }
        }
        assert_eq!(Entry::read(&[0xff; ENTRY]), None);
        let mut by_a_tool = [0xff; ENTRY];
        by_a_tool[..4].copy_from_slice(&[2, 0, 0, 0]);
        by_a_tool[28..].copy_from_slice(&0x55f6_3774_u32.to_le_bytes());
        let entry = Entry { sequence: 2, state: State::Unjudged, note: Note::default() };
        assert_eq!(Entry::read(&by_a_tool), Some(entry));
        assert_eq!((entry.slot(), entry.may_boot()), (Slot::App1, true));
    }

    #[test]
    fn numbers_rise_and_name_their_slot() {
        let entry = |sequence| Some(Entry { sequence, state: State::Valid, note: Note::default() });
        for (records, next) in [
            ([None, None], [1, 2]),
            ([entry(1), None], [3, 2]),
            ([entry(1), entry(2)], [3, 4]),
            ([entry(9), entry(4)], [11, 10]),
        ] {
            let r = Records(records);
            assert_eq!(Slot::ALL.map(|slot| r.next(slot)), next.map(Some), "{records:?}");
        }
        let full = Records([entry(u32::MAX - 1), None]);
        assert_eq!(full.next(Slot::App0), None);
        assert_eq!(Records([entry(u32::MAX - 3), None]).next(Slot::App0), Some(u32::MAX - 2));
    }
}
