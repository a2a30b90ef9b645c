//! A staged rollout: who is next, and when it stops. Without a network, and without a clock of its own.
//!
//! Lamps get the firmware in steps. A step begins when every lamp of those before it has confirmed the firmware and has
//! been well for a while. When more than a share of the lamps that were tried have failed, nobody else is tried.

pub mod delivery;

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

/// What somebody says to `PREFIX/rollout/set`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Begins.
    Start(Plan),
    /// Tries nobody else until it goes on; whoever has begun ends.
    Pause,
    /// Goes on.
    Resume,
    /// Ends it.
    Abort,
}

impl Order {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// A sentence that says what would be right.
    pub fn read(message: &[u8]) -> Result<Self, String> {
        let order: Self = serde_json::from_slice(message).map_err(|e| {
            format!(
                "this order is not understood ({e}); it is JSON as {{\"do\": \"start\"}} (or pause, resume, abort), to \
                 start with any of steps ([\"1\", \"5%\", \"100%\"]), abort_above (percent), watch (seconds) and at_once"
            )
        })?;
        match &order {
            Self::Start(plan) => plan.check().map(|()| order),
            _ => Ok(order),
        }
    }
}

/// How it goes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// How far each step goes: a number of lamps, or a share of all in percent.
    pub steps: Vec<String>,
    /// It stops when more than so many percent of the lamps that were tried have failed.
    pub abort_above: f64,
    /// So long, in s, every lamp of a step has to be well before the next step.
    pub watch: f64,
    /// So many lamps are updated at once.
    pub at_once: usize,
}

impl Default for Plan {
    fn default() -> Self {
        let steps = ["1", "5%", "25%", "100%"].map(str::to_owned).to_vec();
        Self { steps, abort_above: 5.0, watch: 60.0, at_once: 4 }
    }
}

impl Plan {
    fn check(&self) -> Result<(), String> {
        for step in &self.steps {
            count(step, 100)?;
        }
        let is_sound = !self.steps.is_empty()
            && (0.0..=100.0).contains(&self.abort_above)
            && (0.0..=86_400.0).contains(&self.watch)
            && self.at_once > 0;
        match is_sound {
            true => Ok(()),
            false => Err(
                "a rollout has a step at least, abort_above 0 to 100, watch 0 to 86,400 and at_once from 1"
                    .into(),
            ),
        }
    }
}

/// Lamps of `all` that a step reaches, counted from the first lamp; at least one.
fn count(step: &str, all: usize) -> Result<usize, String> {
    let wrong = || format!("“{step}” is no step; write a number of lamps, or a share as 25%");
    let n = match step.strip_suffix('%') {
        Some(percent) => {
            let share: f64 = percent.trim().parse().map_err(|_| wrong())?;
            if !(share > 0.0 && share <= 100.0) {
                return Err(wrong());
            }
            (share / 100.0 * all as f64).ceil() as usize
        }
        None => step.trim().parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?,
    };
    Ok(n.min(all))
}

/// What became of a lamp.
#[derive(Clone, Debug, PartialEq)]
enum Fate {
    Waiting,
    Trying,
    Good,
    Bad(String),
}

/// How it stands.
#[derive(Clone, Debug, PartialEq)]
enum Phase {
    Trying,
    Watching(Instant),
    Aborted(String),
    Done,
}

/// A rollout on its way.
#[derive(Clone, Debug)]
pub struct Rollout {
    version: String,
    plan: Plan,
    lamps: Vec<(String, Fate)>,
    /// How many lamps each step reaches; rising.
    ends: Vec<usize>,
    step: usize,
    phase: Phase,
    is_paused: bool,
}

impl Rollout {
    /// Begins one of `version` to these lamps, in this order.
    ///
    /// # Errors
    ///
    /// A sentence if the plan makes no sense, or there is no lamp.
    pub fn new(version: &str, lamps: Vec<String>, plan: Plan) -> Result<Self, String> {
        plan.check()?;
        if lamps.is_empty() {
            return Err("there is no lamp to update".into());
        }
        let mut ends: Vec<usize> =
            plan.steps.iter().map(|step| count(step, lamps.len())).collect::<Result<_, _>>()?;
        // A step never goes back.
        for i in 1..ends.len() {
            ends[i] = ends[i].max(ends[i - 1]);
        }
        Ok(Self {
            version: version.to_owned(),
            plan,
            lamps: lamps.into_iter().map(|l| (l, Fate::Waiting)).collect(),
            ends,
            step: 0,
            phase: Phase::Trying,
            is_paused: false,
        })
    }

    fn reached(&self) -> &[(String, Fate)] {
        &self.lamps[..self.ends[self.step]]
    }

