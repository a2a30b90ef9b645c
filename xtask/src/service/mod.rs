//! `cargo xtask service`: the package and `k1 service` under a real systemd, in a clean Debian. Installs, starts, kills,
//! hangs, reloads, upgrades, stops and removes K1, watches the light meanwhile, and prints how long everything took.
//!
//! | Room | What it does |
//! |---|---|
//! | `debian` | a clean system, booted in namespaces |
//! | `light` | a light that notes when it is lit |
//! | `watched` | a service, as its manager and its light see it |
//! | `package` | the life of the package |
//! | `unit` | the life of a unit that `k1 service install` has written, for the system and for a user |

mod debian;
mod light;
mod package;
mod unit;
mod watched;

use std::path::Path;
use std::process::Command;

use debian::Machine;
use light::Light;
use watched::{must, seconds};

use crate::{release, said};

/// The command `cargo xtask service [PROGRAM]`.
///
/// # Errors
///
/// A sentence: what did not happen as it must.
pub fn service(program: Option<&str>) -> Result<(), String> {
    let is_static = program.is_none();
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
    if is_static { alone(&files.path().join("k1")) } else { Ok(()) }
}

/// Plays in a folder that contains nothing but the program, as a container does.
fn alone(program: &Path) -> Result<(), String> {
    let place = tempfile::tempdir().map_err(|e| format!("a scratch folder: {e}"))?;
    std::fs::copy(program, place.path().join("k1")).map_err(|e| format!("{}: {e}", program.display()))?;
    let mut play = Command::new("chroot");
    play.arg(place.path()).args(["/k1", "run", "demo", "--headless", "--duration", "2", "--json"]);
    let told = said(play.env_clear().env("PATH", "/usr/sbin:/usr/bin").env("XDG_CONFIG_HOME", "/settings"))?;
    must(told.contains("\"kind\":\"summary\""), || format!("alone in a folder, it says: {told}"))?;
    println!("alone in a folder, as in a container: plays");
    Ok(())
}
