//! Images as a chip's bootloader takes them, made by espflash.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::root;

/// The espflash whose images are measured; its bootloaders and formats change with it.
const VERSION: &str = "4.7.0";

/// An espflash of this version: the one on the path, or one of our own, which is made once (about five minutes).
fn espflash() -> Result<PathBuf, String> {
    let folder = root().join("target/tools");
    let own = folder.join("bin/espflash");
    let wanted = format!("espflash {VERSION}");
    for place in [PathBuf::from("espflash"), own.clone()] {
        let said = Command::new(&place).arg("--version").env("ESPFLASH_SKIP_UPDATE_CHECK", "true").output();
        if said.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).trim() == wanted) {
            return Ok(place);
        }
    }
    println!("{wanted} is not here; it is built once and kept under {}", folder.display());
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["install", "espflash", "--version", VERSION, "--locked", "--quiet", "--root"])
        .arg(&folder)
        .status()
        .map_err(|e| format!("cargo install: {e}"))?;
    if status.success() {
        return Ok(own);
    }
    Err(format!(
        "{wanted} could not be installed; install it with `cargo install espflash --version {VERSION} --locked`"
    ))
}

/// Makes the image of `program` for a slot of the lamp's partition table, beside it as `lamp.bin`; bytes of the image.
/// Fails when it does not fit the slot.
pub fn save(chip: &str, program: &Path) -> Result<u64, String> {
    let place = program.with_extension("bin");
    let mut command = Command::new(espflash()?);
    command
        .args(["save-image", "--chip", chip, "--flash-size", "4mb", "--partition-table"])
        .arg(root().join("firmware/boards/esp/partitions.csv"))
        .args(["--target-app-partition", "app0"]);
    if chip == "esp32p4" {
        // Revisions before 3 are another chip: other memory, another bootloader.
        command.args(["--min-chip-rev", "3.0"]);
    }
    command.arg(program).arg(&place).env("ESPFLASH_SKIP_UPDATE_CHECK", "true");
    let out = command.output().map_err(|e| format!("espflash: {e}"))?;
    let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    if !out.status.success() {
        return Err(format!("espflash makes no image for {chip}: {said}"));
    }
    let line = said.lines().find(|l| l.contains("App/part. size")).map(str::trim);
    let bytes = line.and_then(size_of).ok_or_else(|| format!("espflash did not say a size: {said}"))?;
    let written = std::fs::metadata(&place).map_err(|e| format!("{}: {e}", place.display()))?.len();
    println!("{chip}: {} ({})", line.unwrap_or_default(), place.display());
    // What it counted is what it wrote, or the gate is no gate.
    if written == bytes {
        Ok(bytes)
    } else {
        Err(format!("the image has {written} B, espflash says {bytes}"))
    }
}

/// The size in a line such as `App/part. size:    1,236,016/1,966,080 bytes, 62.87%`.
fn size_of(line: &str) -> Option<u64> {
    let (size, _) = line.split_once(':')?.1.split_once('/')?;
    size.trim().replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::size_of;

    #[test]
    fn the_size_is_read_from_what_espflash_says() {
        let line = "App/part. size:    1,236,016/1,966,080 bytes, 62.87%";
        assert_eq!(size_of(line), Some(1_236_016));
        assert_eq!(size_of("App/part. size: unknown"), None);
    }
}
