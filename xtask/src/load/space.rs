//! A network of its own, in which an address may vanish.

use std::path::Path;
use std::process::{Command, Stdio};

const INSIDE: &str = "K1_LOAD_INSIDE";
/// The address that vanishes.
pub const HOLE: &str = "10.99.0.1";

/// True in the network of its own.
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs the measurement in a network of its own.
///
/// # Errors
///
/// A sentence if this system allows none, or if the measurement fails.
pub fn enter(k1: &Path, seconds: u64) -> Result<(), String> {
    // Root does not need a user namespace; everybody else does.
    let works = |flags| {
        let mut command = Command::new("unshare");
        command.args([flags, "ip", "link", "set", "lo", "up"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let flags = ["-n", "-rn"].into_iter().find(|flags| works(flags)).ok_or(
        "this system allows no network namespace (needs unshare and ip, and root or user namespaces)",
    )?;
    let again = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut command = Command::new("unshare");
    command.arg(flags).arg(again).args(["load", "--seconds", &seconds.to_string(), "--k1"]).arg(k1);
    let status = command.env(INSIDE, "1").status().map_err(|e| format!("unshare: {e}"))?;
    if status.success() { Ok(()) } else { Err("the measurement has failed; see above".into()) }
}

/// Makes this machine receive at [`HOLE`], and on a cable behind which nobody answers.
///
/// # Errors
///
/// A sentence if the system refuses.
pub fn prepare() -> Result<(), String> {
    ip("link set lo up")?;
    ip("link add hole type veth peer name depth")?;
    ip("link set hole up")?;
    ip("link set depth up")?;
    ip(&format!("addr add {HOLE}/32 dev hole"))?;
    ip("addr add 10.99.0.2/32 dev hole")?;
    ip("route add 10.99.0.0/24 dev hole")?;
    ip(&format!("neigh replace {HOLE} lladdr 02:00:00:00:00:01 dev hole"))
}

/// From now on, packets to [`HOLE`] go out and are never seen again.
///
/// # Errors
///
/// A sentence if the system refuses.
pub fn vanish() -> Result<(), String> {
    ip(&format!("addr del {HOLE}/32 dev hole"))
}

fn ip(arguments: &str) -> Result<(), String> {
    crate::said(Command::new("ip").args(arguments.split_whitespace())).map(|_| ())
}
