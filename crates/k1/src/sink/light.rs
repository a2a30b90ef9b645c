//! State and figures of a light. The renderer and the light's own thread update them; anybody may read them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::probe::Probe;
use k1_device::answers;
pub use k1_device::answers::LightState;

use super::settings::LightSettings;

/// State of a light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LightStatus {
    /// The state.
    pub state: LightState,
    /// Why it does not shine, for people.
    pub reason: Option<String>,
    /// Address that receives its frames, for a light on the network.
    pub address: Option<String>,
}

/// A light with its figures. The counters are atomic words.
#[derive(Debug)]
pub struct Light {
    /// Its name, as the user gave it.
    pub name: String,
    /// How it is driven.
    pub settings: LightSettings,
    offered: AtomicU64,
    shown: AtomicU64,
    dropped: AtomicU64,
    errors: AtomicU64,
    packets: AtomicU64,
    began: Instant,
    fault: AtomicBool,
    /// A test's picture in the lowest byte, and above it its end in ms; 0 without a test.
    probe: AtomicU64,
    told: Mutex<Told>,
}

#[derive(Debug)]
struct Told {
    status: LightStatus,
    since: Instant,
    teller: Teller,
    last_error: Option<String>,
    rates: Rates,
    /// Lines for the console. The light's own thread does not print them, because a blocked console would stop it.
    lines: Vec<String>,
}

impl Light {
    /// A light in an unknown state, with the usual settings.
    pub fn new(name: String) -> Self {
        Self::with(name, LightSettings::default())
    }

    /// A light in an unknown state.
    pub fn with(name: String, settings: LightSettings) -> Self {
        let status = LightStatus { state: LightState::Looking, reason: None, address: None };
        let now = Instant::now();
        let told = Told {
            status,
            since: now,
            teller: Teller::default(),
            last_error: None,
            rates: Rates::new(now),
            lines: Vec::new(),
        };
        let zero = || AtomicU64::new(0);
        Self {
            name,
            settings,
            offered: zero(),
            shown: zero(),
            dropped: zero(),
            errors: zero(),
            packets: zero(),
            began: now,
            fault: AtomicBool::new(false),
            probe: zero(),
            told: Mutex::new(told),
        }
    }

    /// Counts an offered frame; `replaced` if it replaces a frame that was never taken.
    pub fn offer(&self, replaced: bool) {
        self.offered.fetch_add(1, Relaxed);
        self.dropped.fetch_add(u64::from(replaced), Relaxed);
    }

    /// Counts a frame that the light's thread has taken.
    pub fn took(&self, is_shown: bool) {
        let counter = if is_shown { &self.shown } else { &self.errors };
        counter.fetch_add(1, Relaxed);
    }

    /// Shows a test's picture in place of the zones, until `until_us`.
    pub fn show_probe(&self, probe: Probe, until_us: u64) {
        self.probe.store(((until_us / 1000) << 8) | probe as u64, Relaxed);
    }

    /// The test's picture that is shown at `now_us`.
    pub fn probe(&self, now_us: u64) -> Option<Probe> {
        let word = self.probe.load(Relaxed);
        if word >> 8 <= now_us / 1000 {
            return None;
        }
        Probe::ALL.iter().map(|(probe, ..)| *probe).find(|probe| *probe as u64 == word & 0xff)
    }

    /// Counts a packet that was sent.
    pub fn sent(&self) {
        self.packets.fetch_add(1, Relaxed);
    }

