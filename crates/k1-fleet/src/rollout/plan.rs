//! The plan of a rollout.

use std::fmt;

use serde::Deserialize;

/// Longest time to watch a step, in seconds.
const LONGEST_WATCH: f64 = 86_400.0;

/// The plan of a rollout.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// How far each step reaches: a number of lamps ("2"), or a share of all lamps ("25%").
    pub steps: Vec<String>,
    /// The rollout stops when more than this share of the lamps that were tried have failed, in percent.
    pub abort_above: f64,
    /// How long all updated lamps must stay well before the next step, in seconds.
    pub watch: f64,
    /// Most lamps that are updated at the same time.
    pub at_once: usize,
    /// Whether the last step is watched, too. The bridge watches it; `k1 deploy` ends after the last verdict.
    #[serde(skip)]
    pub watch_last: bool,
}

impl Default for Plan {
    fn default() -> Self {
        let steps = ["1", "5%", "25%", "100%"].map(str::to_owned).to_vec();
        Self { steps, abort_above: 5.0, watch: 60.0, at_once: 4, watch_last: true }
    }
}

impl Plan {
    /// One lamp after the other. The first `canaries` of `lamps` are watched for `watch` seconds before the others are
    /// updated, and the first failure stops the rollout.
    pub fn one_by_one(lamps: usize, canaries: usize, watch: f64) -> Self {
        let first = (0 < canaries && canaries < lamps).then(|| canaries.to_string());
        let steps = first.into_iter().chain(["100%".to_owned()]).collect();
        Self { steps, abort_above: 0.0, watch, at_once: 1, watch_last: false }
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`PlanError`] for a text that is not a step, or a value out of range.
    pub fn check(&self) -> Result<(), PlanError> {
        for step in &self.steps {
            count(step, 100)?;
        }
        let is_sound = !self.steps.is_empty()
            && (0.0..=100.0).contains(&self.abort_above)
            && (0.0..=LONGEST_WATCH).contains(&self.watch)
            && self.at_once > 0;
        if is_sound { Ok(()) } else { Err(PlanError::OutOfRange) }
    }

    /// How many of `lamps` have been reached after each step. The numbers rise: a step that adds no lamp is left out,
    /// because the lamps would be watched again for nothing.
    ///
    /// # Errors
    ///
    /// [`PlanError`] for a text that is not a step.
    pub(super) fn ends(&self, lamps: usize) -> Result<Vec<usize>, PlanError> {
        self.check()?;
        if lamps == 0 {
            return Err(PlanError::NoLamp);
        }
        let mut reached = 0;
        let end = |step: &String| {
            reached = count(step, lamps)?.max(reached);
            Ok(reached)
        };
        let mut ends = self.steps.iter().map(end).collect::<Result<Vec<_>, _>>()?;
        ends.dedup();
        Ok(ends)
    }
}

/// How many of `lamps` a step reaches, counted from the first lamp; at least one.
fn count(step: &str, lamps: usize) -> Result<usize, PlanError> {
    let wrong = || PlanError::NotAStep(step.to_owned());
    let n = match step.strip_suffix('%') {
        Some(percent) => {
            let share: f64 = percent.trim().parse().map_err(|_| wrong())?;
            if !(share > 0.0 && share <= 100.0) {
                return Err(wrong());
            }
            (share / 100.0 * lamps as f64).ceil() as usize
        }
        None => step.trim().parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?,
    };
    Ok(n.min(lamps))
}

/// Why a rollout cannot begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// This text is not a step.
    NotAStep(String),
    /// A value is out of range.
    OutOfRange,
    /// There is no lamp to update.
    NoLamp,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::NotAStep(step) => {
                write!(f, "“{step}” is not a step: write a number of lamps, or a share such as 25%")
            }
            Self::OutOfRange => f.write_str(
                "a rollout needs at least one step, abort_above from 0 to 100, watch from 0 to 86,400 and at_once from 1",
            ),
            Self::NoLamp => f.write_str("there is no lamp to update"),
        }
    }
}

impl std::error::Error for PlanError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_reach_a_number_or_a_share_and_each_adds_lamps() {
        let ends = |steps: &[&str], lamps| {
            Plan { steps: steps.iter().map(|s| (*s).to_owned()).collect(), ..Plan::default() }.ends(lamps)
        };
        assert_eq!(ends(&["1", "5%", "25%", "100%"], 200), Ok(vec![1, 10, 50, 200]));
        assert_eq!(ends(&["10", "5%", "500"], 200), Ok(vec![10, 200]));
        assert_eq!(ends(&["1", "5%", "25%", "100%"], 1), Ok(vec![1]), "one lamp is watched once");
        assert_eq!(ends(&["1", "5%", "25%", "100%"], 3), Ok(vec![1, 3]));
        assert_eq!(ends(&["0.1%"], 3), Ok(vec![1]));
        assert_eq!(ends(&["100%"], 0), Err(PlanError::NoLamp));
        for wrong in ["0", "-1", "x", "", "0%", "120%", "NaN%"] {
            assert_eq!(ends(&[wrong], 10), Err(PlanError::NotAStep(wrong.into())), "{wrong}");
        }
    }

    #[test]
    fn canaries_are_a_step_of_their_own_if_others_follow() {
        let ends = |lamps, canaries| Plan::one_by_one(lamps, canaries, 60.0).ends(lamps).unwrap();
        assert_eq!(ends(5, 2), [2, 5]);
        assert_eq!(ends(5, 0), [5]);
        assert_eq!(ends(2, 2), [2], "nobody follows");
        assert_eq!(ends(2, 9), [2]);
    }
}
