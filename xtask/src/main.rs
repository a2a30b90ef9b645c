//! `cargo xtask`: the project's own tools.

mod audit;
mod cores;
mod dist;
mod ear;
mod files;
mod firmware;
mod frames;
mod fuzz;
mod gate;
mod image;
mod licences;
mod links;
#[cfg(target_os = "linux")]
mod load;
mod lx7;
mod measure;
mod packages;
mod pages;
mod proof;
mod release;
mod rustup;
#[cfg(target_os = "linux")]
mod service;
mod site;
mod vendor;
mod xtensa;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use serde::Deserialize;

const USAGE: &str =
    "cargo xtask quick                             formatting, lints and every fast test: before each commit
cargo xtask gate [--list | STAGE...]          everything that must be true, or one stage of it (.ci/run installs what it needs)
cargo xtask links                             every link in the documentation leads somewhere
cargo xtask licences [--record]               licences, sources and versions of all crates, against deny.toml
cargo xtask audit                             no credential in a source, no unsafe outside the hand-off
cargo xtask fuzz [SECONDS]                    each fuzz target for some seconds
cargo xtask packages                          pack the crates that could be published
cargo xtask tests bare|required|lamp          the tests as a stage of the gate runs them
cargo xtask budgets [--without-instructions]   page weight and instructions against budgets.toml
cargo xtask pictures                          render docs/patterns and the golden frames anew, and write docs/patterns.md
cargo xtask pages --to FOLDER                 the documentation as web pages, for any static host
cargo xtask ear [--record]                    how well the ear hears synthetic music, against budgets.toml
cargo xtask ear --corpus DIR [--events DIR]   the same for annotated music; the results go to the second folder
cargo xtask ear --corpus DIR --peers DIR      the same for other trackers (xtask/peers/beats.py), a row for each
cargo xtask ear --corpus DIR --faults         the same through bad microphones, a row for each fault (minutes)
cargo xtask firmware [BOARD...]               build the lamp's firmware and images, and compare them with budgets.toml
cargo xtask lx7                               the engine on the ESP32-S3's processor, emulated: the same bits, within budgets.toml
cargo xtask dist [CHIP...] [--key NAME|FILE]  build and sign firmware for `k1 install`, for owners who do not build it
cargo xtask site [--to FOLDER]                the page with the engine as WebAssembly, for any static host, within its budget
cargo xtask site --firmware FOLDER            the same with the bundles of `cargo xtask dist` for its installer
cargo xtask release [PROCESSOR...] [--key NAME|FILE | --trial] [--twice]
                                              build, pack and sign the program for people who do not build it
cargo xtask service [PROGRAM]                 the package and `k1 service` under systemd in a clean Debian (needs root)
cargo xtask measure [NAME...|all]             run the commands that print the figures, and write docs/measurements.md
cargo xtask load [--seconds N]                32 lights: CPU, memory and jitter, also while three of them fail
cargo xtask load --beside LEDFX [--seconds N] K1 and LedFx with ten lights each, from the same sound
cargo xtask broken                            build the virtual lamp with a broken hand-off, which a test must detect
cargo xtask cores                             both halves on two emulated LX7 cores: a million reads, the light, critical sections";

