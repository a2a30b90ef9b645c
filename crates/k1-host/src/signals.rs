//! Requests to end: Ctrl-C, `Ctrl-\`, SIGTERM, and a closed terminal.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time in which further signals repeat the first: GNU `timeout` signals the program and then its group.
const SAME: Duration = Duration::from_secs(1);

/// Effect of a request to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// An orderly end.
    End,
    /// A repetition of the last request.
    Same,
    /// An immediate end, because the orderly one takes too long.
    EndNow,
}

/// The requests to end so far.
#[derive(Debug, Default)]
pub struct Wishes(Mutex<Option<Instant>>);

impl Wishes {
    /// Handles a request that came at `now`.
    pub fn take(&self, now: Instant) -> Wish {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *first {
            None => {
                *first = Some(now);
                Wish::End
            }
            Some(first) if now.saturating_duration_since(first) < SAME => Wish::Same,
            Some(_) => Wish::EndNow,
        }
    }
}

/// Calls `handle` for each request to end, on a separate thread.
///
/// # Errors
///
/// A sentence if the system does not allow handling signals.
pub fn on_end(handle: impl Fn() + Clone + Send + 'static) -> Result<(), String> {
    ctrlc::set_handler(handle.clone()).map_err(|e| format!("signals cannot be handled: {e}"))?;
    // `ctrlc` does not handle `Ctrl-\`.
    #[cfg(unix)]
    if let Ok(mut quits) = signal_hook::iterator::Signals::new([signal_hook::consts::SIGQUIT]) {
        let hear = move || quits.forever().for_each(|_| handle());
        let _ = std::thread::Builder::new().name("k1-quit".into()).spawn(hear);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_in_quick_succession_are_one_wish() {
        let (wishes, now) = (Wishes::default(), Instant::now());
        assert_eq!(wishes.take(now), Wish::End);
        for ms in [0, 1, 5, 20, 900] {
            assert_eq!(wishes.take(now + Duration::from_millis(ms)), Wish::Same, "{ms} ms");
        }
        for ms in [1_100, 1_101, 60_000] {
            assert_eq!(wishes.take(now + Duration::from_millis(ms)), Wish::EndNow, "{ms} ms");
        }
    }
}
