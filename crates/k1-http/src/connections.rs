//! Which connection gives way, so that a stranger never shuts the owner out.
//!
//! A connection is *trusted* once a request on it was let in: with the token, or, where none is needed, under a name of
//! this machine. Where every place is taken, a newcomer gets the place of one that has just guessed at the token, or of
//! the oldest untrusted connection of the client that holds most of them, so that a crowd of unfinished ones only drives
//! itself out.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::client::Client;

/// Guessers that wait for their answer at the same time; more are sent away unanswered.
const MOST_WAITING: usize = 64;

/// Number of a connection; none is used twice.
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

/// What becomes of a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Its number.
    pub id: Id,
    /// The connection that is to end for it.
    pub gives_way: Option<Id>,
}

/// What becomes of a connection that has guessed too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guessed {
    /// It waits for its answer, and its place is the first to be given away meanwhile.
    Waits,
    /// So many wait already that it ends without an answer, which costs least.
    Ends,
}

impl Connections {
    /// None yet, of at most `most`.
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

    /// A place for a newcomer, which may cost another its own; `None` if every place is worth more.
    pub fn admit(&mut self, client: Client) -> Option<Admitted> {
        let gives_way = if self.all.len() >= self.most { Some(self.make_room()?) } else { None };
        let id = self.next;
        self.next += 1;
        self.all.insert(id, client);
        self.untrusted.entry(client).or_default().insert(id);
        Some(Admitted { id, gives_way })
    }

    /// Takes the place from the connection that is missed least; `None` if every one is worth more than a newcomer.
    pub fn make_room(&mut self) -> Option<Id> {
        // Of clients with equally many, the one that was here first.
        let crowd =
            self.untrusted.values().max_by_key(|ids| (ids.len(), ids.first().map(|id| u64::MAX - id)));
        let id =
            self.guessing.first().or(crowd.and_then(BTreeSet::first)).or(self.trusted.first()).copied()?;
        self.remove(id);
        Some(id)
    }

    /// It has ended.
    pub fn remove(&mut self, id: Id) {
        self.trusted.remove(&id);
        self.guessing.remove(&id);
        if let Some(client) = self.all.remove(&id) {
            self.no_longer_untrusted(id, client);
        }
    }

    /// It has shown a wrong token too often. `None` if it has lost its place already.
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

    /// It has waited.
    pub fn has_waited(&mut self, id: Id) {
        self.guessing.remove(&id);
    }

    /// A request was let in: from now on the connection stays, whoever comes.
    pub fn trust(&mut self, id: Id) {
        if let Some(client) = self.all.get(&id).copied()
            && self.trusted.insert(id)
        {
            self.no_longer_untrusted(id, client);
        }
    }

    /// It has become a WebSocket, whose number is limited elsewhere.
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
        // The owner's newcomers find room, and cost the crowd its places.
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
