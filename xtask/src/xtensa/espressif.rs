//! Espressif's own toolchain, which `espup` installs as the channel `esp`.

use std::process::Command;

use super::{Built, Error, Program, wrapper::TARGET};
use crate::said;

/// True if this machine has it.
pub fn is_installed() -> bool {
    let list = said(Command::new("rustup").args(["toolchain", "list"])).unwrap_or_default();
    list.lines().any(|l| l.split([' ', '-']).next() == Some("esp"))
}

/// Builds a program as an owner does.
///
/// # Errors
/// [`Error::Toolchain`] in any case: if the program is wrong, the build with packages says so.
pub fn build(program: &Program) -> Result<Built, Error> {
    let target = super::absolute(&program.folder.join("target/espressif"))?;
    let mut cargo = crate::rustup::channel("esp");
    cargo.args(["cargo", "build", "--release", "-Zbuild-std=core,alloc", "--target", TARGET]);
    cargo.args(["-p", program.package, "--bin", program.bin]).args(program.cargo);
    cargo.args(["--features", &program.features.join(",")]);
    let status = cargo.current_dir(program.folder).env("CARGO_TARGET_DIR", &target).status();
    if !status.is_ok_and(|s| s.success()) {
        return Err(Error::Toolchain(
            "the toolchain esp cannot build it; did you source its export file?".into(),
        ));
    }
    let built = target.join(TARGET).join("release").join(program.bin);
    std::fs::copy(&built, program.out).map_err(|e| super::io(program.out, &e))?;
    let versions = said(crate::rustup::channel("esp").args(["rustc", "-V"])).unwrap_or_default();
    let elf = program.out.to_owned();
    Ok(Built { elf, versions: format!("{} of Espressif", versions.trim()), linked: None, unchanged: false })
}
