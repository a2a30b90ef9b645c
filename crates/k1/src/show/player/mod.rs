//! The playlist at work: when the next scene comes. No clock and no thread: the caller passes the time and the sound.
//!
//! | Room | What it does |
//! |---|---|
//! | `passing` | beats, bars and sections as they pass |
//! | `order` | the order of the scenes |

mod order;
mod passing;

use k1_engine::audio::Snapshot;
use k1_show::Every;
use k1_show::playlist::number_of;

use order::Order;
use passing::{Passed, Passing};

/// Least number of bars, and of µs without bars, between two changes that follow the sections of the music.
const SECTION_BARS: u32 = 8;
const SECTION_US: u64 = 15_000_000;
/// A section that begins this many bars, or µs, too early is remembered.
const EARLY_BARS: u32 = 2;
const EARLY_US: u64 = 4_000_000;
/// Longest time in µs that a change which is due waits for a bar or a beat.
const WAIT_US: u64 = 4_000_000;
/// Silence in µs that ends the waiting for a bar: what comes after it is another music.
const PAUSE_US: u64 = 2_000_000;
/// Time in µs from a decision until the light shows it: half of a look and the next frame.
const LEAD_US: u64 = 9_000;

/// A playlist that runs or rests.
#[derive(Clone, Debug)]
pub struct Player {
    order: Order,
    every: Every,
    on: bool,
    passing: Passing,
    /// Bars or beats that have passed in this period; `None` before the first one began.
    count: Option<u32>,
    /// Beginning of the period in µs; `None` until the first look.
    since_us: Option<u64>,
    /// The time of the last look in µs.
    now_us: u64,
    /// The time in µs since which a change waits for the beginning of a bar.
    due_us: Option<u64>,
    /// The last time in µs at which music was heard.
    heard_us: u64,
}

impl Player {
    /// A playlist without scenes. `seed` decides how it shuffles.
    pub fn new(seed: u64) -> Self {
        Self {
            order: Order::new(seed),
            every: Every::Section,
            on: false,
            passing: Passing::default(),
            count: None,
            since_us: None,
            now_us: 0,
            due_us: None,
            heard_us: 0,
        }
    }

    /// Sets the scenes, their order, the period, and whether it runs. Another period begins anew.
    pub fn set(&mut self, names: Vec<String>, shuffle: bool, every: Every, on: bool) {
        self.order.set(names, shuffle);
        if (every, on) != (self.every, self.on) {
            (self.every, self.on) = (every, on);
            self.hold();
        }
    }

    /// Begins a whole period anew, because somebody has changed the light by hand.
    pub fn hold(&mut self) {
        (self.count, self.since_us, self.due_us) = (None, None, None);
    }

    /// Notes which scene is shown.
    pub fn shown(&mut self, name: &str) {
        self.order.shown(name);
    }

    /// The scene that comes next.
    pub fn next(&self) -> Option<&str> {
        self.order.next()
    }

    /// Looks at the sound, many times a second. True if the next scene comes now; the period has begun anew then.
    pub fn look(&mut self, now_us: u64, sound: &Snapshot) -> bool {
        let passed = self.passing.look(now_us + LEAD_US, sound);
        self.now_us = now_us;
        if !self.on {
            return false;
        }
        let since_us = *self.since_us.get_or_insert(now_us);
        if !passed.is_heard {
            // In silence nothing changes, and only seconds go on.
            if now_us.saturating_sub(self.heard_us) >= PAUSE_US {
                self.due_us = self.due_us.map(|_| 0);
            }
            return false;
        }
        self.heard_us = now_us;
        let comes = match self.every {
            Every::Bars(n) => self.counts(passed.bar, n),
            Every::Beats(n) => self.counts(passed.beat, n),
            Every::Seconds(n) => {
                if now_us.saturating_sub(since_us) >= u64::from(n) * 1_000_000 {
                    self.due_us.get_or_insert(now_us);
                }
                self.is_time(now_us, passed)
            }
            Every::Section => {
                self.counts(passed.bar, u32::MAX);
                if passed.section && self.may_follow(now_us - since_us, EARLY_BARS, EARLY_US) {
                    self.due_us.get_or_insert(now_us);
                }
                self.may_follow(now_us - since_us, 0, 0) && self.is_time(now_us, passed)
            }
        };
        if comes {
            (self.count, self.since_us, self.due_us) = (Some(0), Some(now_us), None);
        }
        comes && self.order.next().is_some()
    }

    /// Counts a bar or a beat that begins; true if it is the end of a period of `n`.
    fn counts(&mut self, begins: bool, n: u32) -> bool {
        if begins {
            self.count = Some(self.count.map_or(0, |count| count + 1));
        }
        begins && self.count >= Some(n)
    }

    /// True if enough has passed since the last change for one that follows a section.
    fn may_follow(&self, gone_us: u64, fewer_bars: u32, fewer_us: u64) -> bool {
        // Bars that were counted, if any were, as they do not depend on the tempo.
        match self.count {
            Some(bars) if bars > 0 => bars >= SECTION_BARS - fewer_bars,
            _ => gone_us >= SECTION_US - fewer_us,
        }
    }

    /// True if a change is due and a bar begins, or if there is no bar to wait for.
    fn is_time(&self, now_us: u64, passed: Passed) -> bool {
        self.due_us.is_some_and(|due_us| {
            passed.is_first || !passed.has_beats || now_us.saturating_sub(due_us) >= WAIT_US
        })
    }

    /// What is left until the next change, for people; `None` while it rests.
    pub fn left(&self) -> Option<String> {
        let rest = |n: u32| n.saturating_sub(self.count.unwrap_or(0)).max(1);
        self.on.then(|| match self.every {
            Every::Bars(n) => number_of(rest(n), "bar"),
            Every::Beats(n) => number_of(rest(n), "beat"),
            Every::Seconds(n) => {
                let gone_us = self.now_us.saturating_sub(self.since_us.unwrap_or(self.now_us));
                format!("{} s", u64::from(n).saturating_sub(gone_us / 1_000_000))
            }
            Every::Section => "until the music changes".to_owned(),
        })
    }
}

#[cfg(test)]
mod music;
#[cfg(test)]
mod tests;
