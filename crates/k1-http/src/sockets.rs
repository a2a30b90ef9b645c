//! Which WebSocket gives way: few places, because each costs frames, and none that sleeps.
//!
//! Where every place is taken, a newcomer gets the place of one that gives no sign of life
//! ([`Heartbeat`](crate::limits::Heartbeat)), or of the longest silent one of a client that has at least two more than
//! the newcomer's.

use alloc::vec::Vec;

use crate::client::Client;

/// One that has been silent for this time gives way to a newcomer, in ms.
const SLEEPS_MS: u64 = 6_000;
/// The same for one that has never said anything, in ms: an answer takes a moment.
const NEVER_WOKE_MS: u64 = 1_000;

/// Number of a WebSocket; none is used twice.
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

/// What becomes of a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its number.
    pub id: Id,
    /// The WebSocket that is to end for it.
    pub gives_way: Option<Id>,
}

impl Sockets {
    /// None yet, of at most `most`.
    pub const fn new(most: usize) -> Self {
        Self { most, next: 0, open: Vec::new() }
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// True if none is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// A place for a newcomer; `None` if all are taken by others that are awake.
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

    /// It has said something.
    pub fn heard(&mut self, id: Id, now_ms: u64) {
        for open in self.open.iter_mut().filter(|o| o.id == id) {
            (open.heard_ms, open.has_spoken) = (now_ms, true);
        }
    }

    /// It has ended.
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
