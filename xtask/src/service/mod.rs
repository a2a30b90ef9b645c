//! `cargo xtask service`: the package and `k1 service` under a real systemd, in a clean Debian. Installs, starts, kills,
//! hangs, reloads, upgrades, stops and removes K1, watches the light meanwhile, and prints how long everything took.
//!
//! | Room | What it does |
//! |---|---|
//! | `debian` | a clean system, booted in namespaces |
//! | `light` | a light that notes when it is lit |
//! | `package` | the life of the package |
//! | `unit` | the life of a unit that `k1 service install` has written, for the system and for a user |

mod debian;
mod light;
mod package;
mod unit;

use std::time::{Duration, Instant};

use debian::Machine;
use light::Light;

use crate::release;

/// Latest time for anything that must happen.
const PATIENCE: Duration = Duration::from_secs(40);
/// A pause between frames from which on a room is dark.
const DARK: Duration = Duration::from_millis(500);

/// The command `cargo xtask service [PROGRAM]`.
///
/// # Errors
///
/// A sentence: what did not happen as it must.
pub fn service(program: Option<&str>) -> Result<(), String> {
    let ([before, after], program) = release::packages(program)?;
    let files = tempfile::tempdir().map_err(|e| format!("a scratch folder: {e}"))?;
    for (name, bytes) in [("before.deb", &before), ("after.deb", &after)] {
        std::fs::write(files.path().join(name), bytes).map_err(|e| format!("{name}: {e}"))?;
    }
    std::fs::copy(&program, files.path().join("k1")).map_err(|e| format!("{}: {e}", program.display()))?;
    let machine = Machine::boot(&debian::folder()?, files.path())?;
    println!(
        "{} booted in {:.1} s",
        machine.run("systemctl --version | head -n 1")?,
        seconds(machine.booted)
    );
    let light = Light::open()?;
    let lived = package::live(&machine, &light)
        .and_then(|()| unit::system(&machine, &light))
        .and_then(|()| unit::user(&machine, &light));
    lived.map_err(|e| {
        let journal = machine.told("journalctl --no-pager -n 30").unwrap_or_default();
        format!("{e}\nthe journal ends with:\n{journal}")
    })?;
    println!("everything came back, and nothing is left");
    Ok(())
}

/// Seconds as people read them.
fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// Fails with a sentence, unless something is so.
fn must(is_so: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(otherwise()) }
}

/// A service as its manager sees it.
struct Service<'a> {
    machine: &'a Machine,
    light: &'a Light,
    /// User whose service it is; `None` for the system's.
    user: Option<&'a str>,
}

impl Service<'_> {
    fn systemctl(&self, words: &str) -> Result<String, String> {
        let scope = if self.user.is_some() { "--user " } else { "" };
        self.machine.run_as(self.user, &format!("systemctl {scope}{words}"))
    }

    /// A property of the unit.
    fn property(&self, name: &str) -> Result<String, String> {
        self.systemctl(&format!("show --value --property={name} k1.service"))
    }

    /// Waits for light, and prints how long it took since `since`.
    fn shines(&self, what: &str, since: Instant) -> Result<(), String> {
        let lit = self.light.lit(PATIENCE).map_err(|e| format!("{what}: {e}"))?;
        println!("{what}: light after {:.2} s", seconds(lit.at.saturating_duration_since(since)));
        let state = self.property("ActiveState")?;
        must(state == "active", || format!("{what}: systemd says {state}"))
    }

    /// Ends the light by force in some way, and prints how long it took until it was back.
    fn comes_back(&self, what: &str, kill: &str) -> Result<(), String> {
        let restarts =
            |service: &Self| service.property("NRestarts")?.parse::<u32>().map_err(|e| e.to_string());
        let before = restarts(self)?;
        self.machine.run(kill)?;
        let gap = self.light.gap(DARK, PATIENCE);
        let gap = gap.ok_or_else(|| format!("{what}: the light did not come back"))?;
        let after = restarts(self)?;
        must(after == before + 1, || format!("{what}: {after} restarts after {before}"))?;
        println!("{what}: restarted, dark for {:.2} s", seconds(gap));
        Ok(())
    }

    /// Number of the main process.
    fn pid(&self) -> Result<String, String> {
        let pid = self.property("MainPID")?;
        must(pid.parse::<u32>().is_ok_and(|pid| pid > 1), || format!("the main process is {pid}"))?;
        Ok(pid)
    }

    /// Kills and hangs it.
    fn suffers(&self) -> Result<(), String> {
        self.comes_back("killed (SIGKILL)", &format!("kill -KILL {}", self.pid()?))?;
        self.comes_back("hung (SIGSTOP)", &format!("kill -STOP {}", self.pid()?))
    }

    /// Reloads it. The light must go on meanwhile, in the same process.
    fn reloads(&self) -> Result<(), String> {
        let pid = self.pid()?;
        let began = Instant::now();
        self.systemctl("reload k1.service")?;
        let took = began.elapsed();
        must(self.pid()? == pid, || "it was started anew instead of reloaded".into())?;
        self.light.lit(Duration::from_secs(2))?;
        println!("reload: {:.2} s, the same process", seconds(took));
        Ok(())
    }

    /// Stops it. The last frame must be dark.
    fn stops(&self, line: &str) -> Result<(), String> {
        self.light.forget();
        let began = Instant::now();
        self.machine.run_as(self.user, line)?;
        let took = began.elapsed();
        let last = self.light.last()?;
        must(last.is_dark, || "the lights stay on after a stop".into())?;
        let dark = last.at.saturating_duration_since(began);
        println!("`{line}`: dark after {:.2} s, ended after {:.2} s", seconds(dark), seconds(took));
        Ok(())
    }
}
