//! Compiles and links programs for Xtensa with what package registries offer. The way in:
//!
//! ```text
//! xtensa::build(&Program { folder, package, bin, features, cargo, machine: Machine { cpu, attributes }, link, out })
//!     -> Result<Built, Error>
//! ```
//!
//! `cargo` compiles all crates to LLVM IR (see `wrapper`), LLVM optimises them as one module and generates code
//! (`codegen`), GNU ld links it (`link`), and each operand is worked out once more (`operands`).

mod codegen;
mod ir;
mod link;
mod literals;
mod operands;
mod packages;
mod toolchain;
mod wrapper;

use std::path::{Path, PathBuf};

pub use wrapper::role;

use link::Request;
use toolchain::Toolchain;

/// A processor.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    /// LLVM's name of the processor.
    pub cpu: &'a str,
    /// LLVM's names of features to add or leave out, such as `-mul32high`; may be empty.
    pub attributes: &'a str,
}

/// The K1's processor.
pub const ESP32S3: Machine<'static> = Machine { cpu: "esp32s3", attributes: "" };

/// A program to build.
#[derive(Debug, Clone, Copy)]
pub struct Program<'a> {
    /// The folder in which cargo runs: its workspace.
    pub folder: &'a Path,
    /// The package.
    pub package: &'a str,
    /// The binary.
    pub bin: &'a str,
    /// The package's features.
    pub features: &'a [&'a str],
    /// Further arguments for cargo.
    pub cargo: &'a [&'a str],
    /// The processor for which code is generated.
    pub machine: Machine<'a>,
    /// Further arguments for GNU ld, such as `-Tscript.x`; build scripts may give others.
    pub link: &'a [&'a str],
    /// The file of the linked program.
    pub out: &'a Path,
}

/// A built program.
#[derive(Debug)]
pub struct Built {
    /// The linked program, an ELF file.
    pub elf: PathBuf,
    /// The versions of the tools, in words.
    pub versions: String,
    /// What linking found, in sentences; empty if nothing had changed since the last time.
    pub notes: Vec<String>,
}

/// A program cannot be built.
#[derive(Debug)]
pub enum Error {
    /// The tools cannot be had, or do not do what they must.
    Toolchain(String),
    /// The program is wrong.
    Program(String),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let (Self::Toolchain(what) | Self::Program(what)) = self;
        f.write_str(what)
    }
}

/// The folder of the toolchain.
fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("k1/xtensa")
}

/// Builds a program.
///
/// # Errors
/// See [`Error`].
pub fn build(program: &Program) -> Result<Built, Error> {
    let toolchain = Toolchain::get(&cache()).map_err(Error::Toolchain)?;
    let target = program.folder.join("target/xtensa");
    let target =
        std::path::absolute(&target).map_err(|e| Error::Program(format!("{}: {e}", target.display())))?;
    let this = std::env::current_exe().map_err(|e| Error::Program(e.to_string()))?;
    let mut cargo = crate::firmware::nightly();
    cargo.args(["cargo", "build", "--release", "-Zbuild-std=core,alloc", "--target", wrapper::TARGET]);
    cargo.args(["-p", program.package, "--bin", program.bin]).args(program.cargo);
    if !program.features.is_empty() {
        cargo.args(["--features", &program.features.join(",")]);
    }
    cargo.current_dir(program.folder).env("CARGO_TARGET_DIR", &target).env("RUSTC_BOOTSTRAP", "1");
    cargo.env("RUSTC", toolchain.rustc()).env("RUSTC_WRAPPER", this).env(wrapper::ROLE, toolchain.folder());
    let profile = [("LTO", "off"), ("DEBUG", "0"), ("CODEGEN_UNITS", "1"), ("PANIC", "abort")];
    cargo.envs(profile.map(|(name, value)| (format!("CARGO_PROFILE_RELEASE_{name}"), value)));
    let status = cargo.status().map_err(|e| Error::Toolchain(format!("cargo: {e}")))?;
    if !status.success() {
        return Err(Error::Program(format!("{} cannot be compiled", program.package)));
    }
    let request = target.join(wrapper::TARGET).join("release").join(program.bin);
    let text = std::fs::read_to_string(&request)
        .map_err(|e| Error::Program(format!("{}: {e}", request.display())))?;
    let place = target.join(format!("{}.link", program.bin));
    let linked =
        link::link(&toolchain, &program.machine, &Request::parse(&text), program.link, &place, program.out)?;
    let mut notes = vec![format!("{:?}", linked.operands)];
    notes.extend(linked.choices.iter().map(|c| format!("{} choices in {}", c.count, c.function)));
    notes.extend(linked.retreats.iter().map(|(f, how)| format!("{f}: {how}")));
    Ok(Built { elf: program.out.to_owned(), versions: toolchain.versions(), notes })
}
