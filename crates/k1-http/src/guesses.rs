//! How often a client may guess at the token.

use crate::rejection::Rejection;

/// Number of different wrong tokens in a row that are free: typing errors and old bookmarks.
const FREE_GUESSES: u32 = 8;
/// The first wait in ms; each further wrong token doubles it.
const FIRST_WAIT_MS: u64 = 1_000;
/// The longest wait in ms.
const LONGEST_WAIT_MS: u64 = 30_000;
/// Time without a wrong token after which a sender is forgiven, in ms.
const FORGIVEN_MS: u64 = 600_000;
/// Pause that ends a burst, in ms.
const BURST_PAUSE_MS: u64 = 10_000;

/// Wrong tokens and their senders. Where every place is taken, all further senders share one more place, and wait
/// together: otherwise a crowd that takes turns would be forgotten faster than it is slowed down.
///
/// The right token is asked for **before** this: whoever shows it is let in at once, even from an address that guesses.
/// Behind a router or a proxy all share one address, and a guest who guesses must not shut the owner out. That a guess is
/// looked at during the wait is safe because no token is short enough to be found in years at full speed
/// ([`LEAST_TOKEN_BITS`](crate::strength::LEAST_TOKEN_BITS)); the wait keeps the cost of guessing low.
#[derive(Clone, Debug)]
pub struct Guesses<K, const N: usize> {
    senders: [Option<Sender<K>>; N],
    crowd: Option<Sender<K>>,
}

#[derive(Clone, Copy, Debug)]
struct Sender<K> {
    /// `None` for the crowd.
    key: Option<K>,
    last: u64,
    guesses: u32,
    burst: u32,
    burst_began_ms: u64,
    at_ms: u64,
    until_ms: u64,
}

/// What a wrong token leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The answer to it.
    pub rejection: Rejection,
    /// True if it begins a burst: worth a line of the log.
    pub begins: bool,
}

/// Wrong tokens of one sender without a pause between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst<K> {
    /// The sender; `None` for all senders without a place of their own together.
    pub key: Option<K>,
    /// Number of wrong tokens.
    pub count: u32,
    /// From the first to the last, in ms.
    pub lasted_ms: u64,
}

impl<K: Copy + PartialEq, const N: usize> Default for Guesses<K, N> {
    fn default() -> Self {
        Self { senders: [None; N], crowd: None }
    }
}

impl<K: Copy + PartialEq, const N: usize> Guesses<K, N> {
    /// Notes that `key` has shown a wrong `token`. The same token again does not count as a guess: every tab of a
    /// browser sends the one it remembers.
    pub fn wrong(&mut self, key: K, token: &str, now_ms: u64) -> Wrong {
        let hash = crate::etag::fnv(token.as_bytes());
        let (key, place) = self.place(key, now_ms);
        let fresh = Sender {
            key,
            last: !hash,
            guesses: 0,
            burst: 0,
            burst_began_ms: now_ms,
            at_ms: now_ms,
            until_ms: 0,
        };
        let mut s = place.filter(|s| s.key == key).unwrap_or(fresh);
        if now_ms.saturating_sub(s.at_ms) >= FORGIVEN_MS {
            s = fresh;
        }
        if now_ms.saturating_sub(s.at_ms) >= BURST_PAUSE_MS {
            s.burst = 0;
        }
        if s.burst == 0 {
            s.burst_began_ms = now_ms;
        }
        s.burst = s.burst.saturating_add(1);
        s.at_ms = now_ms;
        if now_ms >= s.until_ms && s.last != hash {
            s.last = hash;
            s.guesses = s.guesses.saturating_add(1);
            if let Some(over) = s.guesses.checked_sub(FREE_GUESSES + 1) {
                s.until_ms = now_ms + (FIRST_WAIT_MS << over.min(5)).min(LONGEST_WAIT_MS);
            }
        }
        let rejection = match s.until_ms.saturating_sub(now_ms) {
            0 => Rejection::Unauthorized,
            wait_ms => Rejection::TooManyGuesses { wait_ms: wait_ms as u32 },
        };
        let begins = s.burst == 1;
        *place = Some(s);
        Wrong { rejection, begins }
    }

    /// A burst of more than one wrong token that has ended; each is told once.
    pub fn ended(&mut self, now_ms: u64) -> Option<Burst<K>> {
        self.senders.iter_mut().chain([&mut self.crowd]).flatten().find_map(|s| {
            let is_over = s.burst > 0 && now_ms.saturating_sub(s.at_ms) >= BURST_PAUSE_MS;
            let count = if is_over { core::mem::take(&mut s.burst) } else { 0 };
            (count > 1).then_some(Burst { key: s.key, count, lasted_ms: s.at_ms - s.burst_began_ms })
        })
    }

