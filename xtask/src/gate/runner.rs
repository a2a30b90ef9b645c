//! Runs each test in a process of its own with a time limit of its own. A test that hangs is killed and named, without
//! affecting the others.

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::excused::{self, Candidate};
use super::targets::Case;
use super::timed::{self, End};

/// The result of a test.
#[derive(Debug)]
pub struct Report {
    /// Its full name.
    pub name: String,
    /// Duration of its last run.
    pub took: Duration,
    /// If it failed, the reason and its output.
    pub wrong: Option<String>,
    /// True if it printed that a program was missing.
    pub skipped: bool,
    /// Statements about time that could not be judged in its last run.
    pub unjudged: Vec<Candidate>,
    /// If it passed at the second attempt, the reason of the first failure and its output.
    pub failed_before: Option<String>,
}

/// Runs a test once.
fn once(case: &Case, env: &[(&str, String)]) -> Report {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let place =
        std::env::temp_dir().join(format!("k1-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed)));
    let (log, unjudged) = (place.with_extension("log"), place.with_extension("time"));
    let began = Instant::now();
    let mut command = Command::new(&case.binary);
    command.args(["--exact", &case.name]).current_dir(&case.dir);
    command.env("CARGO_MANIFEST_DIR", &case.dir).env("K1_EXCUSED", &unjudged);
    command.envs(env.iter().map(|(name, value)| (name, value)));
    let end = timed::run(&mut command, case.limit, &log, false);
    let took = began.elapsed();
    let said = String::from_utf8_lossy(&std::fs::read(&log).unwrap_or_default()).into_owned();
    let name = case.full_name();
    let wrong = match end {
        Ok(End::Success) if said.contains("test result: ok. 1 passed") => None,
        Ok(End::Success) => Some(format!("{name} did not run:\n{said}")),
        Ok(End::Failure(status)) => Some(format!("{name}: {status}\n{said}")),
        Ok(End::Killed) => {
            Some(format!("{name} hangs: it did not end within {} s\n{said}", case.limit.as_secs()))
        }
        Err(e) => Some(format!("{name}: {e}")),
    };
    let candidates = excused::candidates(&unjudged);
    let _ = (std::fs::remove_file(&log), std::fs::remove_file(&unjudged));
    let skipped = said.lines().any(|l| l.starts_with("skipped: "));
    Report { name, took, wrong, skipped, unjudged: candidates, failed_before: None }
}

/// Runs a test, and once more if it made statements that could not be judged.
pub fn one(case: &Case, env: &[(&str, String)]) -> Report {
    let first = once(case, env);
    if first.wrong.is_some() || first.unjudged.is_empty() {
        return first;
    }
    println!("once more, because this machine was busy elsewhere: {}", first.name);
    once(case, env)
}

/// Number of this machine's cores.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

/// Runs tests, `workers` at a time, and then one by one those for which `alone` is true.
pub fn all(
    cases: &[Case],
    env: &[(&str, String)],
    workers: usize,
    alone: impl Fn(&Case) -> bool,
) -> Vec<Report> {
    let (single, many): (Vec<_>, Vec<_>) = cases.iter().partition(|case| alone(case));
    let (next, reports) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let done = |report: Report| {
        let verdict = if report.wrong.is_some() { "FAILED" } else { "ok" };
        println!("test {} ... {verdict} ({:.1} s)", report.name, report.took.as_secs_f64());
        reports.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(report);
    };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(case) = many.get(next.fetch_add(1, Relaxed)) {
                    done(one(case, env));
                }
            });
        }
    });
    single.into_iter().for_each(|case| done(one(case, env)));
    reports.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Prints the failures, also those of first attempts, and the result in the form of Rust's own test programs. `again` is
/// the number of tests that an earlier stage counted as skipped.
///
/// # Errors
/// A sentence that names the tests that failed.
pub fn tell(reports: &[Report], ignored: usize, again: usize) -> Result<(), String> {
    let failed: Vec<_> = reports.iter().filter(|r| r.wrong.is_some()).collect();
    // `count` adds up all lines of results, and what a single test's program printed must not count twice.
    let output = |text: &str| -> String {
        text.lines().filter(|l| !l.contains("test result: ")).map(|l| format!("{l}\n")).collect()
    };
    failed.iter().for_each(|r| println!("\n---- {}", output(r.wrong.as_deref().unwrap_or_default())));
    for report in reports.iter().filter(|r| r.wrong.is_none()) {
        if let Some(first) = &report.failed_before {
            println!("\n---- passed at the second attempt; at the first: {}", output(first));
        }
    }
    let mut slowest: Vec<_> = reports.iter().map(|r| (r.took.as_millis(), &r.name)).collect();
    slowest.sort_unstable_by(|a, b| b.cmp(a));
    let slowest: Vec<_> = slowest.iter().take(5).map(|(ms, name)| format!("{name} {ms} ms")).collect();
    println!("the slowest: {}", slowest.join(", "));
    println!(
        "test result: {}. {} passed; {} failed; {ignored} ignored; {again} counted as skipped before",
        if failed.is_empty() { "ok" } else { "FAILED" },
        reports.len() - failed.len(),
        failed.len(),
    );
    if failed.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = failed.iter().map(|r| r.name.as_str()).collect();
    Err(format!("{} tests failed: {}", names.len(), names.join(", ")))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::gate::targets::Target;

    /// A test program, replaced by a script.
    fn case(name: &str, script: &str, limit: Duration) -> Case {
        let binary = crate::gate::scratch("runner").join(name);
        std::fs::write(&binary, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
        let target = Target { package: "p".into(), name: "t".into() };
        Case { target, binary, dir: std::env::temp_dir(), name: name.into(), limit }
    }

    const OK: &str = "echo 'test result: ok. 1 passed; 0 failed'";
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_test_that_hangs_is_killed_and_named_and_the_others_run() {
        let cases = [
            case("hangs", "echo so far; sleep 600", Duration::from_millis(400)),
            case("passes", OK, MINUTE),
            case("fails", "exit 101", MINUTE),
        ];
        let reports = all(&cases, &[], 2, |case| case.name == "passes");
        let wrong = |name: &str| reports.iter().find(|r| r.name.ends_with(name)).unwrap().wrong.clone();
        assert!(wrong("hangs").is_some_and(|w| w.contains("p t hangs hangs") && w.contains("so far")));
        assert_eq!(wrong("passes"), None);
        assert!(wrong("fails").is_some());
        let told = tell(&reports, 0, 0).unwrap_err();
        assert!(told.starts_with("2 tests failed") && told.contains("p t hangs"), "{told}");
    }

    #[test]
    fn a_program_that_ran_no_test_has_not_passed() {
        let wrong = once(&case("none", "echo 'test result: ok. 0 passed; 0 failed'", MINUTE), &[]).wrong;
        assert!(wrong.unwrap().contains("did not run"));
    }

    #[test]
    fn a_statement_that_could_not_be_judged_is_tried_once_more() {
        let mark = crate::gate::scratch("runner").join("mark");
        let _ = std::fs::remove_file(&mark);
        let away = "printf 'page-rate\\tthe test\\t31 a second\\n' >>\"$K1_EXCUSED\"";
        let script = format!("[ -e {0} ] || {away}; touch {0}; {OK}", mark.display());
        let report = one(&case("once", &script, MINUTE), &[]);
        assert!(report.wrong.is_none() && report.unjudged.is_empty(), "{report:?}");
        let report = one(&case("twice", &format!("{away}; {OK}"), MINUTE), &[]);
        assert_eq!(report.unjudged[0].name, "page-rate");
    }
}