    /// Sets the state. Each change adds a line for the console, up to a limit per minute.
    pub fn stands(&self, status: LightStatus) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if told.status.state != status.state {
            told.since = now;
        }
        if status.reason.is_some() {
            told.last_error.clone_from(&status.reason);
        }
        told.status = status;
        self.tell(&mut told, now);
    }

    /// Sets the state to failed; `is_fault` if the command has failed with it.
    pub fn fails(&self, reason: String, is_fault: bool) {
        self.fault.store(is_fault, Relaxed);
        self.stands(LightStatus { state: LightState::Failed, reason: Some(reason), address: None });
    }

    /// True if its failure makes the command fail.
    pub fn is_faulty(&self) -> bool {
        self.fault.load(Relaxed)
    }

    /// Adds lines that were held back, once they are due. Call it regularly.
    pub fn tick(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        self.tell(&mut told, Instant::now());
    }

    fn tell(&self, told: &mut Told, now: Instant) {
        if let Some(line) = told.teller.line(&self.name, &told.status, now) {
            told.lines.push(line);
        }
    }

    /// Takes the lines for the console. Call it several times a second, because it also measures rates.
    pub fn take_lines(&self) -> Vec<String> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.rates.look(Instant::now(), [self.shown.load(Relaxed), self.packets.load(Relaxed)]);
        std::mem::take(&mut told.lines)
    }

    /// The current state.
    pub fn status(&self) -> LightStatus {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).status.clone()
    }

    /// Frames that were replaced before the light's thread took them.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// The light's entry in the API.
    pub fn report(&self) -> answers::Light {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let [frames_per_s, packets_per_s] = told.rates.rates;
        let LightStatus { state, reason, address } = told.status.clone();
        answers::Light {
            name: self.name.clone(),
            state,
            reason,
            address,
            since_s: told.since.saturating_duration_since(self.began).as_secs_f64(),
            frames: self.offered.load(Relaxed),
            shown: self.shown.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            errors: self.errors.load(Relaxed),
            frames_per_s,
            packets: self.packets.load(Relaxed),
            packets_per_s,
            last_error: told.last_error.clone(),
        }
    }
}

/// Counts per second, of the last whole second.
#[derive(Debug)]
struct Rates {
    since: Instant,
    counts: [u64; 2],
    rates: [f64; 2],
}

impl Rates {
    /// Shortest time over which a rate is measured.
    const WINDOW: Duration = Duration::from_secs(1);

    fn new(now: Instant) -> Self {
        Self { since: now, counts: [0; 2], rates: [0.0; 2] }
    }

    fn look(&mut self, now: Instant, counts: [u64; 2]) {
        let age = now.saturating_duration_since(self.since);
        if age >= Self::WINDOW {
            let new = [0, 1].map(|i| counts[i].saturating_sub(self.counts[i]) as f64 / age.as_secs_f64());
            *self = Self { since: now, counts, rates: new };
        }
    }
}

/// Chooses the lines to print: each change once, but at most [`MOST`](Self::MOST) lines a minute. Further changes are
/// summed up later.
#[derive(Debug, Default)]
struct Teller {
    /// Times of the latest lines.
    said: Vec<Instant>,
    /// State at the last line, or at the start.
    last: Option<News>,
    /// State at the last call.
    seen: Option<News>,
    /// Changes without a line.
    held: u32,
}

/// The parts of a status whose change is worth a line: state and address, but not the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
struct News {
    state: LightState,
    address: Option<String>,
}

impl Teller {
    const MOST: usize = 4;
    const WINDOW: Duration = Duration::from_secs(60);

