//! Whether a new image is good, judged by its own evidence.
//!
//! Everything that a lamp can check in itself must be good for 10 s without interruption. The network counts only if
//! there was one just before the update; then it must come back within minutes. A lamp that does not find its network
//! again rolls back even if the router is down, because it cannot tell the difference. The previous image then waits
//! for the network as well, and only time is lost.

use core::fmt;

/// Time for which everything must be good without interruption, in µs.
const GOOD_US: u64 = 10_000_000;
/// Time within which everything except the network must become good, in µs.
const SOON_US: u64 = 60_000_000;

/// What a lamp observes about itself, once a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Frames leave on time.
    pub frames: bool,
    /// Snapshots are fresh.
    pub sound: bool,
    /// No snapshot was ever torn between the cores.
    pub whole: bool,
    /// Settings can be written and read.
    pub storage: bool,
    /// The lamp's own API answers.
    pub api: bool,
    /// The lamp has a network address.
    pub network: bool,
}

/// Why an image failed its trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// Frames were late.
    Frames,
    /// Snapshots were stale.
    Sound,
    /// A snapshot was torn.
    Torn,
    /// Settings could not be written or read.
    Storage,
    /// The lamp's own API did not answer.
    Api,
    /// The network that was there before the update did not come back.
    Network,
    /// The owner asked for the previous image.
    Wished,
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Frames => "trial: frames were late",
            Self::Sound => "trial: sound was stale",
            Self::Torn => "trial: a snapshot was torn",
            Self::Storage => "trial: settings could not be written",
            Self::Api => "trial: its own API did not answer",
            Self::Network => "trial: the network that was there did not come back",
            Self::Wished => "trial: rolled back by its owner",
        })
    }
}

/// Result of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No result yet.
    Undecided,
    /// The image is good: confirm it.
    Good,
    /// The image is bad: roll it back.
    Bad(Failing),
}

/// A trial in progress.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    began_us: u64,
    good_since_us: Option<u64>,
    /// Time for the network to come back, in µs; `None` if the network does not count.
    patience_us: Option<u64>,
}

impl Trial {
    /// Begins a trial. `patience_s` is the time for the network to come back, or `None` if there was no network before.
    pub fn new(now_us: u64, patience_s: Option<u16>) -> Self {
        let patience_us = patience_s.map(|s| u64::from(s) * 1_000_000);
        Self { began_us: now_us, good_since_us: None, patience_us }
    }

    /// Judges the evidence. To be called about once a second.
    pub fn look(&mut self, now_us: u64, e: &Evidence) -> Verdict {
        let since_began = now_us.saturating_sub(self.began_us);
        let parts = [
            (e.frames, Failing::Frames),
            (e.sound, Failing::Sound),
            (e.whole, Failing::Torn),
            (e.storage, Failing::Storage),
            (e.api, Failing::Api),
        ];
        if let Some((_, failing)) = parts.into_iter().find(|(good, _)| !good) {
            self.good_since_us = None;
            return if since_began >= SOON_US { Verdict::Bad(failing) } else { Verdict::Undecided };
        }
        let good_since = *self.good_since_us.get_or_insert(now_us);
        if let Some(patience) = self.patience_us
            && !e.network
        {
            return if since_began >= patience { Verdict::Bad(Failing::Network) } else { Verdict::Undecided };
        }
        if now_us.saturating_sub(good_since) >= GOOD_US { Verdict::Good } else { Verdict::Undecided }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Evidence =
        Evidence { frames: true, sound: true, whole: true, storage: true, api: true, network: true };

    fn run(patience_s: Option<u16>, evidence: impl Fn(u64) -> Evidence) -> (Verdict, u64) {
        let begin = u64::from(u32::MAX) - 3_000_000;
        let mut trial = Trial::new(begin, patience_s);
        (1..1_000)
            .map(|s| (trial.look(begin + s * 1_000_000, &evidence(s)), s))
            .find(|(verdict, _)| *verdict != Verdict::Undecided)
            .unwrap_or((Verdict::Undecided, 1_000))
    }

    #[test]
    fn what_is_good_is_confirmed_and_what_is_not_goes_back() {
        assert_eq!(run(Some(300), |_| GOOD), (Verdict::Good, 11));
        for (failing, evidence) in [
            (Failing::Frames, Evidence { frames: false, ..GOOD }),
            (Failing::Sound, Evidence { sound: false, ..GOOD }),
            (Failing::Torn, Evidence { whole: false, ..GOOD }),
            (Failing::Storage, Evidence { storage: false, ..GOOD }),
            (Failing::Api, Evidence { api: false, ..GOOD }),
        ] {
            assert_eq!(run(None, |_| evidence), (Verdict::Bad(failing), 60));
            // It fails at first, and is good for ten seconds after that.
            assert_eq!(run(None, |s| if s < 20 { evidence } else { GOOD }), (Verdict::Good, 30));
            // It is never good for ten seconds in a row.
            let restless = |s: u64| if s.is_multiple_of(9) { evidence } else { GOOD };
            assert_eq!(run(None, restless), (Verdict::Bad(failing), 63));
        }
    }

    #[test]
    fn a_network_counts_only_if_there_was_one() {
        let without = Evidence { network: false, ..GOOD };
        assert_eq!(run(None, |_| without), (Verdict::Good, 11));
        assert_eq!(run(Some(300), |_| without), (Verdict::Bad(Failing::Network), 300));
        let late = |s| if s < 200 { without } else { GOOD };
        assert_eq!(run(Some(300), late), (Verdict::Good, 200));
    }
}
