//! Which connection gives way, so that a stranger cannot shut the owner out.
//!
//! A connection is *trusted* once a request on it was admitted: with the token, or, where no token is needed, under a
//! name of this machine. When every place is taken, a newcomer gets the place of a connection that has just guessed at
//! the token, or of the oldest untrusted connection of the client that holds the most of them. A crowd of unfinished
//! connections therefore displaces only itself.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::client::Client;

/// Most guessers that wait for their answer at the same time; further ones are disconnected without an answer.
const MOST_WAITING: usize = 64;

/// Number of a connection; numbers are not reused.
pub type Id = u64;

/// The open connections.
#[derive(Debug)]
pub struct Connections {
    most: usize,
    next: Id,
    guessing: BTreeSet<Id>,
    untrusted: BTreeMap<Client, BTreeSet<Id>>,
    trusted: BTreeSet<Id>,
    all: BTreeMap<Id, Client>,
}

/// The place that a newcomer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Number of the new connection.
    pub id: Id,
    /// The connection that must end to make room.
    pub gives_way: Option<Id>,
}

/// What happens to a connection that has guessed too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guessed {
    /// It waits for its answer; until then its place is the first to be given away.
    Waits,
    /// Too many connections wait already, so it ends without an answer, which costs the least.
    Ends,
}

impl Connections {
    /// An empty set of at most `most` connections.
    pub const fn new(most: usize) -> Self {
        Self {
            most,
            next: 0,
            guessing: BTreeSet::new(),
            untrusted: BTreeMap::new(),
            trusted: BTreeSet::new(),
            all: BTreeMap::new(),
        }
    }

    /// A place for a newcomer, which may displace another connection; `None` if every place is taken and no connection
    /// must give way.
    pub fn admit(&mut self, client: Client) -> Option<Admitted> {
        let gives_way = if self.all.len() >= self.most { Some(self.make_room()?) } else { None };
        let id = self.next;
        self.next += 1;
        self.all.insert(id, client);
        self.untrusted.entry(client).or_default().insert(id);
        Some(Admitted { id, gives_way })
    }

    /// Removes the connection that gives way first; `None` if no connection must give way to a newcomer.
    pub fn make_room(&mut self) -> Option<Id> {
        // Among clients with equally many connections, the one that came first.
        let crowd =
            self.untrusted.values().max_by_key(|ids| (ids.len(), ids.first().map(|id| u64::MAX - id)));
        let id =
            self.guessing.first().or(crowd.and_then(BTreeSet::first)).or(self.trusted.first()).copied()?;
        self.remove(id);
        Some(id)
    }

    /// Notes that the connection has ended.
    pub fn remove(&mut self, id: Id) {
        self.trusted.remove(&id);
        self.guessing.remove(&id);
        if let Some(client) = self.all.remove(&id) {
            self.no_longer_untrusted(id, client);
        }
    }

    /// Notes that the connection has shown too many wrong tokens. `None` if it has already lost its place.
    pub fn guessed(&mut self, id: Id) -> Option<Guessed> {
        if self.trusted.contains(&id) {
            return Some(Guessed::Waits);
        }
        if self.guessing.len() >= MOST_WAITING {
            self.remove(id);
            return Some(Guessed::Ends);
        }
        (self.all.contains_key(&id) && self.guessing.insert(id)).then_some(Guessed::Waits)
    }

    /// Notes that the connection has finished its wait.
    pub fn has_waited(&mut self, id: Id) {
        self.guessing.remove(&id);
    }

    /// Notes that a request was admitted: from now on the connection does not give way to newcomers.
    pub fn trust(&mut self, id: Id) {
        if let Some(client) = self.all.get(&id).copied()
            && self.trusted.insert(id)
        {
            self.no_longer_untrusted(id, client);
        }
    }

    /// Notes that the connection has become a WebSocket; [`Sockets`](crate::sockets::Sockets) limits those.
    pub fn upgraded(&mut self, id: Id) {
        self.trusted.remove(&id);
        if let Some(client) = self.all.get(&id).copied() {
            self.no_longer_untrusted(id, client);
        }
    }

