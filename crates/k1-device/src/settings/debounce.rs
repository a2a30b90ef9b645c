//! Decides when settings are written.

/// Waits until a user has released a slider before flash is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Debounce {
    first_us: Option<u64>,
    last_us: u64,
}

/// Pause in µs after the last change.
const QUIET_US: u64 = 2_000_000;
/// Longest time in µs until a change is written, even if more changes follow.
const LATEST_US: u64 = 15_000_000;

impl Debounce {
    /// Notes that a setting has changed.
    pub fn touch(&mut self, now_us: u64) {
        self.first_us.get_or_insert(now_us);
        self.last_us = now_us;
    }

    /// True while a change waits to be written.
    pub fn is_waiting(&self) -> bool {
        self.first_us.is_some()
    }

    /// True once when it is time to write.
    pub fn is_due(&mut self, now_us: u64) -> bool {
        let due = self.first_us.is_some_and(|first| {
            now_us.saturating_sub(self.last_us) >= QUIET_US || now_us.saturating_sub(first) >= LATEST_US
        });
        if due {
            self.first_us = None;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slider_is_written_once_and_a_restless_one_now_and_then() {
        let mut d = Debounce::default();
        assert!(!d.is_due(9_000_000), "nothing has changed");
        for t in 0..10 {
            d.touch(t * 100_000);
            assert!(!d.is_due(t * 100_000));
        }
        assert!(!d.is_due(2_800_000));
        assert!(d.is_due(2_900_000));
        assert!(!d.is_due(9_000_000), "once");
        let writes = (0..600).filter(|t| {
            let now = 10_000_000 + t * 100_000;
            d.touch(now);
            d.is_due(now)
        });
        assert_eq!(writes.count(), 3, "a minute without a pause");
    }
}
