//! When sound was captured, told from when it arrives: the clock of the half that hears, the same in every home.

use k1_engine::HOP_US;

/// A hop that comes this much later or earlier than expected, in µs, is a gap or a burst; less is jitter and is smoothed.
pub const GAP_US: u64 = 60_000;

/// The time at which the last sample of the next hop is captured, in µs of the home's clock.
///
/// Every jump forward is a gap in the sound: that is what [`Count::Underruns`](crate::meter::Count::Underruns) counts.
#[derive(Clone, Copy, Debug)]
pub struct SoundClock {
    due_us: u64,
}

impl SoundClock {
    /// Sound begins now: the first hop is whole a hop from now.
    pub fn starting_at(now_us: u64) -> Self {
        Self { due_us: now_us + HOP_US }
    }

    /// When the last sample of the next hop is captured.
    pub fn due_us(&self) -> u64 {
        self.due_us
    }

    /// When its first sample is captured.
    pub fn began_us(&self) -> u64 {
        self.due_us.saturating_sub(HOP_US)
    }

    /// Live sound: the next hop was whole at `at_us`. True if that is so late that sound is missing before it.
    #[must_use = "a gap is counted"]
    pub fn arrived(&mut self, at_us: u64) -> bool {
        let before = self.due_us;
        let jumps = before.abs_diff(at_us) > GAP_US;
        self.due_us = if jumps { at_us } else { (before * 15 + at_us) / 16 };
        jumps && at_us > before
    }

    /// Sound that K1 itself paces was there only now, or silence that stands for it took until now. True if that is later
    /// than it was due.
    #[must_use = "a gap is counted"]
    pub fn resumed(&mut self, now_us: u64) -> bool {
        let late = now_us > self.due_us;
        self.due_us = self.due_us.max(now_us);
        late
    }

    /// On to the next hop.
    pub fn advance(&mut self) {
        self.due_us += HOP_US;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hops that arrive at these times after the start, in ms; how often sound was missing, and where the clock ends.
    fn heard(arrivals: impl IntoIterator<Item = u64>) -> (u32, u64) {
        let mut clock = SoundClock::starting_at(0);
        let mut gaps = 0;
        for ms in arrivals {
            gaps += u32::from(clock.arrived(ms * 1000));
            clock.advance();
        }
        (gaps, clock.due_us())
    }

    #[test]
    fn jitter_is_no_gap_and_a_gap_is_counted_once() {
        assert_eq!(heard((1..=100).map(|n| n * 8)).0, 0);
        assert_eq!(heard((1..=100).map(|n| n * 8 + n % 5 * 10)).0, 0, "40 ms of jitter");
        let pause = |ms: u64| (1..=100).map(move |n| n * 8 + if n > 50 { ms } else { 0 });
        assert_eq!(heard(pause(59)).0, 0);
        assert_eq!(heard(pause(61)).0, 1);
        assert_eq!(heard(pause(5_000)), (1, 5_808_000));
    }

    #[test]
    fn a_burst_moves_the_clock_back_and_is_no_gap() {
        // What waited for half a second comes at once: captured when the source says, heard late.
        let mut clock = SoundClock::starting_at(1_000_000);
        assert!(!clock.arrived(900_000));
        assert_eq!(clock.due_us(), 900_000);
    }

    #[test]
    fn sound_at_a_pace_of_its_own_counts_each_wait() {
        let mut clock = SoundClock::starting_at(0);
        assert!(!clock.resumed(5_000), "it was there before it was due");
        clock.advance();
        assert!(clock.resumed(17_000));
        assert_eq!((clock.began_us(), clock.due_us()), (9_000, 17_000));
    }
}
