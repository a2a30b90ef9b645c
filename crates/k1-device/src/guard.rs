//! Detects a part of a lamp that has stopped, so that the lamp restarts instead of hanging.
//!
//! Renderer, ear and network each count what they do. A [`Watch`] checks the counts. A part whose count has not moved
//! for [`PATIENCE_MS`] is starved: the lamp writes the part's name to memory that survives a reset, and restarts. A
//! hardware watchdog, if there is one, is fed only while all counts move; it guards the task that checks them.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// A part that must not stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The half that shows; it counts frames.
    Renderer,
    /// The half that hears; it counts hops.
    Ear,
    /// The tasks that serve the network; a task beside them counts.
    Network,
}

/// State of the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Every count has moved since the last check.
    All,
    /// The count of this part has not moved, but its time is not over.
    Waiting(Part),
    /// The count of this part has not moved for too long.
    Starved(Part),
}

/// Longest time in ms that a count may stay the same. An erase of the flash, which stops both halves, is shorter.
pub const PATIENCE_MS: u32 = 5_000;

impl Part {
    /// Every part.
    pub const ALL: [Self; 3] = [Self::Renderer, Self::Ear, Self::Network];

    /// Text of the record that survives the reset.
    pub const fn last_words(self) -> &'static str {
        match self {
            Self::Renderer => "starved: the renderer",
            Self::Ear => "starved: the ear",
            Self::Network => "starved: the network",
        }
    }

    /// Reason of the reset, as the API reports it.
    pub const fn reset_reason(self) -> &'static str {
        match self {
            Self::Renderer => "watchdog: the renderer stood still",
            Self::Ear => "watchdog: the ear stood still",
            Self::Network => "watchdog: the network stood still",
        }
    }

    /// The part that a record names.
    pub fn named_in(record: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| record.starts_with(part.last_words()))
    }
}

/// The reason of a reset, as the API reports it, from the number that the hardware of an ESP32 gives it. The numbers of
/// a power glitch and of USB depend on the chip. "other" if it is not known.
pub fn reset_reason_of(number: u32, chip: &str) -> &'static str {
    match (number, chip) {
        (0x13, "esp32s31") => "brown-out",
        (0x17, "esp32s31") => "USB",
        (0x17, _) => "brown-out",
        (0x01, _) => "power on",
        (0x03 | 0x0c, _) => "software",
        (0x07..=0x09 | 0x0b | 0x0d | 0x10..=0x12, _) => "watchdog",
        (0x0f, _) => "brown-out",
        (0x15 | 0x16, _) => "USB",
        (0x18, _) => "debugger",
        (0x1a, _) => "lock-up",
        _ => "other",
    }
}

/// Watches the parts. It has no lock, so that an interrupt may check the counts no matter what it has interrupted; only
/// one caller may check at a time.
#[derive(Debug, Default)]
pub struct Watch {
    has_looked: AtomicBool,
    seen: [AtomicU32; Part::ALL.len()],
    moved_ms: [AtomicU32; Part::ALL.len()],
}

impl Watch {
    /// A watch that has not checked the counts yet.
    pub const fn new() -> Self {
        Self {
            has_looked: AtomicBool::new(false),
            seen: [const { AtomicU32::new(0) }; Part::ALL.len()],
            moved_ms: [const { AtomicU32::new(0) }; Part::ALL.len()],
        }
    }

    /// Checks the counts, in the order of [`Part::ALL`], at a time in ms that may wrap. The first check only stores
    /// them.
    pub fn look(&self, counts: [u32; Part::ALL.len()], now_ms: u32) -> Progress {
        let begins = !self.has_looked.swap(true, Relaxed);
        let (mut progress, mut longest) = (Progress::All, 0);
        for (i, part) in Part::ALL.into_iter().enumerate() {
            let seen = self.seen[i].swap(counts[i], Relaxed);
            if begins || seen != counts[i] {
                self.moved_ms[i].store(now_ms, Relaxed);
                continue;
            }
            let still = now_ms.wrapping_sub(self.moved_ms[i].load(Relaxed));
            // The part that stopped first may have stopped the others.
            if progress == Progress::All || still > longest {
                longest = still;
                progress =
                    if still > PATIENCE_MS { Progress::Starved(part) } else { Progress::Waiting(part) };
            }
        }
        progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reason of esp-hal 1.2.2 for the ESP32-S3, C6, P4 and S31 (`SocResetReason`).
    #[test]
    fn every_reset_has_its_reason() {
        let of = |reason, numbers: &[u32]| {
            for (number, chip) in
                numbers.iter().flat_map(|n| ["esp32s3", "esp32c6", "esp32p4"].map(|c| (*n, c)))
            {
                assert_eq!(reset_reason_of(number, chip), reason, "{number:#x} of {chip}");
            }
        };
        of("power on", &[0x01]);
        of("watchdog", &[0x07, 0x08, 0x09, 0x0b, 0x0d, 0x10, 0x11, 0x12]);
        of("brown-out", &[0x0f, 0x17]);
        of("software", &[0x03, 0x0c]);
        of("USB", &[0x15, 0x16]);
        of("debugger", &[0x18]);
        // Deep sleep, SDIO, a glitch of the clock, a damaged fuse, and numbers that no chip has.
        of("other", &[0x05, 0x06, 0x13, 0x14, 0, 0x99]);
        let s31 = [0x13, 0x17, 0x1a, 0x16, 0x09].map(|number| reset_reason_of(number, "esp32s31"));
        assert_eq!(s31, ["brown-out", "USB", "lock-up", "USB", "watchdog"]);
    }

    #[test]
    fn each_part_is_missed_by_name() {
        for (i, part) in Part::ALL.into_iter().enumerate() {
            let watch = Watch::new();
            let mut counts = [0; 3];
            // Shortly before both the time and the count wrap.
            let start = u32::MAX - 1_000;
            counts[i] = u32::MAX;
            for k in 0..=10 {
                assert_eq!(
                    watch.look(counts, start.wrapping_add(500 * k)),
                    if k == 0 { Progress::All } else { Progress::Waiting(part) }
                );
                (0..3).filter(|j| *j != i).for_each(|j| counts[j] += 7);
            }
            assert_eq!(watch.look(counts, start.wrapping_add(5_500)), Progress::Starved(part));
            counts[i] = 0;
            (0..3).filter(|j| *j != i).for_each(|j| counts[j] += 7);
            assert_eq!(watch.look(counts, start.wrapping_add(6_000)), Progress::All, "it goes on");
        }
    }

    #[test]
    fn who_stood_still_first_is_named() {
        let watch = Watch::new();
        watch.look([1, 1, 1], 0);
        watch.look([2, 1, 2], 500);
        assert_eq!(watch.look([2, 1, 2], 6_500), Progress::Starved(Part::Ear));
    }

    #[test]
    fn a_long_start_starves_nobody() {
        assert_eq!(Watch::new().look([0, 0, 0], 60_000), Progress::All);
    }

    #[test]
    fn a_record_names_its_part_and_a_panic_none() {
        for part in Part::ALL {
            let record = std::format!("{} (guard.rs:12)", part.last_words());
            assert_eq!(Part::named_in(&record), Some(part));
        }
        assert_eq!(Part::named_in("index out of bounds"), None);
    }
}
