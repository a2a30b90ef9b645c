//! The gate: everything that must be true before a change lands. Its stages are listed in `.ci/stages.toml`. A stage
//! that fails, cannot run or exceeds its limit fails the gate.

mod bare;
mod count;
mod excused;
mod lamp;
mod list;
pub mod quick;
mod required;
mod runner;
mod second_attempt;
mod stage;
mod targets;
mod timed;
mod unproven;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use stage::{Stage, Table};
use timed::End;
pub use timed::find;

/// Latest start of a stage after the beginning of the gate. A new machine should need 45 minutes; after 90 it is too late.
const LAST_START: Duration = Duration::from_secs(75 * 60);

/// The result of a stage.
struct Outcome<'a> {
    stage: &'a Stage,
    took: Duration,
    /// A sentence, if the stage failed.
    wrong: Option<String>,
}

/// The command `cargo xtask gate [--list | STAGE...]`.
pub fn gate(args: &[&str]) -> ExitCode {
    match run(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("xtask: {e}");
            ExitCode::FAILURE
        }
    }
}

/// The command `cargo xtask tests`, which stages call.
///
/// # Errors
/// A sentence, if a test fails or `args` names no known set of tests.
pub fn tests(args: &[&str]) -> Result<(), String> {
    match args {
        ["bare"] => bare::run(),
        ["required"] => required::run(),
        ["lamp"] => lamp::run(),
        _ => Err("use tests bare, tests required or tests lamp".into()),
    }
}

/// The build folder, which all commands of the gate share.
pub fn built() -> PathBuf {
    let set = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    std::path::absolute(set.unwrap_or_else(|| crate::root().join("target"))).unwrap_or_default()
}

/// The folder of the gate's notes: the output of each stage, the skipped tests, the excused statements, the tests that
/// passed at the second attempt.
fn notes() -> PathBuf {
    let folder = built().join("gate");
    let _ = std::fs::create_dir_all(&folder);
    folder
}

/// Names something that this run of the gate could not prove, in its last lines. Not an error: see `unproven`.
///
/// # Errors
/// A sentence, if it cannot be written.
pub fn not_proven(what: &str) -> Result<(), String> {
    unproven::LIST.note(&notes(), what)
}

/// A scratch folder for a unit test.
#[cfg(test)]
pub fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("k1-xtask-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn run(args: &[&str]) -> Result<bool, String> {
    let table = Table::read()?;
    if args == ["--list"] {
        for stage in &table.stage {
            let lane = if stage.beside { "beside" } else { "" };
            println!("{:<12} {:>3} min {lane:<7} {}", stage.name, stage.minutes, stage.says);
        }
        return Ok(true);
    }
    let chosen = table.choose(args)?;
    let notes = notes();
    for list in [&excused::LIST, &unproven::LIST, &second_attempt::LIST] {
        list.forget(&notes);
    }
    let this = copy_of_this_program(&notes)?;
    if !chosen.iter().any(|s| s.name == bare::STAGE) {
        let _ = std::fs::remove_file(notes.join(bare::SKIPPED));
    }
    let outcomes = run_all(&chosen, &this, &notes, LAST_START);
    let verdict = tell(&outcomes, &notes, table.second_attempts);
    println!("{}", count::of(chosen.iter().map(|s| log_of(&notes, s)))?);
    Ok(verdict)
}

fn log_of(notes: &Path, stage: &Stage) -> PathBuf {
    notes.join(&stage.name).with_extension("log")
}

