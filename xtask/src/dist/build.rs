//! The images of the chips, and the compilers that made them.

use std::path::PathBuf;

use crate::{firmware, root, said};

/// The chips of lamps that a cable reaches.
pub const CHIPS: [&str; 4] = ["esp32s3", "esp32s31", "esp32p4", "esp32c6"];

/// Builds the firmware of a chip, and returns its image.
///
/// # Errors
///
/// A sentence: it cannot be built, or was only checked.
pub fn image(chip: &str) -> Result<Vec<u8>, String> {
    let path = path(chip);
    let wrong = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    // An image of an earlier build must not pass for that of this one.
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(wrong(&e)),
        _ => {}
    }
    firmware::build(&[chip])?;
    if !path.exists() {
        return Err(format!(
            "there is no image for {chip}: its firmware was only checked here, not linked, so there is nothing to \
             install. Name the other chips to make bundles for those only"
        ));
    }
    std::fs::read(&path).map_err(|e| wrong(&e))
}

/// Where [`firmware::build`] puts the image of a chip.
fn path(chip: &str) -> PathBuf {
    root().join("firmware/boards/esp/target").join(chip).with_extension("bin")
}

/// The compilers of a chip's firmware, as they name themselves.
///
/// # Errors
///
/// A sentence if a compiler does not answer.
pub fn compilers() -> Result<Vec<String>, String> {
    let text = said(firmware::nightly().args(["rustc", "-vV"]))?;
    let told = |start: &str| {
        text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect::<Vec<_>>()
    };
    Ok([told("rustc "), told("LLVM ")].concat())
}
