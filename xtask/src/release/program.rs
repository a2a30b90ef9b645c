//! The program for each system: static, so that it runs on every Linux with that processor, and the same bytes wherever it
//! is built.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::sources::Sources;
use crate::{root, said};

/// A system that gets a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct System {
    /// Rust's name.
    pub triple: &'static str,
    /// Name of the processor, as `uname -m` says it and as files of a release have it.
    pub processor: &'static str,
    /// Debian's name of the processor.
    pub debian: &'static str,
}

/// The systems for which one machine with Linux builds programs.
pub const SYSTEMS: [System; 2] = [
    System { triple: "x86_64-unknown-linux-musl", processor: "x86_64", debian: "amd64" },
    System { triple: "aarch64-unknown-linux-musl", processor: "aarch64", debian: "arm64" },
];

/// Without the standard library of a system, the gate tests everything else with the C library of this machine.
pub const FALLBACK: System = System { triple: "x86_64-unknown-linux-gnu", ..SYSTEMS[0] };

/// Gets Rust's standard library for a system, if it is not here yet.
///
/// # Errors
///
/// A sentence that says what to do.
pub fn prepare(system: System) -> Result<(), String> {
    let rustup = |args: &[&str]| {
        // The project's toolchain, whatever cargo has set for this program.
        let mut command = Command::new("rustup");
        command.args(args).current_dir(root()).env_remove("RUSTUP_TOOLCHAIN");
        said(&mut command)
    };
    let installed = rustup(&["target", "list", "--installed"])?;
    if installed.lines().any(|line| line == system.triple) {
        return Ok(());
    }
    rustup(&["target", "add", system.triple]).map(drop).map_err(|e| {
        format!(
            "Rust's standard library for {0} is not here, and rustup cannot fetch it; on a machine with a network: \
             rustup target add {0}\n{e}",
            system.triple
        )
    })
}

/// Builds the program of sources in a folder. Everything that the build needs is fetched first, and the build itself is
/// offline.
///
/// # Errors
///
/// A sentence, if it cannot be built.
pub fn build(system: System, sources: &Sources, folder: &Path, built: &Path) -> Result<PathBuf, String> {
    let System { triple, .. } = system;
    let cargo = |args: &[&str]| {
        let mut command = Command::new("cargo");
        // Settings of this program's own build must not reach the other one.
        for name in ["RUSTUP_TOOLCHAIN", "RUSTC", "RUSTC_WRAPPER", "RUSTFLAGS", "CARGO", "CARGO_TARGET_DIR"] {
            command.env_remove(name);
        }
        command.args(args).current_dir(folder);
        command.env("CARGO_ENCODED_RUSTFLAGS", flags(system, folder, built).join("\x1f"));
        command.env("CARGO_INCREMENTAL", "0").env("CARGO_PROFILE_RELEASE_DEBUG", "0");
        command.env("SOURCE_DATE_EPOCH", sources.time.to_string());
        command.env("K1_COMMIT", &sources.commit).env("K1_DATE", &sources.date);
        command
    };
    // A folder that has everything needs no network.
    let fetch = ["fetch", "--locked", "--quiet", "--target", triple];
    let is_here = said(cargo(&fetch).arg("--offline")).is_ok();
    if !is_here {
        said(&mut cargo(&fetch))?;
    }
    let build = ["build", "--release", "--locked", "--offline", "--package", "k1", "--bin", "k1"];
    let mut command = cargo(&build);
    command.args(["--features", "spi", "--target", triple, "--target-dir"]).arg(built);
    let ended = command.status().map_err(|e| format!("cargo: {e}"))?;
    if !ended.success() {
        return Err(format!("the program for {triple} cannot be built: see above"));
    }
    Ok(built.join(triple).join("release/k1"))
}

/// Flags of the compiler: a static program, linked by Rust's own linker, without a path of this machine.
fn flags(system: System, folder: &Path, built: &Path) -> Vec<String> {
    let mut flags = vec!["-Ctarget-feature=+crt-static".into()];
    if system != FALLBACK {
        flags.push("-Clinker=rust-lld".into());
    }
    // The last one that fits counts, and the build folder may be inside the sources.
    let home = |name: &str, folder: &str| {
        let set = std::env::var_os(name).map(PathBuf::from);
        set.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(folder)))
    };
    let places = [
        (home("CARGO_HOME", ".cargo"), "/cargo"),
        (home("RUSTUP_HOME", ".rustup"), "/rustup"),
        (Some(folder.to_owned()), "/k1"),
        (Some(built.to_owned()), "/built"),
    ];
    for (place, name) in places {
        if let Some(place) = place {
            flags.push(format!("--remap-path-prefix={}={name}", place.display()));
        }
    }
    flags
}