/// Runs the stages; those with `beside` run in a second lane at the same time. `this` is the program that stages call as
/// `cargo xtask`.
fn run_all<'a>(stages: &[&'a Stage], this: &Path, notes: &Path, last_start: Duration) -> Vec<Outcome<'a>> {
    let began = Instant::now();
    let lane = |beside: bool| -> Vec<Outcome<'a>> {
        let of_this_lane = stages.iter().filter(|s| s.beside == beside);
        of_this_lane
            .map(|stage| {
                let from = Instant::now();
                if !beside {
                    println!("\n== {}: {} (at {} s) ==", stage.name, stage.says, began.elapsed().as_secs());
                }
                let late = began.elapsed() >= last_start;
                let done =
                    if late { Err("there was no time left for it".into()) } else { one(stage, this, notes) };
                let outcome = Outcome { stage, took: from.elapsed(), wrong: done.err() };
                if beside {
                    let log = std::fs::read_to_string(log_of(notes, stage)).unwrap_or_default();
                    println!("\n== {}: {} (ran in the second lane) ==\n{log}", stage.name, stage.says);
                }
                outcome
            })
            .collect()
    };
    let mut outcomes = std::thread::scope(|scope| {
        let second = scope.spawn(|| lane(true));
        let mut first = lane(false);
        first.extend(second.join().unwrap_or_default());
        first
    });
    outcomes.sort_by_key(|o| stages.iter().position(|s| s.name == o.stage.name));
    outcomes
}

/// Runs one stage.
///
/// # Errors
/// A sentence, if a program is missing, a command fails, or the time limit is exceeded.
fn one(stage: &Stage, this: &Path, notes: &Path) -> Result<(), String> {
    let log = log_of(notes, stage);
    std::fs::write(&log, "").map_err(|e| format!("{}: {e}", log.display()))?;
    if let Some(missing) = stage.missing() {
        return Err(missing);
    }
    let began = Instant::now();
    for line in &stage.run {
        // Call this program directly, because `cargo run` would wait for a build in the other lane.
        let script = line.replace("cargo xtask ", "\"$K1_XTASK\" ");
        let mut command = shell(&script, stage.beside);
        command.current_dir(crate::root()).envs(&stage.env).env("K1_XTASK", this);
        command.env("CARGO_TARGET_DIR", built());
        let left = stage.limit().saturating_sub(began.elapsed());
        match timed::run(&mut command, left, &log, !stage.beside)? {
            End::Success => {}
            End::Failure(status) => return Err(format!("`{line}`: {status}")),
            End::Killed => return Err(format!("`{line}` did not end within {} minutes", stage.minutes)),
        }
    }
    Ok(())
}

/// Copies this program into the folder `to`. A stage that builds the workspace replaces the original, and a path to a
/// replaced program is of no use.
///
/// # Errors
/// A sentence if it cannot be copied.
fn copy_of_this_program(to: &Path) -> Result<PathBuf, String> {
    let copy = || -> std::io::Result<PathBuf> {
        let this = std::env::current_exe()?;
        let (copy, new) = (to.join("xtask"), to.join(format!("xtask-{}", std::process::id())));
        // By renaming, because an earlier gate may still run the old copy.
        std::fs::copy(this, &new)?;
        std::fs::rename(&new, &copy)?;
        Ok(copy)
    };
    copy().map_err(|e| format!("this program cannot be copied: {e}"))
}

