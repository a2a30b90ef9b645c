//! `cargo xtask quick`: formatting, lints and all fast native tests, for maintainers to run before each commit.

use std::time::{Duration, Instant};

use super::runner;
use super::stage::Table as Stages;
use super::targets::{self, Table, Target};
use crate::cargo;

/// Runs the checks and the fast tests.
///
/// # Errors
/// A sentence that names the check or the tests that failed.
pub fn quick() -> Result<(), String> {
    let began = Instant::now();
    let stages = Stages::read()?;
    let names: Vec<_> = stages.stage.iter().map(|s| s.name.as_str()).collect();
    let (table, all) = (Table::read()?, targets::all()?);
    table.check(&all, &names)?;
    command("formatting", &["fmt", "--all", "--check"], began)?;
    command("lints", &["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"], began)?;
    let chosen: Vec<Target> = all.into_iter().filter(|t| table.is_quick(t)).collect();
    println!("tests: building (at {} s)", began.elapsed().as_secs());
    let mut cases = targets::build(&chosen, Duration::from_secs(table.quick_seconds))?;
    let all = cases.len();
    cases.retain(|case| !table.is_slow(case));
    println!("tests: {} (at {} s)", cases.len(), began.elapsed().as_secs());
    // More tests than cores run at the same time, because many of them only wait.
    let reports = runner::all(&cases, &[], 3 * runner::cores(), |case| table.is_alone(case));
    let unjudged = reports.iter().flat_map(|r| &r.unjudged);
    unjudged.for_each(|s| {
        println!("not judged, because this machine was busy elsewhere: {} ({})", s.name, s.what)
    });
    runner::tell(&reports, all - cases.len(), 0)?;
    println!("quick: passed in {} s", began.elapsed().as_secs());
    Ok(())
}

fn command(what: &str, arguments: &[&str], began: Instant) -> Result<(), String> {
    println!("{what} (at {} s)", began.elapsed().as_secs());
    let status = cargo().args(arguments).status().map_err(|e| format!("cargo: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("`cargo {}` failed", arguments.join(" "))) }
}
