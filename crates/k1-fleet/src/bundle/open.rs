//! Reads a bundle from a folder or an archive.

use std::fs::File as Opened;
use std::io::Read;
use std::path::Path;

pub use k1_bundle::open::{Bundle, open};

use super::{Files, SIGNATURE, STATED, STATEMENT, archive};

/// Largest file that a bundle, or its archive, can be, in bytes. (An image has at most 1.9 MB.)
const MOST: u64 = 4 << 20;

/// The files of a bundle, from its folder or its archive. `None` if the path leads to another file, which may be an
/// update. Nothing is checked yet.
///
/// # Errors
///
/// A sentence that names the file: it cannot be read, or is a damaged archive.
pub fn read(path: &Path) -> Result<Option<Files>, String> {
    if path.is_dir() {
        let mut files = Files::new();
        for name in STATED.into_iter().chain([STATEMENT, SIGNATURE]) {
            let file = path.join(name);
            if file.exists() {
                files.insert(name.to_owned(), whole(&file)?);
            }
        }
        return Ok(Some(files));
    }
    let bytes = whole(path)?;
    if !archive::is_archive(&bytes) {
        return Ok(None);
    }
    archive::unpack(&bytes).map(Some).map_err(|e| format!("{}: {e}", path.display()))
}

fn whole(path: &Path) -> Result<Vec<u8>, String> {
    let wrong = |e: std::io::Error| format!("{} cannot be read: {e}", path.display());
    let mut bytes = Vec::new();
    Opened::open(path).map_err(wrong)?.take(MOST + 1).read_to_end(&mut bytes).map_err(wrong)?;
    match bytes.len() as u64 > MOST {
        true => Err(format!("{} is larger than any bundle", path.display())),
        false => Ok(bytes),
    }
}
