//! The program for each system: on Linux static, so that it runs on every one with that processor, and the same bytes
//! wherever it is built.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::sources::Sources;
use crate::{root, said};

/// A system that gets a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct System {
    /// Rust's name.
    pub triple: &'static str,
    /// Name of the processor in the names of files.
    pub processor: &'static str,
    /// Name of the operating system in the names of files, as Rust has it.
    pub os: &'static str,
    /// Debian's name of the processor, for its package.
    pub debian: Option<&'static str>,
    /// Features of the build.
    pub features: &'static str,
}

const fn linux(triple: &'static str, processor: &'static str, debian: &'static str) -> System {
    System { triple, processor, os: "linux", debian: Some(debian), features: "spi" }
}

const fn other(triple: &'static str, processor: &'static str, os: &'static str) -> System {
    System { triple, processor, os, debian: None, features: "native-audio" }
}

/// The systems. A machine builds those of its own operating system.
const SYSTEMS: [System; 5] = [
    linux("x86_64-unknown-linux-musl", "x86_64", "amd64"),
    linux("aarch64-unknown-linux-musl", "aarch64", "arm64"),
    other("aarch64-apple-darwin", "aarch64", "macos"),
    other("x86_64-apple-darwin", "x86_64", "macos"),
    other("x86_64-pc-windows-msvc", "x86_64", "windows"),
];

/// Without the standard library of a system, the gate tests everything else with the C library of this machine.
const FALLBACK: System = linux("x86_64-unknown-linux-gnu", "x86_64", "amd64");

impl System {
    /// The systems whose programs this machine builds. The first one is its own.
    pub fn all() -> Vec<Self> {
        let mut all: Vec<_> =
            SYSTEMS.into_iter().filter(|system| system.os == std::env::consts::OS).collect();
        all.sort_by_key(|system| !system.is_here());
        all
    }

    /// True if this machine runs its programs.
    pub fn is_here(self) -> bool {
        self.os == std::env::consts::OS && self.processor == std::env::consts::ARCH
    }

    /// The same with this machine's C library, if there is such a thing.
    pub fn fallback(self) -> Option<Self> {
        (self == SYSTEMS[0]).then_some(FALLBACK)
    }

    /// File name of the program.
    pub fn program(self) -> &'static str {
        if self.os == "windows" { "k1.exe" } else { "k1" }
    }
}

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
    let System { triple, features, .. } = system;
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
    command.args(["--features", features, "--target", triple, "--target-dir"]).arg(built);
    let ended = command.status().map_err(|e| format!("cargo: {e}"))?;
    if !ended.success() {
        return Err(format!("the program for {triple} cannot be built: see above"));
    }
    Ok(built.join(triple).join("release").join(system.program()))
}

/// Flags of the compiler: a static program where systems allow that, for Linux linked by Rust's own linker, without a path
/// of this machine.
fn flags(system: System, folder: &Path, built: &Path) -> Vec<String> {
    let mut flags = Vec::new();
    if system.os != "macos" {
        flags.push("-Ctarget-feature=+crt-static".into());
    }
    if system.os == "linux" && system != FALLBACK {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_builds_for_its_own_operating_system_and_begins_with_itself() {
        let all = System::all();
        assert!(all.iter().all(|system| system.os == std::env::consts::OS), "{all:?}");
        if cfg!(target_os = "linux") {
            assert_eq!(all.iter().map(|system| system.debian.unwrap()).collect::<Vec<_>>().len(), 2);
        }
        if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            assert!(all[0].is_here() && all[0].fallback().is_some() && all[1].fallback().is_none());
        }
    }

    #[test]
    fn no_path_of_this_machine_gets_into_a_program() {
        let system = SYSTEMS[0];
        let flags = flags(system, Path::new("/home/me/k1"), Path::new("/home/me/k1/target"));
        let of = |name: &str| flags.iter().position(|flag| flag == &format!("--remap-path-prefix={name}"));
        assert!(of("/home/me/k1=/k1").unwrap() < of("/home/me/k1/target=/built").unwrap(), "{flags:?}");
    }
}
