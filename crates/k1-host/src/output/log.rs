//! Files to which K1 appends whole lines.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::{Identity, Spared, Unwritten, Why};

/// A file to which K1 appends whole lines.
#[derive(Debug)]
pub struct Log(File);

impl Log {
    /// Opens or creates a file for appending.
    ///
    /// # Errors
    ///
    /// The file is an input or cannot be written.
    pub fn append(path: &Path, spared: &Spared) -> Result<Self, Unwritten> {
        let refuse = |why| Unwritten { path: path.to_owned(), why };
        let identity = Identity::of_path(path).map_err(|e| refuse(Why::System(e)))?;
        if let Some(what) = spared.holds(&identity) {
            return Err(refuse(Why::Input(what)));
        }
        if path.is_dir() {
            return Err(refuse(Why::Kind("a folder")));
        }
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.map(Self).map_err(|e| refuse(Why::System(e)))
    }

    /// Appends a whole line, or nothing.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn line(&mut self, line: &str) -> io::Result<()> {
        let before = self.0.metadata().map(|m| m.is_file().then_some(m.len())).unwrap_or_default();
        let written = self.0.write_all(format!("{line}\n").as_bytes());
        if let (Err(_), Some(length)) = (&written, before) {
            let _ = self.0.set_len(length);
        }
        written
    }
}