fn main() -> ExitCode {
    if let Some(code) = xtensa::role() {
        return code;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args[..] {
        ["quick"] => gate::quick::quick(),
        ["gate", ..] => return gate::gate(&args[1..]),
        ["tests", ..] => gate::tests(&args[1..]),
        ["links"] => links::links(),
        ["licences"] => licences::licences(false),
        ["licences", "--record"] => licences::licences(true),
        ["audit"] => audit::audit(),
        ["fuzz"] => fuzz::fuzz("10"),
        ["fuzz", seconds] => fuzz::fuzz(seconds),
        ["packages"] => packages::packages(),
        ["budgets"] => budgets(true),
        ["budgets", "--without-instructions"] => budgets(false),
        ["pictures"] => pictures(),
        ["pages", "--to", folder] => pages::pages(folder),
        ["ear"] => ear::pieces(false),
        ["ear", "--record"] => ear::pieces(true),
        ["ear", "--corpus", folder] => ear::corpus(folder, None),
        ["ear", "--corpus", folder, "--peers", told] => ear::peers(folder, told),
        ["ear", "--corpus", folder, "--faults"] => ear::degraded(folder),
        ["ear", "--corpus", folder, "--inputs", inputs] => ear::inputs(folder, inputs),
        ["ear", "--corpus", folder, "--events", events] => ear::corpus(folder, Some(events)),
        ["site", ..] => site::site(&args[1..]),
        ["firmware", ..] => firmware::build(&args[1..]),
        ["lx7"] => lx7::prove(),
        ["dist", ..] => dist::dist(&args[1..]),
        #[cfg(target_os = "linux")]
        ["service"] => service::service(None),
        #[cfg(target_os = "linux")]
        ["service", program] => service::service(Some(program)),
        ["release", ..] => release::release(&args[1..]),
        ["broken"] => firmware::broken(),
        ["cores"] => cores::prove(),
        #[cfg(target_os = "linux")]
        ["load", ..] => load::load(&args[1..]),
        ["measure", ..] => measure::measure(&args[1..]),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("xtask: {e}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the checkout in which this runs. (It may have been compiled in another one, because checkouts may share
/// a build folder.)
fn root() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    here.ancestors().find(|at| at.join("budgets.toml").exists()).unwrap_or(&here).to_owned()
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// The standard output of a command.
///
/// # Errors
/// A sentence with the command's error output, if it cannot be run or fails.
fn said(command: &mut Command) -> Result<String, String> {
    let out = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&out.stderr)))
}

/// The content of `budgets.toml`.
#[derive(Deserialize)]
struct Budgets {
    page: Page,
    site: site::Budget,
    instructions: Instructions,
    ear: ear::Recorded,
    lamp: firmware::Budget,
}

#[derive(Deserialize)]
struct Page {
    max_bytes: u64,
    room_max_bytes: u64,
    plan_max_bytes: u64,
}

#[derive(Deserialize)]
struct Instructions {
    hop_max: u64,
    frame_max: u64,
    tolerance_percent: f64,
    recorded: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Count {
    case: String,
    instructions: u64,
}

fn read_budgets() -> Result<Budgets, String> {
    let text =
        std::fs::read_to_string(root().join("budgets.toml")).map_err(|e| format!("budgets.toml: {e}"))?;
    toml::from_str(&text).map_err(|e| format!("budgets.toml: {e}"))
}

/// Bytes of the page's files in a folder; the other files there only make it a crate.
fn page_bytes(folder: &str) -> Result<u64, String> {
    let trouble = |e: std::io::Error| format!("{folder}: {e}");
    let mut bytes = 0;
    for file in std::fs::read_dir(root().join(folder)).map_err(trouble)? {
        let path = file.map_err(trouble)?.path();
        let kinds = ["html", "css", "svg", "png", "js", "webmanifest"];
        if path.extension().is_some_and(|ending| kinds.iter().any(|kind| ending == *kind)) {
            bytes += path.metadata().map_err(trouble)?.len();
        }
    }
    Ok(bytes)
}

/// Measures the page and the instructions, and fails if a limit is exceeded.
fn budgets(with_instructions: bool) -> Result<(), String> {
    let budgets = read_budgets()?;
    let mut over = Vec::new();

    let Page { max_bytes, room_max_bytes, plan_max_bytes } = budgets.page;
    let folders = [
        ("page", "web", max_bytes),
        ("page, program only", "web/room", room_max_bytes),
        ("page, view Zones", "web/plan", plan_max_bytes),
    ];
    for (what, folder, most) in folders {
        let bytes = page_bytes(folder)?;
        println!("{what:<24} {bytes:>9} B of {most}");
        if bytes > most {
            over.push(format!("{folder} weighs {bytes} B"));
        }
    }

    if with_instructions {
        let output = cargo()
            .args(["bench", "--quiet", "-p", "k1-engine", "--bench", "engine", "--", "--instructions"])
            .output()
            .map_err(|e| format!("cargo bench: {e}"))?;
        if !output.status.success() {
            return Err(format!("the bench failed: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let limits = &budgets.instructions;
        let mut seen = 0;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Ok(count) = serde_json::from_str::<Count>(line) else {
                return Err(format!("instructions were not counted: {line}"));
            };
            seen += 1;
            let n = count.instructions;
            let max = if count.case == "hop" { limits.hop_max } else { limits.frame_max };
            let Some(&recorded) = limits.recorded.get(&count.case) else {
                over.push(format!("{}: {n} instructions are not recorded in budgets.toml", count.case));
                continue;
            };
            let change = (n as f64 / recorded as f64 - 1.0) * 100.0;
            println!("{:<24} {n:>9} instructions, recorded {recorded} ({change:+.1} %)", count.case);
            if change > limits.tolerance_percent {
                over.push(format!("{} costs {change:.1} % more than recorded", count.case));
            }
            // The limit is for a lamp's 180 LEDs; the long path is measured for its throughput.
            if n > max && !count.case.starts_with("path/") {
                over.push(format!("{} costs {n} instructions of {max}", count.case));
            }
        }
        if seen != limits.recorded.len() {
            over.push(format!("{seen} cases were counted, {} are recorded", limits.recorded.len()));
        }
    }
    if over.is_empty() { Ok(()) } else { Err(over.join("; ")) }
}

/// Renders the pictures and the frames with which the golden test compares.
fn pictures() -> Result<(), String> {
    let status = cargo()
        .args(["test", "--quiet", "-p", "k1", "--test", "golden"])
        .env("K1_BLESS", "1")
        .status()
        .map_err(|e| format!("cargo test: {e}"))?;
    if !status.success() {
        return Err("the golden test cannot write its pictures".into());
    }
    pages::record()
}
