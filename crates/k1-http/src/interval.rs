//! How often a client may repeat a request: a minimum interval for each pair of route **and client**, so that two
//! browsers do not starve each other.

use crate::rejection::Rejection;

/// Remembers when the last `N` pairs of client and route were admitted; the oldest is forgotten first.
#[derive(Clone, Debug)]
pub struct Intervals<K, const N: usize> {
    entries: [Option<Entry<K>>; N],
}

#[derive(Clone, Copy, Debug)]
struct Entry<K> {
    client: K,
    route: usize,
    at_ms: u64,
}

impl<K: Copy + PartialEq, const N: usize> Default for Intervals<K, N> {
    fn default() -> Self {
        Self { entries: [None; N] }
    }
}

impl<K: Copy + PartialEq, const N: usize> Intervals<K, N> {
    /// Admits a request of `client` to `route` at `now_ms`. A refused request does not move the time of the next one.
    ///
    /// # Errors
    ///
    /// [`Rejection::RateLimited`] with the time until the next is admitted.
    pub fn admit(&mut self, client: K, route: usize, window_ms: u32, now_ms: u64) -> Result<(), Rejection> {
        if window_ms == 0 || N == 0 {
            return Ok(());
        }
        let mut oldest = 0;
        let mut oldest_ms = u64::MAX;
        for (i, entry) in self.entries.iter_mut().enumerate() {
            match entry {
                Some(e) if e.client == client && e.route == route => {
                    let since = now_ms.saturating_sub(e.at_ms);
                    if since < u64::from(window_ms) {
                        return Err(Rejection::RateLimited { window_ms, wait_ms: window_ms - since as u32 });
                    }
                    e.at_ms = now_ms;
                    return Ok(());
                }
                Some(e) if e.at_ms < oldest_ms => (oldest, oldest_ms) = (i, e.at_ms),
                Some(_) => {}
                None if oldest_ms > 0 => (oldest, oldest_ms) = (i, 0),
                None => {}
            }
        }
        self.entries[oldest] = Some(Entry { client, route, at_ms: now_ms });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_waits_and_another_does_not() {
        let mut l = Intervals::<u64, 8>::default();
        assert!(l.admit(1, 0, 300, 1000).is_ok());
        assert_eq!(l.admit(1, 0, 300, 1100), Err(Rejection::RateLimited { window_ms: 300, wait_ms: 200 }));
        assert!(l.admit(2, 0, 300, 1100).is_ok(), "another client");
        assert!(l.admit(1, 1, 300, 1100).is_ok(), "another route");
        assert!(l.admit(1, 0, 300, 1300).is_ok(), "a refusal does not prolong the wait");
        assert!(l.admit(1, 2, 0, 0).is_ok() && l.admit(1, 2, 0, 0).is_ok(), "no window, no limit");
    }

    #[test]
    fn a_crowd_forgets_the_oldest_and_nobody_is_refused_for_others() {
        let mut l = Intervals::<u64, 4>::default();
        for client in 0..1000 {
            assert!(l.admit(client, 0, 300, client).is_ok());
        }
        assert!(l.admit(999, 0, 300, 1000).is_err(), "the newest is remembered");
    }
}