    fn no_longer_untrusted(&mut self, id: Id, client: Client) {
        if let Some(ids) = self.untrusted.get_mut(&client) {
            ids.remove(&id);
            if ids.is_empty() {
                self.untrusted.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::IpAddr;

    fn from(ip: &str) -> Client {
        ip.parse::<IpAddr>().unwrap().into()
    }

    fn come(all: &mut Connections, ip: &str) -> Id {
        all.admit(from(ip)).unwrap().id
    }

    #[test]
    fn a_crowd_drives_itself_out() {
        let mut all = Connections::new(8);
        let owner = come(&mut all, "10.0.0.1");
        all.trust(owner);
        let page = come(&mut all, "10.0.0.1");
        let crowd: Vec<_> = (0..1000).map(|_| come(&mut all, "10.0.0.66")).collect();
        let is_open = |all: &Connections, id: Id| all.all.contains_key(&id);
        assert!(is_open(&all, owner) && is_open(&all, page));
        assert_eq!(crowd.iter().filter(|id| is_open(&all, **id)).count(), 6);
        assert!(is_open(&all, crowd[999]) && !is_open(&all, crowd[993]), "the oldest has left");
        // The owner's new connections get places from the crowd.
        let more: Vec<_> = (0..3).map(|_| come(&mut all, "10.0.0.1")).collect();
        assert!(more.iter().chain([&owner, &page]).all(|id| is_open(&all, *id)));
        for id in crowd.into_iter().chain(more).chain([page]) {
            all.remove(id);
        }
        assert_eq!(all.all.len(), 1);
    }

    #[test]
    fn who_guesses_gives_way_first() {
        let mut all = Connections::new(4);
        let ids: Vec<_> = (0..4).map(|_| come(&mut all, "10.0.0.1")).collect();
        all.trust(ids[1]);
        assert!(ids[1..].iter().all(|id| all.guessed(*id) == Some(Guessed::Waits)));
        all.has_waited(ids[3]);
        assert_eq!(all.admit(from("10.0.0.1")).unwrap().gives_way, Some(ids[2]));
        assert_eq!(all.guessed(ids[2]), None);
        let mut all = Connections::new(200);
        let crowd: Vec<_> = (0..100).map(|_| come(&mut all, "10.0.0.1")).collect();
        let waits = crowd.iter().filter(|id| all.guessed(**id) == Some(Guessed::Waits)).count();
        assert_eq!((waits, all.all.len()), (MOST_WAITING, MOST_WAITING), "the others have left");
    }

    #[test]
    fn strangers_from_everywhere_do_not_drive_the_trusted_out() {
        let mut all = Connections::new(8);
        let owners: Vec<_> = (0..4).map(|_| come(&mut all, "10.0.0.1")).collect();
        owners.iter().for_each(|id| all.trust(*id));
        let strangers: Vec<_> =
            (0..2000).map(|i| come(&mut all, &format!("10.1.{}.{}", i / 250, i % 250))).collect();
        assert!(owners.iter().all(|id| all.all.contains_key(id)));
        assert_eq!(strangers.iter().filter(|id| all.all.contains_key(id)).count(), 4);
        assert_eq!(all.untrusted.len(), 4, "nobody who has left is remembered");
    }

    #[test]
    fn a_newcomer_is_refused_only_where_all_are_websockets() {
        let mut all = Connections::new(2);
        let (a, b) = (come(&mut all, "10.0.0.1"), come(&mut all, "10.0.0.1"));
        all.trust(a);
        all.trust(b);
        all.upgraded(b);
        let c = all.admit(from("10.0.0.2")).unwrap();
        assert_eq!(c.gives_way, Some(a), "one that rests gives way");
        all.upgraded(c.id);
        assert_eq!(all.admit(from("10.0.0.3")), None);
        all.remove(c.id);
        assert!(all.admit(from("10.0.0.3")).is_some());
    }
}
