//! Requests to end: Ctrl-C, `Ctrl-\`, SIGTERM, and a closed terminal.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time in which further signals repeat the first: GNU `timeout` signals the program and then its group.
const SAME: Duration = Duration::from_secs(1);

/// Effect of a request to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndRequest {
    /// An orderly end.
    End,
    /// A repetition of the last request.
    Same,
    /// An immediate end, because the orderly one takes too long.
    EndNow,
}

/// The requests to end so far.
#[derive(Debug, Default)]
pub struct EndRequests(Mutex<Option<Instant>>);

impl EndRequests {
    /// Handles a request that came at `now`.
    pub fn take(&self, now: Instant) -> EndRequest {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *first {
            None => {
                *first = Some(now);
                EndRequest::End
            }
            Some(first) if now.saturating_duration_since(first) < SAME => EndRequest::Same,
            Some(_) => EndRequest::EndNow,
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
    fn signals_in_quick_succession_are_one_request() {
        let (requests, now) = (EndRequests::default(), Instant::now());
        assert_eq!(requests.take(now), EndRequest::End);
        for ms in [0, 1, 5, 20, 900] {
            assert_eq!(requests.take(now + Duration::from_millis(ms)), EndRequest::Same, "{ms} ms");
        }
        for ms in [1_100, 1_101, 60_000] {
            assert_eq!(requests.take(now + Duration::from_millis(ms)), EndRequest::EndNow, "{ms} ms");
        }
    }
}