    fn count(&self, is: impl Fn(&Fate) -> bool) -> usize {
        self.lamps.iter().filter(|(_, fate)| is(fate)).count()
    }

    /// The lamp to try now, if one is due; ask again until there is none. It counts as being tried from here on.
    pub fn next(&mut self, now: Instant) -> Option<String> {
        if let Phase::Watching(until) = self.phase
            && now >= until
            && !self.is_paused
        {
            self.step += 1;
            self.phase = if self.step == self.ends.len() { Phase::Done } else { Phase::Trying };
            self.step = self.step.min(self.ends.len() - 1);
        }
        if self.phase != Phase::Trying || self.is_paused {
            return None;
        }
        if self.count(|f| *f == Fate::Trying) >= self.plan.at_once {
            return None;
        }
        let end = self.ends[self.step];
        if let Some((lamp, fate)) = self.lamps[..end].iter_mut().find(|(_, f)| *f == Fate::Waiting) {
            *fate = Fate::Trying;
            return Some(lamp.clone());
        }
        if self.reached().iter().all(|(_, f)| *f != Fate::Trying) {
            self.phase = Phase::Watching(now + Duration::from_secs_f64(self.plan.watch));
        }
        None
    }

    /// What became of a lamp that was tried, or of one that was good and is not any more.
    pub fn tell(&mut self, lamp: &str, verdict: Result<(), String>) {
        let Some((_, fate)) = self.lamps.iter_mut().find(|(l, _)| l == lamp) else { return };
        *fate = match verdict {
            Ok(()) => Fate::Good,
            Err(why) => Fate::Bad(why),
        };
        let bad = self.count(|f| matches!(f, Fate::Bad(_)));
        let judged = bad + self.count(|f| *f == Fate::Good);
        let share = 100.0 * bad as f64 / judged as f64;
        if bad > 0 && share > self.plan.abort_above && !matches!(self.phase, Phase::Aborted(_)) {
            self.phase = Phase::Aborted(format!(
                "{bad} of {judged} have failed, more than {} %",
                self.plan.abort_above
            ));
        }
    }

    /// True for a lamp that has the new firmware and is to be watched.
    pub fn is_good(&self, lamp: &str) -> bool {
        self.lamps.iter().any(|(l, f)| l == lamp && *f == Fate::Good)
    }

    /// True until it has ended.
    pub fn is_going(&self) -> bool {
        !matches!(self.phase, Phase::Aborted(_) | Phase::Done) || self.count(|f| *f == Fate::Trying) > 0
    }

    /// Does as it is told.
    pub fn obey(&mut self, order: &Order) {
        match order {
            Order::Pause => self.is_paused = true,
            Order::Resume => self.is_paused = false,
            Order::Abort if self.phase != Phase::Done => {
                self.phase = Phase::Aborted("somebody has said so".into())
            }
            Order::Abort | Order::Start(_) => {}
        }
    }