    /// Where `key` is noted or can be, and under which key: at its own place, a free one, that of a sender who is
    /// forgiven, or with the crowd.
    fn place(&mut self, key: K, now_ms: u64) -> (Option<K>, &mut Option<Sender<K>>) {
        let rank = |s: &Option<Sender<K>>| match s {
            Some(s) if s.key == Some(key) => Some((0, 0)),
            None => Some((1, 0)),
            Some(s) => (now_ms.saturating_sub(s.at_ms) >= FORGIVEN_MS).then_some((2, s.at_ms)),
        };
        let best = self.senders.iter_mut().filter_map(|s| Some((rank(s)?, s))).min_by_key(|(rank, _)| *rank);
        match best {
            Some((_, place)) => (Some(key), place),
            None => (None, &mut self.crowd),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_tokens_slow_their_sender_down_and_nobody_else() {
        let mut g = Guesses::<u64, 4>::default();
        for i in 0..8 {
            let wrong = g.wrong(1, &format!("guess{i}"), 1000);
            assert_eq!((wrong.rejection, wrong.begins), (Rejection::Unauthorized, i == 0));
        }
        let wait = |wait_ms| Rejection::TooManyGuesses { wait_ms };
        assert_eq!(g.wrong(1, "guess8", 1000).rejection, wait(1000));
        assert_eq!(
            g.wrong(1, "guess9", 1400).rejection,
            wait(600),
            "a refused guess does not prolong the wait"
        );
        assert_eq!(g.wrong(2, "guess8", 1400).rejection, Rejection::Unauthorized, "another sender");
        let mut now = 2000;
        for expected in [2000, 4000, 8000, 16_000, 30_000, 30_000] {
            assert_eq!(g.wrong(1, &format!("at{now}"), now).rejection, wait(expected));
            now += u64::from(expected);
        }
        assert_eq!(g.wrong(1, "much later", now + 600_000).rejection, Rejection::Unauthorized, "forgiven");
    }

    #[test]
    fn an_old_bookmark_in_every_tab_is_one_guess() {
        let mut g = Guesses::<u64, 4>::default();
        for i in 0..1000 {
            assert_eq!(g.wrong(1, "the token of last year", i).rejection, Rejection::Unauthorized);
        }
    }

    #[test]
    fn a_burst_is_told_at_its_first_token_and_at_its_end() {
        let mut g = Guesses::<u64, 4>::default();
        for i in 0..5000_u64 {
            assert_eq!(g.wrong(1, &format!("{i}"), 1000 + i).begins, i == 0);
            assert_eq!(g.ended(1000 + i), None);
        }
        assert!(g.wrong(2, "once", 6000).begins);
        assert_eq!(g.ended(16_000), Some(Burst { key: Some(1), count: 5000, lasted_ms: 4999 }));
        assert_eq!((g.ended(16_000), g.ended(17_000)), (None, None), "one wrong token was told when it came");
        assert!(g.wrong(1, "again", 20_000).begins);
    }

    #[test]
    fn a_crowd_of_guessers_waits_together_and_shuts_nobody_out_for_ever() {
        let mut g = Guesses::<u64, 4>::default();
        let mut looked_at = 0;
        // One guess in a millisecond, for ten minutes, each from the next of 450 senders.
        for i in 0..600_000_u64 {
            let wrong = g.wrong(i % 450, &format!("{i}"), i);
            looked_at += u32::from(wrong.rejection == Rejection::Unauthorized);
            // Five places, and each is said once.
            assert_eq!(wrong.begins, i < 5, "{i}");
        }
        assert!(looked_at <= 5 * FREE_GUESSES, "{looked_at}");
        let counts: Vec<_> = core::iter::from_fn(|| g.ended(700_000)).map(|b| (b.key, b.count)).collect();
        assert_eq!(counts.len(), 5);
        assert_eq!(counts.iter().map(|c| c.1).sum::<u32>(), 600_000, "every guess is counted once");
        assert_eq!(counts[4].0, None, "the crowd has no address");
        // Whoever is silent for long enough gives the place back.
        assert_eq!(g.wrong(1000, "x", 1_200_000).rejection, Rejection::Unauthorized);
        assert_eq!(g.ended(1_300_000), None, "one wrong token was told when it came");
        assert_eq!(Guesses::<u64, 0>::default().wrong(1, "x", 0).rejection, Rejection::Unauthorized);
    }
}
