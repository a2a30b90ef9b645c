//! Requests to end: Ctrl-C, `Ctrl-\`, SIGTERM, and a closed terminal.

#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};
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

/// Calls `end` for each request to end, on a separate thread.
///
/// # Errors
///
/// A sentence if the system does not allow handling signals, or if they are handled already.
pub fn on_end(end: impl Fn() + Send + 'static) -> Result<(), String> {
    on_end_or_hang_up(end, None::<fn()>)
}

/// Like [`on_end`]. With `hang_up`, SIGHUP calls that instead, as is usual for services, which have no terminal.
///
/// # Errors
///
/// As of [`on_end`].
#[cfg(unix)]
pub fn on_end_or_hang_up(
    end: impl Fn() + Send + 'static,
    hang_up: Option<impl Fn() + Send + 'static>,
) -> Result<(), String> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    static IS_HANDLED: AtomicBool = AtomicBool::new(false);
    if IS_HANDLED.swap(true, Ordering::SeqCst) {
        return Err("signals are handled already".into());
    }
    let refused = |e: std::io::Error| format!("signals cannot be handled: {e}");
    let mut signals =
        signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGQUIT, SIGHUP]).map_err(refused)?;
    let hear = move || {
        for signal in signals.forever() {
            match &hang_up {
                Some(hang_up) if signal == SIGHUP => hang_up(),
                _ => end(),
            }
        }
    };
    std::thread::Builder::new().name("k1-signals".into()).spawn(hear).map(drop).map_err(refused)
}

/// Like [`on_end`]; there is no SIGHUP here.
///
/// # Errors
///
/// As of [`on_end`].
#[cfg(not(unix))]
pub fn on_end_or_hang_up(
    end: impl Fn() + Send + 'static,
    _: Option<impl Fn() + Send + 'static>,
) -> Result<(), String> {
    ctrlc::set_handler(end).map_err(|e| format!("signals cannot be handled: {e}"))
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