    /// How it stands, for whoever looks at the broker.
    pub fn told(&self) -> Value {
        let (state, why) = match &self.phase {
            Phase::Aborted(why) => ("aborted", Some(why)),
            Phase::Done => ("done", None),
            _ if self.is_paused => ("paused", None),
            Phase::Trying => ("trying", None),
            Phase::Watching(_) => ("watching", None),
        };
        let failed: serde_json::Map<String, Value> = self
            .lamps
            .iter()
            .filter_map(|(lamp, fate)| match fate {
                Fate::Bad(why) => Some((lamp.clone(), why.as_str().into())),
                _ => None,
            })
            .collect();
        json!({
            "state": state, "why": why, "version": self.version, "lamps": self.lamps.len(),
            "step": self.step + 1, "steps": self.ends, "good": self.count(|f| *f == Fate::Good),
            "trying": self.count(|f| *f == Fate::Trying), "waiting": self.count(|f| *f == Fate::Waiting),
            "failed": failed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lamps(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("k1-{i:03}")).collect()
    }

    fn plan(steps: &[&str], abort_above: f64) -> Plan {
        Plan { steps: steps.iter().map(|s| (*s).to_owned()).collect(), abort_above, watch: 10.0, at_once: 3 }
    }

    /// Everybody who is due, with what becomes of them.
    fn step(r: &mut Rollout, now: Instant, bad: impl Fn(&str) -> bool) -> usize {
        let mut tried = 0;
        while let Some(lamp) = r.next(now) {
            tried += 1;
            r.tell(&lamp, if bad(&lamp) { Err("late".into()) } else { Ok(()) });
        }
        tried
    }

    #[test]
    fn a_good_one_reaches_everybody_step_by_step() {
        let mut r = Rollout::new("2.0", lamps(200), plan(&["1", "5%", "25%", "100%"], 5.0)).unwrap();
        let mut now = Instant::now();
        for expected in [1, 9, 40, 150] {
            assert_eq!(step(&mut r, now, |_| false), expected, "{}", r.told());
            assert_eq!(step(&mut r, now + Duration::from_secs(9), |_| false), 0, "it is watched first");
            now += Duration::from_secs(11);
        }
        assert_eq!(r.next(now), None);
        assert_eq!((&r.told()["state"], r.is_going()), (&"done".into(), false));
    }

    #[test]
    fn a_bad_one_stops_where_it_shows() {
        let now = Instant::now();
        let mut r = Rollout::new("2.0", lamps(200), plan(&["1", "5%", "100%"], 5.0)).unwrap();
        assert_eq!(step(&mut r, now, |_| true), 1, "the canary");
        assert_eq!((&r.told()["state"], r.is_going()), (&"aborted".into(), false));

        // Here and there one fails: that is borne, until it is more than 5 %.
        let mut r = Rollout::new("2.0", lamps(200), plan(&["100%"], 5.0)).unwrap();
        let tried = step(&mut r, now, |lamp| lamp >= "k1-100");
        assert_eq!(tried, 106, "100 good and 6 bad are 5.7 %");
        assert!(r.told()["failed"].as_object().is_some_and(|f| f.len() == 6 && f["k1-100"] == "late"));
    }

    #[test]
    fn it_can_be_held_and_ended() {
        let now = Instant::now();
        let mut r = Rollout::new("2.0", lamps(10), plan(&["100%"], 5.0)).unwrap();
        let first: Vec<_> = std::iter::from_fn(|| r.next(now)).collect();
        assert_eq!(first.len(), 3, "no more at once");
        r.obey(&Order::Pause);
        for lamp in &first {
            r.tell(lamp, Ok(()));
        }
        assert_eq!((r.next(now), &r.told()["state"]), (None, &"paused".into()));
        r.obey(&Order::Resume);
        let next = r.next(now).unwrap();
        r.obey(&Order::Abort);
        assert!(r.next(now).is_none() && r.is_going(), "whoever has begun ends");
        r.tell(&next, Ok(()));
        assert!(!r.is_going());
    }

    #[test]
    fn who_falls_ill_later_counts() {
        let now = Instant::now();
        let mut r = Rollout::new("2.0", lamps(20), plan(&["2", "100%"], 5.0)).unwrap();
        assert_eq!(step(&mut r, now, |_| false), 2);
        assert!(r.is_good("k1-001") && !r.is_good("k1-002"));
        r.tell("k1-001", Err("it does not answer".into()));
        assert_eq!(step(&mut r, now + Duration::from_secs(60), |_| false), 0);
        assert_eq!(r.told()["state"], "aborted");
    }

    #[test]
    fn orders_are_read_or_told_why_not() {
        assert_eq!(Order::read(br#"{"do":"start"}"#), Ok(Order::Start(Plan::default())));
        assert_eq!(Order::read(br#"{"do":"pause"}"#), Ok(Order::Pause));
        for wrong in [
            "",
            "start",
            r#"{"do":"stop"}"#,
            r#"{"do":"start","steps":[]}"#,
            r#"{"do":"start","steps":["0"]}"#,
            r#"{"do":"start","steps":["120%"]}"#,
            r#"{"do":"start","at_once":0}"#,
            r#"{"do":"start","watch":-1}"#,
        ] {
            assert!(Order::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn nobody_is_tried_twice_and_never_more_fail_than_is_borne(
            n in 1_usize..60, bad in prop::collection::vec(any::<bool>(), 60), abort_above in 0.0_f64..50.0,
        ) {
            let mut now = Instant::now();
            let mut r = Rollout::new("2", lamps(n), plan(&["1", "10%", "50%", "100%"], abort_above)).unwrap();
            let (mut tried, mut failed) = (std::collections::BTreeSet::new(), 0);
            while r.is_going() {
                while let Some(lamp) = r.next(now) {
                    prop_assert!(tried.insert(lamp.clone()));
                    // Before this one, no more had failed than is borne.
                    prop_assert!(failed == 0 || 100.0 * f64::from(failed) / (tried.len() - 1) as f64 <= abort_above);
                    let is_bad = bad[tried.len() - 1];
                    failed += u32::from(is_bad);
                    r.tell(&lamp, if is_bad { Err(String::new()) } else { Ok(()) });
                }
                now += Duration::from_secs(11);
            }
            prop_assert!(r.told()["state"] == "aborted" || tried.len() == n);
        }
    }
}
