//! The one clock: microseconds since the program started, 64 bits.

use std::time::{Duration, Instant};

/// A monotonic clock; copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Microseconds since the start.
    pub fn now_us(&self) -> u64 {
        self.0.elapsed().as_micros() as u64
    }

    /// Sleeps until `us`; returns at once if that has passed.
    pub fn sleep_until(&self, us: u64) {
        let now = self.now_us();
        if us > now {
            std::thread::sleep(Duration::from_micros(us - now));
        }
    }
}
