//! Which WebSocket gives way. There are few places, because each WebSocket costs frames.
//!
//! When every place is taken, a newcomer gets the place of a WebSocket that gives no sign of life
//! ([`Heartbeat`](crate::limits::Heartbeat)), or of the longest silent WebSocket of a client that has at least two more
//! of them than the newcomer's client.

use alloc::vec::Vec;

use crate::client::Client;

/// Time in ms: a WebSocket that has been silent for this time gives way to a newcomer.
const SLEEPS_MS: u64 = 6_000;
/// Time in ms: the same for a WebSocket that has never sent anything. It is not 0, because the first answer takes a
/// moment.
const NEVER_WOKE_MS: u64 = 1_000;

/// Number of a WebSocket; numbers are not reused.
pub type Id = u64;

/// The open WebSockets.
#[derive(Debug)]
pub struct Sockets {
    most: usize,
    next: Id,
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    id: Id,
    client: Client,
    heard_ms: u64,
    has_spoken: bool,
}

/// The place that a newcomer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Number of the new WebSocket.
    pub id: Id,
    /// The WebSocket that must end to make room.
    pub gives_way: Option<Id>,
}

impl Sockets {
    /// An empty set of at most `most` WebSockets.
    pub const fn new(most: usize) -> Self {
        Self { most, next: 0, open: Vec::new() }
    }

    /// Number of open WebSockets.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// True if no WebSocket is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// A place for a newcomer; `None` if all places are taken by WebSockets that are not silent.
    pub fn take(&mut self, client: Client, now_ms: u64) -> Option<Taken> {
        let mut gives_way = None;
        if self.open.len() >= self.most {
            let index = self.least_missed(client, now_ms)?;
            gives_way = Some(self.open.swap_remove(index).id);
        }
        let id = self.next;
        self.next += 1;
        self.open.push(Open { id, client, heard_ms: now_ms, has_spoken: false });
        Some(Taken { id, gives_way })
    }

    /// Notes that something has arrived on the WebSocket.
    pub fn heard(&mut self, id: Id, now_ms: u64) {
        for open in self.open.iter_mut().filter(|o| o.id == id) {
            (open.heard_ms, open.has_spoken) = (now_ms, true);
        }
    }

    /// Notes that the WebSocket has ended.
    pub fn remove(&mut self, id: Id) {
        self.open.retain(|o| o.id != id);
    }

    fn least_missed(&self, newcomer: Client, now_ms: u64) -> Option<usize> {
        let held = |client| self.open.iter().filter(|o| o.client == client).count();
        let sleeps = |o: &Open| {
            now_ms.saturating_sub(o.heard_ms) >= if o.has_spoken { SLEEPS_MS } else { NEVER_WOKE_MS }
        };
        let longest = |among: &dyn Fn(&Open) -> bool| {
            self.open
                .iter()
                .enumerate()
                .filter(|(_, o)| among(o))
                .min_by_key(|(_, o)| o.heard_ms)
                .map(|(i, _)| i)
        };
        longest(&sleeps).or_else(|| {
            let crowd = self.open.iter().map(|o| o.client).max_by_key(|c| held(*c))?;
            longest(&|o| o.client == crowd && held(crowd) >= held(newcomer) + 2)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::IpAddr;

    const MOST: usize = 32;

    fn client(last: u8) -> Client {
        IpAddr::from([10, 0, 0, last]).into()
    }

    fn crowd(sockets: &mut Sockets, who: u8, n: usize) -> Vec<Id> {
        (0..n).map(|_| sockets.take(client(who), 0).unwrap().id).collect()
    }

    #[test]
    fn who_sleeps_gives_way_and_who_is_awake_does_not() {
        let mut sockets = Sockets::new(MOST);
        let asleep = crowd(&mut sockets, 1, 31);
        let owner = sockets.take(client(1), 0).unwrap().id;
        sockets.heard(owner, 1);
        assert_eq!(sockets.take(client(1), NEVER_WOKE_MS - 1), None, "they may yet wake");
        let second = sockets.take(client(1), NEVER_WOKE_MS).unwrap();
        assert!(asleep.contains(&second.gives_way.unwrap()));
        assert_eq!(sockets.len(), MOST);
        let third = sockets.take(client(1), SLEEPS_MS / 2).unwrap();
        assert!(third.gives_way.is_some_and(|id| id != owner));
        for id in asleep.into_iter().chain([second.id, third.id]) {
            sockets.remove(id);
        }
        assert_eq!(sockets.len(), 1, "the owner's is still there");
    }

    #[test]
    fn one_client_cannot_take_every_place_from_another() {
        let mut sockets = Sockets::new(MOST);
        let mut take = |who: u8, n: usize| {
            let ids = (0..n).map(|_| sockets.take(client(who), 0).map(|t| t.id)).collect::<Option<Vec<_>>>();
            ids.iter().flatten().for_each(|id| sockets.heard(*id, 0));
            ids
        };
        assert!(take(1, MOST).is_some());
        assert!(take(1, 1).is_none(), "its own are awake");
        assert!(take(2, MOST / 2 - 1).is_some() && take(2, 1).is_some());
        assert!(take(2, 1).is_none() && take(1, 1).is_none(), "half each");
        assert_eq!(take(3, 1).map(|ids| ids.len()), Some(1));
        assert_eq!(sockets.len(), MOST);
    }
}
