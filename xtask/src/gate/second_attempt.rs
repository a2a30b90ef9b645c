//! Tests that failed and then passed. The stages `required` and `lamp-api` share this machine with the second lane,
//! which can delay a test for longer than it can bear. So a test that fails there runs once more, alone, after all other
//! tests of its stage. If it passes, it has passed, and the gate's last lines name it. The number of such tests in a run
//! is limited (`second_attempts` in `.ci/stages.toml`), because a test that often needs a second attempt must be mended.

use super::list::List;
use super::runner::Report;
use super::targets::Case;

/// The names of the tests that passed at the second attempt.
pub const LIST: List = List("second-attempts");

/// Runs the failed tests once more, one by one, and replaces their reports. If more than `most` tests have failed, no
/// test runs again, because the gate fails in any case.
pub fn of_failed(cases: &[Case], reports: &mut [Report], most: usize, mut run: impl FnMut(&Case) -> Report) {
    let failed: Vec<_> = reports.iter_mut().filter(|r| r.wrong.is_some()).collect();
    if failed.len() > most {
        println!("{} tests failed, so none of them runs again; {most} may", failed.len());
        return;
    }
    for report in failed {
        let Some(case) = cases.iter().find(|c| c.full_name() == report.name) else { continue };
        println!("once more, alone, because it failed: {}", report.name);
        let mut second = run(case);
        let first = report.wrong.take();
        match &mut second.wrong {
            Some(again) => *again = format!("{}\n---- again: {again}", first.as_deref().unwrap_or_default()),
            None => second.failed_before = first,
        }
        let verdict = if second.wrong.is_some() { "FAILED again" } else { "passed at the second attempt" };
        println!("test {} ... {verdict} ({:.1} s)", second.name, second.took.as_secs_f64());
        *report = second;
    }
}

/// A sentence, if more than `most` tests passed only at the second attempt.
pub fn too_many(passed: &[String], most: usize) -> Option<String> {
    let n = passed.len();
    (n > most).then(|| format!("{n} tests passed only at the second attempt; at most {most} may"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::gate::targets::Target;

    fn case(name: &str) -> Case {
        let target = Target { package: "p".into(), name: "t".into() };
        let limit = Duration::from_secs(1);
        Case { target, binary: PathBuf::new(), dir: PathBuf::new(), name: name.into(), limit }
    }

    /// The report of an attempt that passed or failed, and took this number of seconds.
    fn report(case: &Case, passes: bool, seconds: u64) -> Report {
        Report {
            name: case.full_name(),
            took: Duration::from_secs(seconds),
            wrong: (!passes).then(|| format!("{} failed in {seconds} s", case.name)),
            skipped: false,
            unjudged: Vec::new(),
            failed_before: None,
        }
    }

    /// All attempts of tests: the first ones as stated, then those of `second`, by name. Returns the reports, and the
    /// names of the tests that ran again.
    fn attempts(first: &[(&str, bool)], most: usize, second: &[(&str, bool)]) -> (Vec<Report>, Vec<String>) {
        let cases: Vec<_> = first.iter().map(|(name, _)| case(name)).collect();
        let mut reports: Vec<_> =
            cases.iter().zip(first).map(|(case, (_, passes))| report(case, *passes, 1)).collect();
        let mut ran = Vec::new();
        of_failed(&cases, &mut reports, most, |case| {
            ran.push(case.name.clone());
            let (_, passes) = second.iter().find(|(name, _)| *name == case.name).expect("a failed test");
            report(case, *passes, 2)
        });
        (reports, ran)
    }

    #[test]
    fn a_test_that_fails_once_passes_and_its_first_failure_is_kept() {
        let (reports, ran) = attempts(&[("a", true), ("b", false), ("c", true)], 2, &[("b", true)]);
        assert_eq!(ran, ["b"], "tests that passed do not run again");
        assert!(reports.iter().all(|r| r.wrong.is_none()));
        assert_eq!(reports[1].failed_before.as_deref(), Some("b failed in 1 s"));
        assert!(reports[0].failed_before.is_none() && reports[2].failed_before.is_none());
    }

    #[test]
    fn a_test_that_fails_twice_has_failed_and_both_failures_are_told() {
        let (reports, ran) = attempts(&[("a", false), ("b", false)], 2, &[("a", false), ("b", true)]);
        assert_eq!(ran, ["a", "b"]);
        let wrong = reports[0].wrong.as_deref().unwrap();
        assert!(wrong.contains("a failed in 1 s") && wrong.contains("again: a failed in 2 s"), "{wrong}");
        assert!(reports[0].failed_before.is_none() && reports[1].wrong.is_none());
    }

    #[test]
    fn more_failures_than_may_pass_later_stay_failures_and_nothing_runs_again() {
        let three = [("a", false), ("b", false), ("c", false)];
        let (reports, ran) = attempts(&three, 2, &[]);
        assert!(ran.is_empty() && reports.iter().all(|r| r.wrong.is_some()));
        assert_eq!(attempts(&three, 3, &three.map(|(name, _)| (name, true))).1.len(), 3);
    }

    #[test]
    fn two_tests_may_pass_later_in_a_run_and_three_may_not() {
        let passed: Vec<_> = ["a", "b", "c"].map(str::to_owned).into();
        assert_eq!(too_many(&passed[..2], 2), None);
        assert!(too_many(&passed, 2).unwrap().contains("3 tests"));
    }
}
