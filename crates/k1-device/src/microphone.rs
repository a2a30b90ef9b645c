//! Whether there is a microphone: three failures in a row and it is absent; then it is asked again once a second.
//!
//! While it is absent the ear hears silence at the right cadence, so that light rests and nothing waits for ever.

/// Failures in a row that make a microphone absent.
pub const MOST_FAILURES: u32 = 3;
/// Pause between two attempts while it is absent, in µs.
pub const PROBE_US: u64 = 1_000_000;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read, and wait no longer than the bound.
    Read,
    /// Hear a hop of silence.
    Silence,
}

/// The state of a microphone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    in_a_row: u32,
    probe_at_us: u64,
    /// Reads that failed since the start.
    pub failures: u32,
    /// Times that it became absent since the start.
    pub losses: u32,
}

impl Presence {
    /// True while it is believed to be there.
    pub fn is_present(&self) -> bool {
        self.in_a_row < MOST_FAILURES
    }

    /// What to do at a moment.
    pub fn next(&self, now_us: u64) -> Next {
        if self.is_present() || now_us >= self.probe_at_us { Next::Read } else { Next::Silence }
    }

    /// A read has succeeded.
    pub fn heard(&mut self) {
        self.in_a_row = 0;
    }

    /// A read has failed.
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
