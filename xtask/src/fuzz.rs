//! Runs each fuzz target for some seconds in the same way as cargo-fuzz, which need not be installed.

use std::path::Path;
use std::process::Command;

use crate::{root, said};

/// The compiler flags of cargo-fuzz, without a sanitizer: the crates forbid the code in which one would find errors.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0 --cfg fuzzing";

/// The command `cargo xtask fuzz [SECONDS]`.
///
/// # Errors
/// A sentence, if a target does not build, does not run, or finds something.
pub fn fuzz(seconds: &str) -> Result<(), String> {
    let seconds: u32 = seconds.parse().map_err(|_| format!("{seconds} is not a number of seconds"))?;
    let place = root().join("fuzz");
    let host = host()?;
    let status = crate::rustup::nightly()
        .args(["cargo", "build", "--release", "--target", &host])
        .env("RUSTFLAGS", FLAGS)
        .current_dir(&place)
        .status()
        .map_err(|e| format!("rustup: {e}"))?;
    if !status.success() {
        return Err("the fuzz targets do not build".into());
    }
    let mut names = Vec::new();
    let folder = place.join("fuzz_targets");
    for file in std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let path = file.map_err(|e| e.to_string())?.path();
        names.extend(path.file_stem().map(|s| s.to_string_lossy().into_owned()));
    }
    names.sort();
    for name in &names {
        run(&place.join("target").join(&host).join("release").join(name), &place, name, seconds)?;
    }
    println!("{} fuzz targets ran for {seconds} s each and found nothing", names.len());
    Ok(())
}

fn host() -> Result<String, String> {
    let text = said(crate::rustup::nightly().args(["rustc", "-vV"]))?;
    let host = text.lines().find_map(|l| l.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not report its host".into())
}

fn run(program: &Path, place: &Path, name: &str, seconds: u32) -> Result<(), String> {
    // New inputs go to a temporary folder, so that a run changes nothing in the checkout.
    let scratch = std::env::temp_dir().join(format!("k1-fuzz-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
    let corpus = place.join("corpus").join(name);
    let kept = std::fs::read_dir(&corpus).map_err(|e| format!("{}: {e}", corpus.display()))?.count() as u64;
    let out = Command::new(program)
        .args([&scratch, &corpus])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", scratch.display()))
        .args(["-timeout=10", "-rss_limit_mb=1024"])
        .output()
        .map_err(|e| format!("{}: {e}", program.display()))?;
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    let runs = runs(&said);
    if !out.status.success() {
        return Err(format!("{name} found something; its input is in {}:\n{said}", scratch.display()));
    }
    let _ = std::fs::remove_dir_all(&scratch);
    println!("{name}: {} runs", runs.unwrap_or(0));
    match runs {
        Some(n) if n > kept => Ok(()),
        _ => Err(format!("{name} did not get beyond the {kept} stored inputs:\n{said}")),
    }
}

/// Number of times that a fuzzer called its target, from its output.
fn runs(said: &str) -> Option<u64> {
    let line = said.lines().rev().find(|l| l.starts_with("Done "))?;
    line.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_a_fuzzer_says_is_read() {
        assert_eq!(super::runs("#2 INITED\nDone 81234 runs in 9 second(s)\n"), Some(81_234));
        assert_eq!(super::runs("#2 INITED\n"), None);
    }
}