    fn line(&mut self, name: &str, status: &LightStatus, now: Instant) -> Option<String> {
        let state = status.state;
        let shines = state == LightState::Shining;
        // The first lookup is on its way.
        if state == LightState::Looking && status.reason.is_none() {
            return None;
        }
        let news = News { state, address: status.address.clone().filter(|_| shines) };
        let is_change = self.seen.replace(news.clone()).as_ref() != Some(&news);
        if self.last.is_none() && shines {
            // A light that shines from the start needs no line.
            self.last = Some(news);
            return None;
        }
        if self.last.as_ref() == Some(&news) && self.held == 0 {
            return None;
        }
        self.said.retain(|t| now.saturating_duration_since(*t) < Self::WINDOW);
        if self.said.len() >= Self::MOST {
            self.held += u32::from(is_change);
            return None;
        }
        self.said.push(now);
        let held = std::mem::take(&mut self.held);
        let before = self.last.replace(news);
        let has_moved = shines && held == 0 && before.is_some_and(|b| b.state == state);
        let reason = status.reason.as_deref().unwrap_or("unknown reason");
        let address = status.address.as_deref().map(|a| format!(" at {a}")).unwrap_or_default();
        let what = match state {
            LightState::Shining if has_moved => format!("has moved and shines{address}"),
            LightState::Shining => format!("shines{address}"),
            LightState::Looking => {
                format!("is being looked for ({reason}); K1 keeps trying")
            }
            LightState::Unreachable => {
                format!("cannot be reached ({reason}); K1 keeps trying")
            }
            LightState::Failed => format!("has failed: {reason}; K1 continues without it"),
        };
        let often = if held > 0 { format!(" (it changed {held} more times)") } else { String::new() };
        Some(format!("k1: the light {name} {what}{often}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(state: LightState) -> LightStatus {
        let reason = (state != LightState::Shining).then(|| "why".to_owned());
        LightStatus {
            state,
            reason,
            address: (state == LightState::Shining).then(|| "10.0.0.7:4048".to_owned()),
        }
    }

    #[test]
    fn rates_are_those_of_the_last_second() {
        let began = Instant::now();
        let mut rates = Rates::new(began);
        let mut at = |ms, counts| {
            rates.look(began + Duration::from_millis(ms), counts);
            rates.rates
        };
        assert_eq!(at(500, [30, 90]), [0.0, 0.0]);
        assert_eq!(at(1_000, [60, 180]), [60.0, 180.0]);
        assert_eq!(at(1_500, [61, 181]), [60.0, 180.0]);
        assert_eq!(at(3_000, [120, 280]), [30.0, 50.0]);
    }

    #[test]
    fn the_last_error_is_kept() {
        let light = Light::new("x".into());
        assert_eq!(light.report().last_error, None);
        light.stands(at(LightState::Unreachable));
        light.stands(at(LightState::Shining));
        assert_eq!(light.report().last_error.as_deref(), Some("why"));
        assert_eq!(light.report().reason, None);
    }

    #[test]
    fn each_change_is_said_once() {
        let (mut teller, now) = (Teller::default(), Instant::now());
        let mut say = |s: &LightStatus| teller.line("ddp://x", s, now);
        assert_eq!(say(&at(LightState::Shining)), None, "it shines from the start");
        let line = say(&at(LightState::Unreachable)).unwrap();
        assert!(line.contains("ddp://x cannot be reached (why)"), "{line}");
        assert_eq!(say(&at(LightState::Unreachable)), None);
        assert!(say(&at(LightState::Shining)).unwrap().contains("shines at 10.0.0.7:4048"));
        assert_eq!(say(&at(LightState::Shining)), None);
        let moved = LightStatus { address: Some("10.0.0.8:4048".into()), ..at(LightState::Shining) };
        assert!(say(&moved).unwrap().contains("has moved and shines at 10.0.0.8"));
        assert_eq!(say(&moved), None);
    }

    #[test]
    fn a_light_that_is_late_is_said_to_be_looked_for_and_to_shine() {
        let (mut teller, now) = (Teller::default(), Instant::now());
        let first = LightStatus { state: LightState::Looking, reason: None, address: None };
        assert_eq!(teller.line("x", &first, now), None, "the first question is on its way");
        assert!(teller.line("x", &at(LightState::Looking), now).unwrap().contains("looked for (why)"));
        assert!(teller.line("x", &at(LightState::Shining), now).unwrap().contains("shines"));
    }

    #[test]
    fn a_light_that_flaps_does_not_flood_the_console() {
        let (mut teller, began) = (Teller::default(), Instant::now());
        let mut lines = Vec::new();
        // For ten minutes, twice a second.
        for half in 0..1200_u64 {
            let state = if half % 2 == 0 { LightState::Unreachable } else { LightState::Shining };
            lines.extend(teller.line("x", &at(state), began + Duration::from_millis(500 * half)));
        }
        assert!((30..=44).contains(&lines.len()), "{} lines", lines.len());
        // The last line has the final state and the number of changes left out.
        let end = began + Duration::from_secs(700);
        let last = teller.line("x", &at(LightState::Shining), end).unwrap();
        assert!(last.contains("shines") && last.contains("more times"), "{last}");
        assert_eq!(teller.line("x", &at(LightState::Shining), end), None);
    }
}
