//! Reads a self-checking payload from a second thread, 10⁹ times, and counts what went wrong.
//!
//! `cargo run --release -p k1-handoff --features std --example soak -- --reads 1000000000`
//!
//! `--reads N` for the 8-word runs (default 10⁹; the others do N / 50), `--readers N` for the ring (default 1),
//! `--period-us N` between two publishes of the timed run (default 8000). "Worst run" is the longest run of failed
//! tries, across reads. The exit status is 1 if a value was torn or went backwards, and 2 on wrong usage.
//!
//! A processor shows only its own behaviour: on x86 most missing fences go unnoticed (loom finds those). This example
//! is for chips, and for measuring how often a reader is overtaken.

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Report, soak_ring, soak_swap};
use std::process::ExitCode;
use std::time::Duration;

struct Options {
    reads: u64,
    readers: u64,
    period: Duration,
}

fn options(mut arguments: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options { reads: 1_000_000_000, readers: 1, period: Duration::from_millis(8) };
    while let Some(name) = arguments.next() {
        let value: u64 = arguments.next()?.parse().ok()?;
        match name.as_str() {
            "--reads" => options.reads = value,
            "--readers" if value >= 1 => options.readers = value,
            "--period-us" => options.period = Duration::from_micros(value),
            _ => return None,
        }
    }
    Some(options)
}

fn main() -> ExitCode {
    let Some(Options { reads, readers, period }) = options(std::env::args().skip(1)) else {
        eprintln!("usage: soak [--reads N] [--readers N] [--period-us N]");
        return ExitCode::from(2);
    };
    println!(
        "{:<28} {:>13} {:>13} {:>5} {:>9} {:>11} {:>9} {:>12} {:>12} {:>8}",
        "", "reads", "new", "torn", "backwards", "contended", "worst run", "publishes", "dropped", "seconds"
    );
    let few = reads / 50;
    let clean = [
        print("ring K=4 W=8, saturated", &soak_ring::<8, 4>(reads, readers, Duration::ZERO)),
        print("ring K=4 W=320, saturated", &soak_ring::<320, 4>(few, readers, Duration::ZERO)),
        print("ring K=4 W=320, timed", &soak_ring::<320, 4>(few, readers, period)),
        print("swap W=8, saturated", &soak_swap::<8>(reads, Duration::ZERO)),
        print("swap W=320, saturated", &soak_swap::<320>(few, Duration::ZERO)),
    ];
    if clean.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Prints one line. Returns whether the report is clean.
fn print(name: &str, report: &Report) -> bool {
    let Report { reads, new, torn, backwards, contended, worst_run, publishes, dropped, seconds } = report;
    println!(
        "{name:<28} {reads:>13} {new:>13} {torn:>5} {backwards:>9} {contended:>11} {worst_run:>9} \
         {publishes:>12} {dropped:>12} {seconds:>8.1}"
    );
    *torn == 0 && *backwards == 0
}
