//! The places for WebSockets: few, because each costs frames, and never all asleep.
//!
//! Every page is asked for a sign of life (a ping of RFC 6455) when it comes and every few seconds. Where every place is
//! taken, a newcomer gets the place of one that gives none, or of the longest silent one of a client that has at least two
//! more than the newcomer's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::door::Client;

/// WebSockets at once.
pub const MOST: usize = 32;
/// Between two pings.
pub const PING: Duration = Duration::from_secs(4);
/// A page that has given no sign of life for as long has gone.
pub const GONE: Duration = Duration::from_secs(12);
/// One that has been silent for as long gives way to a newcomer.
const SLEEPS: Duration = Duration::from_secs(6);
/// The same for one that has never said anything: an answer takes a moment.
const NEVER_WOKE: Duration = Duration::from_secs(1);

/// The open WebSockets.
#[derive(Default)]
pub struct Pages {
    open: Mutex<Vec<Open>>,
}

struct Open {
    client: Client,
    heard: Instant,
    has_spoken: bool,
    leave: Arc<Notify>,
}

/// One place, for as long as its WebSocket is open.
pub struct Place {
    pages: Arc<Pages>,
    leave: Arc<Notify>,
}

impl Pages {
    /// How many are open.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a newcomer; `None` if all are taken by pages that are awake.
    pub fn take(self: &Arc<Self>, client: Client, now: Instant) -> Option<Place> {
        let mut open = self.lock();
        if open.len() >= MOST {
            let index = Self::least_missed(&open, client, now)?;
            open.swap_remove(index).leave.notify_one();
        }
        let leave = Arc::new(Notify::new());
        open.push(Open { client, heard: now, has_spoken: false, leave: leave.clone() });
        Some(Place { pages: self.clone(), leave })
    }

    fn least_missed(open: &[Open], newcomer: Client, now: Instant) -> Option<usize> {
        let silent = |o: &Open| now.saturating_duration_since(o.heard);
        let held = |client| open.iter().filter(|o| o.client == client).count();
        let sleeps = |o: &Open| silent(o) >= if o.has_spoken { SLEEPS } else { NEVER_WOKE };
        let longest = |among: &dyn Fn(&Open) -> bool| {
            open.iter().enumerate().filter(|(_, o)| among(o)).min_by_key(|(_, o)| o.heard).map(|(i, _)| i)
        };
        longest(&sleeps).or_else(|| {
            let crowd = open.iter().map(|o| o.client).max_by_key(|c| held(*c))?;
            longest(&|o| o.client == crowd && held(crowd) >= held(newcomer) + 2)
        })
    }
}

impl Place {
    /// The page has said something.
    pub fn heard(&self) {
        for open in self.pages.lock().iter_mut().filter(|o| Arc::ptr_eq(&o.leave, &self.leave)) {
            open.heard = Instant::now();
            open.has_spoken = true;
        }
    }

    /// Ends when this place is given to another.
    pub async fn lost(&self) {
        self.leave.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pages.lock().retain(|o| !Arc::ptr_eq(&o.leave, &self.leave));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> Client {
        Client::from(std::net::IpAddr::from([10, 0, 0, last]))
    }

    fn crowd(pages: &Arc<Pages>, who: u8, n: usize, now: Instant) -> Vec<Place> {
        (0..n).map(|_| pages.take(client(who), now).unwrap()).collect()
    }

    #[test]
    fn who_sleeps_gives_way_and_who_is_awake_does_not() {
        let (pages, now) = (Arc::new(Pages::default()), Instant::now());
        let asleep = crowd(&pages, 1, 31, now);
        let owner = pages.take(client(1), now).unwrap();
        owner.heard();
        assert!(pages.take(client(1), now).is_none(), "they may yet wake");
        let second = pages.take(client(1), now + NEVER_WOKE).unwrap();
        assert_eq!(pages.len(), MOST);
        let third = pages.take(client(1), now + SLEEPS / 2).unwrap();
        drop((asleep, second, third));
        assert_eq!(pages.len(), 1, "the owner's is still there");
    }

    #[test]
    fn one_client_cannot_take_every_place_from_another() {
        let (pages, now) = (Arc::new(Pages::default()), Instant::now());
        let many = crowd(&pages, 1, MOST, now);
        many.iter().for_each(Place::heard);
        assert!(pages.take(client(1), now).is_none(), "its own pages are awake");
        let other = crowd(&pages, 2, MOST / 2 - 1, now);
        other.iter().for_each(Place::heard);
        let last = pages.take(client(2), now).unwrap();
        last.heard();
        assert!(pages.take(client(2), now).is_none() && pages.take(client(1), now).is_none(), "half each");
        assert!(pages.take(client(3), now).is_some());
        assert_eq!(pages.len(), MOST - 1, "a place is free as soon as its page has gone");
    }
}
