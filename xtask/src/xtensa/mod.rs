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
mod espressif;
mod incremental;
mod ir;
mod link;
mod literals;
mod operands;
mod packages;
mod probes;
mod toolchain;
mod wrapper;

use std::path::{Path, PathBuf};

pub use link::Linked;
pub use wrapper::role;

use link::Request;
use toolchain::{Toolchain, Toolchains};

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
    /// What linking found; `None` if Espressif's own toolchain linked it.
    pub linked: Option<Linked>,
    /// True if nothing had changed, so that it was not linked again.
    pub unchanged: bool,
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

/// Builds a program, with Espressif's own toolchain if this machine has it, and otherwise with packages.
///
/// # Errors
/// See [`Error`].
pub fn build(program: &Program) -> Result<Built, Error> {
    let mut refused = Vec::new();
    if program.machine.attributes.is_empty() && espressif::is_installed() {
        match espressif::build(program) {
            Err(Error::Toolchain(e)) => refused.push(e),
            done => return done,
        }
    }
    for toolchain in Toolchains::of(&cache()) {
        match toolchain.map_err(Error::Toolchain).and_then(|t| with(&t, program)) {
            Err(Error::Toolchain(e)) => {
                println!("{}: {e}", program.package);
                refused.push(e);
            }
            done => return done,
        }
    }
    Err(Error::Toolchain(refused.join("; ")))
}

/// Builds a program with packages.
fn with(toolchain: &Toolchain, program: &Program) -> Result<Built, Error> {
    let target = absolute(&program.folder.join("target/xtensa"))?;
    let request = compile(toolchain, program, &target)?;
    let text = std::fs::read_to_string(&request).map_err(|e| io(&request, &e))?;
    let request = Request::parse(&text);
    let inputs = incremental::Inputs::of(toolchain, program, &text, &request);
    let (elf, versions) = (program.out.to_owned(), toolchain.versions());
    if let Some(linked) = inputs.unchanged(program.out) {
        return Ok(Built { elf, versions, linked: Some(linked), unchanged: true });
    }
    let place = target.join(format!("link-{}", std::process::id()));
    let linked =
        link::link(toolchain, &program.machine, &request, program.link, program.folder, &place, program.out);
    let _ = std::fs::remove_dir_all(&place);
    let linked = linked?;
    inputs.remember(program.out, &linked).map_err(|e| io(program.out, &e))?;
    Ok(Built { elf, versions, linked: Some(linked), unchanged: false })
}

/// Compiles all crates. Returns the file in which the wrapper has noted what to link.
fn compile(toolchain: &Toolchain, program: &Program, target: &Path) -> Result<PathBuf, Error> {
    let this = std::env::current_exe().map_err(|e| Error::Program(e.to_string()))?;
    incremental::begin(target, toolchain.rust_llvm).map_err(|e| io(target, &e))?;
    let failure = target.join("failure");
    let _ = std::fs::remove_file(&failure);
    let mut cargo = crate::rustup::nightly();
    cargo.args(["cargo", "build", "--release", "-Zbuild-std=core,alloc", "--target", wrapper::TARGET]);
    cargo.args(["-p", program.package, "--bin", program.bin]).args(program.cargo);
    if !program.features.is_empty() {
        cargo.args(["--features", &program.features.join(",")]);
    }
    cargo.current_dir(program.folder).env("CARGO_TARGET_DIR", target).env("RUSTC_BOOTSTRAP", "1");
    cargo.env("RUSTC", toolchain.rustc()).env("RUSTC_WRAPPER", this);
    cargo.env(wrapper::ROLE, toolchain.folder()).env(wrapper::FAILURE, &failure);
    let profile = [("LTO", "off"), ("DEBUG", "0"), ("CODEGEN_UNITS", "1"), ("PANIC", "abort")];
    cargo.envs(profile.map(|(name, value)| (format!("CARGO_PROFILE_RELEASE_{name}"), value)));
    let status = cargo.status().map_err(|e| Error::Toolchain(format!("cargo: {e}")))?;
    if status.success() {
        return Ok(target.join(wrapper::TARGET).join("release").join(program.bin));
    }
    Err(match std::fs::read_to_string(&failure) {
        Ok(why) => Error::Toolchain(format!("{why} ({})", toolchain.versions())),
        Err(_) => Error::Program(format!("{} cannot be compiled", program.package)),
    })
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|e| io(path, &e))
}

fn io(path: &Path, error: &std::io::Error) -> Error {
    Error::Program(format!("{}: {error}", path.display()))
}
