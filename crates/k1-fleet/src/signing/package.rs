//! Images and signed updates in files.

use std::fmt;
use std::path::Path;

pub use k1_bundle::update::{Statement, Update, manifest};

/// The content of a file.
fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| format!("{} cannot be read: {e}", path.display()))
}

/// Reads the file of an update.
///
/// # Errors
///
/// A sentence that names the file: it cannot be read, is not an update, or is damaged.
pub fn read(path: &Path) -> Result<Update, String> {
    let wrong = |e: &dyn fmt::Display| format!("{}: {e}", path.display());
    Update::parse(&bytes(path)?).map_err(|e| wrong(&e))
}

/// Reads the file of an update, or a bare image, which becomes an update without a signature.
///
/// # Errors
///
/// A sentence that says what to do.
pub fn read_or_wrap(path: &Path, bare: &Statement) -> Result<Update, String> {
    let wrong = |e: &dyn fmt::Display| format!("{}: {e}", path.display());
    let bytes = bytes(path)?;
    if bytes.starts_with(b"K1UPDATE") {
        return Update::parse(&bytes).map_err(|e| wrong(&e));
    }
    if bytes.starts_with(b"\x7fELF") {
        return Err(format!(
            "{} is a program with symbols, not an image: name the .bin beside it",
            path.display()
        ));
    }
    let manifest = manifest(&bytes, bare)?;
    Ok(Update { envelope: manifest.envelope(), manifest, image: bytes })
}
