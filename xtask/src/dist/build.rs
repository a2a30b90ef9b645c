//! The images of the chips, and the compilers that made them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::{firmware, root, said};

/// The chips of lamps that a cable reaches.
pub const CHIPS: [&str; 4] = ["esp32s3", "esp32s31", "esp32p4", "esp32c6"];

/// An image, and the compilers that made it.
pub struct Built {
    /// The image.
    pub image: Vec<u8>,
    /// The compilers, as they name themselves.
    pub compilers: Vec<String>,
}

/// Builds the firmware of a chip.
///
/// # Errors
///
/// A sentence: it cannot be built, or was only checked.
pub fn build(chip: &str) -> Result<Built, String> {
    // What `firmware::build` leaves. An image of an earlier build must not pass for that of this one.
    let [image, versions] = ["bin", "versions"].map(|ending| place(chip, ending));
    for path in [&image, &versions] {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(wrong(path, &e)),
            _ => {}
        }
    }
    firmware::build(&[chip])?;
    if !image.exists() {
        return Err(format!(
            "there is no image for {chip}: its firmware was only checked here, not linked, so there is nothing to \
             install. Name the other chips to make bundles for those only"
        ));
    }
    let compilers = match std::fs::read_to_string(&versions) {
        Ok(text) => vec![text],
        Err(e) if e.kind() == ErrorKind::NotFound => nightly()?,
        Err(e) => return Err(wrong(&versions, &e)),
    };
    Ok(Built { image: std::fs::read(&image).map_err(|e| wrong(&image, &e))?, compilers })
}

/// Where [`firmware::build`] puts a file of a chip.
fn place(chip: &str, ending: &str) -> PathBuf {
    root().join("firmware/boards/esp/target").join(chip).with_extension(ending)
}

fn wrong(path: &Path, e: &std::io::Error) -> String {
    format!("{}: {e}", path.display())
}

/// The ordinary compiler, as it names itself.
fn nightly() -> Result<Vec<String>, String> {
    let text = said(crate::rustup::nightly().args(["rustc", "-vV"]))?;
    let told = |start: &str| {
        text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect::<Vec<_>>()
    };
    Ok([told("rustc "), told("LLVM ")].concat())
}
