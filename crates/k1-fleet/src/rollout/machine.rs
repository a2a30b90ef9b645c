//! A rollout: which lamp is next, and when the rollout stops. Has no network and no clock of its own.
//!
//! Lamps get the firmware in steps. A step begins when every lamp of the previous steps has confirmed the firmware and
//! has stayed well for a while. When more than a share of the tried lamps have failed, no other lamp is tried.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::plan::{Plan, PlanError};

/// An updated lamp fails if this many looks in a row find it unwell. A single late second is not the firmware's fault.
const UNWELL: u32 = 3;

/// State of a lamp in the rollout.
#[derive(Clone, Debug, PartialEq)]
enum Fate {
    /// It was not tried.
    Waiting,
    /// It is being updated.
    Trying,
    /// It has confirmed the firmware. `unwell` counts the latest looks in a row that found it unwell.
    Updated { unwell: u32 },
    /// It does not run the firmware; with the reason.
    Failed(String),
    /// It confirmed the firmware, but became unwell later.
    Ill(String),
}

/// Activity of the rollout.
#[derive(Clone, Debug, PartialEq)]
enum Phase {
    Trying,
    Watching(Instant),
    Aborted(String),
    Done,
}

/// A rollout in progress. Lamps are numbered from 0, in the order in which they are tried.
#[derive(Clone, Debug)]
pub struct Rollout {
    version: String,
    plan: Plan,
    lamps: Vec<(String, Fate)>,
    /// Number of lamps that each step reaches.
    ends: Vec<usize>,
    step: usize,
    phase: Phase,
    is_paused: bool,
}

impl Rollout {
    /// Begins a rollout of `version` to the lamps named `labels`.
    ///
    /// # Errors
    ///
    /// [`PlanError`] if the plan is not valid.
    pub fn new(version: &str, labels: Vec<String>, plan: Plan) -> Result<Self, PlanError> {
        let ends = plan.ends(labels.len())?;
        Ok(Self {
            version: version.to_owned(),
            plan,
            lamps: labels.into_iter().map(|label| (label, Fate::Waiting)).collect(),
            ends,
            step: 0,
            phase: Phase::Trying,
            is_paused: false,
        })
    }

    fn count(&self, is: impl Fn(&Fate) -> bool) -> usize {
        self.lamps.iter().filter(|(_, fate)| is(fate)).count()
    }

    fn is_last_step(&self) -> bool {
        self.step + 1 == self.ends.len()
    }

    /// The next lamp to update, if one is due. Each returned lamp counts as being updated from then on, so call this
    /// until it returns `None`.
    pub fn next(&mut self, now: Instant) -> Option<usize> {
        // Waits for a lamp that the last look found unwell: it recovers, or it fails.
        let are_well = || self.count(|f| matches!(f, Fate::Updated { unwell: 1.. })) == 0;
        if matches!(self.phase, Phase::Watching(until) if now >= until) && !self.is_paused && are_well() {
            self.phase = if self.is_last_step() { Phase::Done } else { Phase::Trying };
            self.step = (self.step + 1).min(self.ends.len() - 1);
        }
        if self.phase != Phase::Trying || self.is_paused {
            return None;
        }
        if self.count(|f| *f == Fate::Trying) >= self.plan.at_once {
            return None;
        }
        let reached = &mut self.lamps[..self.ends[self.step]];
        if let Some(lamp) = reached.iter().position(|(_, fate)| *fate == Fate::Waiting) {
            reached[lamp].1 = Fate::Trying;
            return Some(lamp);
        }
        if reached.iter().all(|(_, fate)| *fate != Fate::Trying) {
            self.phase = match self.is_last_step() && !self.plan.watch_last {
                true => Phase::Done,
                false => Phase::Watching(now + Duration::from_secs_f64(self.plan.watch)),
            };
        }
        None
    }

    /// Takes the verdict on a lamp that was being updated: it has confirmed the firmware, or the reason why not.
    pub fn verdict(&mut self, lamp: usize, verdict: Result<(), String>) {
        let Some((_, fate @ Fate::Trying)) = self.lamps.get_mut(lamp) else { return };
        *fate = match verdict {
            Ok(()) => Fate::Updated { unwell: 0 },
            Err(why) => Fate::Failed(why),
        };
        self.judge();
    }