/// A shell that runs a script; if `idle`, only in processor time that nothing else wants.
fn shell(script: &str, idle: bool) -> Command {
    let plain = ["sh", "-eu", "-c", script];
    let yielding = match (idle, find("chrt")) {
        (false, _) => &[][..],
        (true, Some(_)) => &["chrt", "--idle", "0"],
        (true, None) => &["nice", "-n", "19"],
    };
    let words: Vec<_> = yielding.iter().chain(&plain).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

/// Prints the table of results, the excused statements, the tests that passed at the second attempt, of which there may
/// be `second_attempts`, and the failures. False if the gate failed.
fn tell(outcomes: &[Outcome], notes: &Path, second_attempts: usize) -> bool {
    println!("\n== result ==");
    for outcome in outcomes {
        let (minutes, seconds) = (outcome.took.as_secs() / 60, outcome.took.as_secs() % 60);
        let verdict = if outcome.wrong.is_some() { "FAILED" } else { "passed" };
        println!("{:<12} {minutes:>3} min {seconds:02} s  {verdict}", outcome.stage.name);
    }
    let excused = excused::LIST.read(notes);
    println!(
        "{} statements about time were excused, because this machine was busy elsewhere twice:",
        excused.len()
    );
    excused.iter().for_each(|e| println!("  {e}"));
    let late = second_attempt::LIST.read(notes);
    println!("{} tests passed at the second attempt:", late.len());
    late.iter().for_each(|test| println!("  {test}"));
    unproven::LIST.read(notes).iter().for_each(|u| println!("NOT PROVEN {u}"));
    let mut wrong: Vec<_> =
        outcomes.iter().filter_map(|o| Some(format!("{}: {}", o.stage.name, o.wrong.as_ref()?))).collect();
    wrong.extend(excused::too_many(&excused));
    wrong.extend(second_attempt::too_many(&late, second_attempts));
    wrong.iter().for_each(|w| println!("FAILED {w}"));
    wrong.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stage that runs one line.
    fn stage(name: &str, needs: &str, line: &str, beside: bool) -> Stage {
        Stage {
            name: name.into(),
            says: String::new(),
            needs: vec![needs.into()],
            minutes: 1,
            beside,
            env: [("GREETING".to_owned(), "good day".to_owned())].into(),
            run: vec![line.into()],
        }
    }

    fn wrong(stages: &[&Stage], last_start: Duration) -> Vec<Option<String>> {
        let notes = scratch("gate");
        let this = std::env::current_exe().unwrap();
        run_all(stages, &this, &notes, last_start).into_iter().map(|o| o.wrong).collect()
    }

    #[test]
    fn a_stage_passes_only_if_it_ran_and_every_command_succeeded() {
        let passes = stage("passes", "sh", "test \"$GREETING\" = 'good day'", false);
        let fails = stage("fails", "sh", "exit 7", false);
        let beside = stage("beside", "sh", "false; true", true);
        let missing = stage("missing", "k1-no-such-program", "true", false);
        let all = wrong(&[&fails, &passes, &beside, &missing], LAST_START);
        assert!(all[0].as_ref().unwrap().contains('7'));
        assert_eq!(all[1], None);
        assert!(all[2].is_some(), "a command in the middle of a line counts");
        assert!(all[3].as_ref().unwrap().contains("k1-no-such-program"));
    }

    /// A test that copied itself to where the gate keeps its own copy made every later stage run that test.
    #[test]
    fn stages_call_the_program_that_was_named_and_nothing_else_is_written_for_them() {
        let before = std::fs::read(notes().join("xtask")).ok();
        let calls = stage(
            "calls",
            "sh",
            "cargo xtask gate::tests::that_does_not_exist --list | grep -q '0 tests'",
            false,
        );
        assert_eq!(wrong(&[&calls], LAST_START), [None]);
        assert_eq!(
            std::fs::read(notes().join("xtask")).ok(),
            before,
            "the running gate's copy is left alone"
        );
    }

    #[test]
    fn a_stage_for_which_no_time_is_left_has_failed() {
        let late = stage("late", "sh", "true", false);
        assert!(wrong(&[&late], Duration::ZERO)[0].as_ref().unwrap().contains("no time"));
    }

    #[test]
    fn the_gate_fails_with_one_stage_with_six_excuses_and_with_three_second_attempts() {
        let notes = scratch("verdict");
        let (good, bad) = (stage("good", "sh", "true", false), stage("bad", "sh", "false", false));
        let outcome = |stage, wrong: Option<&str>| Outcome {
            stage,
            took: Duration::ZERO,
            wrong: wrong.map(str::to_owned),
        };
        let passes = || tell(&[outcome(&good, None)], &notes, 2);
        excused::LIST.forget(&notes);
        second_attempt::LIST.forget(&notes);
        assert!(passes());
        assert!(!tell(&[outcome(&good, None), outcome(&bad, Some("wrong"))], &notes, 2));
        for (list, most) in [(&excused::LIST, 5), (&second_attempt::LIST, 2)] {
            for n in 0..most {
                list.note(&notes, &format!("number {n}")).unwrap();
                assert!(passes());
            }
            list.note(&notes, "one more").unwrap();
            assert!(!passes());
            list.forget(&notes);
        }
    }
}
