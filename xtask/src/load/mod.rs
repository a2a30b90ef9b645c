//! `cargo xtask load`: what a room full of lights costs, and whether lights that fail disturb the others. It plays show files
//! to receivers on this machine.
//!
//! Times of packets are those at which the kernel delivered them, so a receiver that is late does not count as jitter.

mod beside;
mod fail;
mod jitter;
mod ledfx;
mod program;
mod receive;
mod room;
mod sound;
mod space;
mod usage;

use std::path::PathBuf;
use std::time::Duration;

use crate::root;

/// Length of a measurement, unless `--seconds` says another.
const SECONDS: u64 = 30;

/// Runs a measurement.
///
/// # Errors
///
/// A sentence if the arguments are not understood, if a program is missing, or if nothing arrives.
pub fn load(arguments: &[&str]) -> Result<(), String> {
    let mut seconds = SECONDS;
    let mut peer = None;
    let mut k1 = None;
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        let value = *rest.next().ok_or_else(|| format!("{name} needs a value"))?;
        match *name {
            "--seconds" => {
                seconds = value
                    .parse()
                    .ok()
                    .filter(|n| (2..=3_600).contains(n))
                    .ok_or_else(|| format!("--seconds is 2 to 3600, not {value}"))?;
            }
            "--beside" => peer = Some(PathBuf::from(value)),
            "--k1" => k1 = Some(PathBuf::from(value)),
            _ => return Err(format!("load takes --seconds, --beside and --k1, not {name}")),
        }
    }
    let time = Duration::from_secs(seconds);
    if let Some(peer) = peer {
        return beside::beside(&k1.map_or_else(built, Ok)?, &peer, time);
    }
    let k1 = k1.map_or_else(built, Ok)?;
    if space::is_inside() { fail::fail(&k1, time) } else { space::enter(&k1, seconds) }
}

/// Builds `k1`; its path.
fn built() -> Result<PathBuf, String> {
    let done = crate::cargo().args(["build", "--release", "--package", "k1"]).status();
    if !done.map_err(|e| format!("cargo build: {e}"))?.success() {
        return Err("k1 could not be built; see the errors above".into());
    }
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    Ok(folder.join("release/k1"))
}
