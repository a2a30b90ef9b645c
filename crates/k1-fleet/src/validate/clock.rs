//! The clock by which an examination is timed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A clock that starts with the examination.
pub enum Clock {
    /// This machine's clock, since this moment.
    Ours(Instant),
    /// The lamp's own clock, over all of its runs.
    Its(Mutex<Runs>),
}

/// Time of a lamp's clock, over all of its runs.
pub struct Runs {
    /// Seconds since the beginning.
    time: f64,
    /// The lamp's latest uptime in seconds, and when it was received.
    uptime_s: f64,
    said: Instant,
}

impl Clock {
    /// The clock of a lamp that has run for `uptime_s` seconds.
    pub fn its(uptime_s: f64) -> Self {
        Self::Its(Mutex::new(Runs { time: 0.0, uptime_s, said: Instant::now() }))
    }

    /// Seconds since the beginning, as far as known.
    pub fn time(&self) -> f64 {
        match self {
            Self::Ours(began) => began.elapsed().as_secs_f64(),
            Self::Its(runs) => lock(runs).time,
        }
    }

    /// Seconds since the beginning at the moment when the lamp's uptime is `uptime_s`.
    pub fn at(&self, uptime_s: f64) -> f64 {
        if let Self::Its(runs) = self {
            let mut runs = lock(runs);
            // A new run begins at 0.
            let step = if uptime_s < runs.uptime_s { uptime_s } else { uptime_s - runs.uptime_s };
            *runs = Runs { time: runs.time + step, uptime_s, said: Instant::now() };
        }
        self.time()
    }

    /// True if this is the lamp's clock, and the lamp has not reported its time for longer than `patience`.
    pub fn has_stopped(&self, patience: Duration) -> bool {
        matches!(self, Self::Its(runs) if lock(runs).said.elapsed() > patience)
    }
}

fn lock(runs: &Mutex<Runs>) -> MutexGuard<'_, Runs> {
    runs.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runs_of_a_lamp_follow_each_other() {
        let clock = Clock::its(100.0);
        assert_eq!(clock.time(), 0.0);
        // The lamp restarts after 103 s, and reports 2 s of its next run.
        assert_eq!([101.5, 103.0, 2.0, 5.0].map(|uptime_s| clock.at(uptime_s)), [1.5, 3.0, 5.0, 8.0]);
        assert_eq!(clock.time(), 8.0);
        assert!(!clock.has_stopped(Duration::from_secs(600)));
        std::thread::sleep(Duration::from_millis(2));
        assert!(clock.has_stopped(Duration::from_millis(1)), "it says nothing any more");
    }

    #[test]
    fn ours_does_not_ask_the_lamp() {
        let clock = Clock::Ours(Instant::now());
        assert!(clock.at(5_000.0) < 4_000.0 && !clock.has_stopped(Duration::ZERO));
    }
}