    /// Takes the result of a look at a lamp: it is well, or its fault. Only updated lamps are judged.
    pub fn look(&mut self, lamp: usize, found: Result<(), String>) {
        let Some((_, fate)) = self.lamps.get_mut(lamp) else { return };
        let Fate::Updated { unwell } = fate else { return };
        match found {
            Ok(()) => *unwell = 0,
            Err(_) if *unwell + 1 < UNWELL => *unwell += 1,
            Err(why) => {
                *fate = Fate::Ill(format!("after its verdict: {why}"));
                self.judge();
            }
        }
    }

    /// Stops the rollout if too many lamps have failed.
    fn judge(&mut self) {
        let failed = self.count(|f| matches!(f, Fate::Failed(_) | Fate::Ill(_)));
        let tried = failed + self.count(|f| matches!(f, Fate::Updated { .. }));
        let share = 100.0 * failed as f64 / tried as f64;
        if failed > 0 && share > self.plan.abort_above && self.phase != Phase::Done {
            let limit = self.plan.abort_above;
            self.stop(format!("{failed} of {tried} have failed, more than {limit} %"));
        }
    }

    fn stop(&mut self, why: String) {
        if !matches!(self.phase, Phase::Aborted(_) | Phase::Done) {
            self.phase = Phase::Aborted(why);
        }
    }

    /// Tries no other lamp until [`resume`](Self::resume) is called. Updates in progress continue.
    pub fn pause(&mut self) {
        self.is_paused = true;
    }

    /// Continues after [`pause`](Self::pause).
    pub fn resume(&mut self) {
        self.is_paused = false;
    }

    /// Ends the rollout. Updates in progress continue; no other lamp is tried.
    pub fn abort(&mut self) {
        self.stop("aborted on request".into());
    }

    /// Lamps that have confirmed the firmware and are well: the lamps to look at.
    pub fn updated(&self) -> impl Iterator<Item = usize> {
        let is = |(_, fate): &(String, Fate)| matches!(fate, Fate::Updated { .. });
        self.lamps.iter().enumerate().filter(move |(_, lamp)| is(lamp)).map(|(lamp, _)| lamp)
    }

    /// End of the time for which the updated lamps are watched; `None` if no lamps are watched.
    pub fn watched_until(&self) -> Option<Instant> {
        match self.phase {
            Phase::Watching(until) => Some(until),
            _ => None,
        }
    }

    /// True until the rollout has ended and no update is in progress.
    pub fn is_going(&self) -> bool {
        !matches!(self.phase, Phase::Aborted(_) | Phase::Done) || self.count(|f| *f == Fate::Trying) > 0
    }

    /// State of the rollout.
    pub fn status(&self) -> Status {
        let (state, why) = match &self.phase {
            Phase::Aborted(why) => ("aborted", Some(why.clone())),
            Phase::Done => ("done", None),
            _ if self.is_paused => ("paused", None),
            Phase::Trying => ("trying", None),
            Phase::Watching(_) => ("watching", None),
        };
        let labels = |is: &dyn Fn(&Fate) -> bool| -> Vec<String> {
            self.lamps.iter().filter(|(_, fate)| is(fate)).map(|(label, _)| label.clone()).collect()
        };
        let failed = self.lamps.iter().filter_map(|(label, fate)| match fate {
            Fate::Failed(why) | Fate::Ill(why) => Some((label.clone(), why.clone())),
            _ => None,
        });
        Status {
            state,
            why,
            version: self.version.clone(),
            lamps: self.lamps.len(),
            step: self.step + 1,
            steps: self.ends.clone(),
            good: self.count(|f| matches!(f, Fate::Updated { .. })),
            trying: self.count(|f| *f == Fate::Trying),
            waiting: self.count(|f| *f == Fate::Waiting),
            failed: failed.collect(),
            updated: match self.phase {
                Phase::Aborted(_) => labels(&|f| matches!(f, Fate::Updated { .. } | Fate::Ill(_))),
                _ => Vec::new(),
            },
        }
    }
}

/// State of a rollout, as the bridge publishes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// `trying`, `watching`, `paused`, `aborted` or `done`.
    pub state: &'static str,
    /// Reason for aborting.
    pub why: Option<String>,
    /// Version of the firmware.
    pub version: String,
    /// Number of lamps.
    pub lamps: usize,
    /// Current step, from 1.
    pub step: usize,
    /// Number of lamps that each step reaches.
    pub steps: Vec<usize>,
    /// Lamps that have confirmed the firmware and are well.
    pub good: usize,
    /// Lamps that are being updated.
    pub trying: usize,
    /// Lamps that were not tried.
    pub waiting: usize,
    /// Lamps that have failed, each with the reason.
    pub failed: BTreeMap<String, String>,
    /// After aborting: every lamp that nevertheless runs the firmware.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub updated: Vec<String>,
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
