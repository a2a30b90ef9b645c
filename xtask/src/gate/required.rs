//! The tests that a bare machine skips, on a machine with all programs. Here a missing program is a failure.

use std::collections::BTreeSet;
use std::time::Duration;

use super::runner::{self, Report};
use super::targets::{self, Case, Table};
use super::{bare, excused, notes, second_attempt, stage};
use crate::vendor;

/// Every need in `crates/k1/tests/support/need.rs`.
const NEEDS: &str =
    "browser,axe,site,pulse,virt,promtool,mosquitto,netns,nginx,openssl,encoders,ola,tshark,strace,systemd";

/// Runs these tests.
///
/// # Errors
/// A sentence, if a test fails, is skipped, or cannot be found.
pub fn run() -> Result<(), String> {
    let (table, all) = (Table::read()?, targets::all()?);
    let cases = targets::build(&all, Duration::from_secs(table.required_seconds))?;
    table.check_beginnings(&cases)?;
    let (chosen, again) = choose(cases, &table)?;
    let env = [("K1_REQUIRE", NEEDS.to_owned()), ("K1_AXE", axe()?)];
    let mut reports = runner::all(&chosen, &env, runner::cores(), |case| table.is_alone(case));
    let most = stage::Table::read()?.second_attempts;
    second_attempt::of_failed(&chosen, &mut reports, most, |case| runner::one(case, &env));
    judge(&mut reports)?;
    runner::tell(&reports, 0, again)
}

/// Takes axe-core from npm, and returns the path of its file.
fn axe() -> Result<String, String> {
    let path = notes().join("axe.min.js");
    std::fs::write(&path, vendor::take(&vendor::AXE)?.file("axe.min.js")?)
        .map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path.display().to_string())
}

/// The tests that the bare machine skipped or could not judge, and the number of skipped ones. If that run left no
/// notes, all tests that are not quick.
fn choose(cases: Vec<Case>, table: &Table) -> Result<(Vec<Case>, usize), String> {
    let notes = notes();
    let Ok(skipped) = std::fs::read_to_string(notes.join(bare::SKIPPED)) else {
        println!("there is no list of tests skipped on a bare machine; running all tests that are not quick");
        let is_wanted = |c: &Case| !table.is_quick(&c.target) || table.is_slow(c);
        return Ok((cases.into_iter().filter(is_wanted).collect(), 0));
    };
    let unjudged = excused::candidates(&notes.join(bare::UNJUDGED));
    let mut wanted: BTreeSet<String> =
        skipped.lines().filter_map(|l| Some(l.split_once('\t')?.1.to_owned())).collect();
    wanted.extend(unjudged.into_iter().map(|c| c.test));
    let chosen: Vec<_> = cases.into_iter().filter(|c| wanted.contains(&c.name)).collect();
    match wanted.iter().find(|name| !chosen.iter().any(|c| c.name == **name)) {
        Some(lost) => {
            Err(format!("the test {lost} was skipped on a bare machine, but no test target contains it"))
        }
        None => Ok((chosen, skipped.lines().count())),
    }
}

/// Notes excused statements, and tests that passed at the second attempt. Fails tests that were skipped, and tests whose
/// statements are not in `.ci/timing.toml`.
///
/// # Errors
/// A sentence, if the notes cannot be written.
pub fn judge(reports: &mut [Report]) -> Result<(), String> {
    let (named, notes) = (excused::named()?, notes());
    for report in reports {
        if report.skipped && report.wrong.is_none() {
            report.wrong = Some(format!("{} was skipped, although every program is installed", report.name));
        }
        for statement in report.unjudged.drain(..) {
            match named.get(&statement.name) {
                Some(_) => excused::LIST
                    .note(&notes, &format!("{} ({}): {}", statement.name, report.name, statement.what))?,
                None => report.wrong = Some(format!("{} is not in .ci/timing.toml", statement.name)),
            }
        }
        if report.wrong.is_none() && report.failed_before.is_some() {
            second_attempt::LIST.note(&notes, &report.name)?;
        }
    }
    Ok(())
}
