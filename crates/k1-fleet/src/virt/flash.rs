//! The file that holds a virtual lamp's flash. An image is written to it without checking a signature, as through a
//! cable.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use k1_update::layout::{Layout, SECTOR, Slot};
use k1_update::otadata::{Entry, Note, State};

use crate::signing::package::Update;
use k1_host::output::{self, Output, Spared};

/// Size of the machine's flash in bytes; the emulator accepts no other size.
pub const SIZE: u64 = 32 << 20;

/// An open flash file.
pub struct VirtualFlash(File);

impl VirtualFlash {
    /// Opens a flash file; creates an erased one if it is missing.
    ///
    /// # Errors
    ///
    /// A sentence if the file cannot be used or is not a flash file.
    pub fn open(path: &Path) -> Result<Self, String> {
        let wrong = |e: std::io::Error| format!("{}: {e}", path.display());
        if std::fs::metadata(path).map_or(true, |m| m.is_file() && m.len() == 0) {
            // A new file appears complete, or not at all if the disk is full.
            let mut new = Output::create(path, &Spared::default()).map_err(|e| e.to_string())?;
            let erased = vec![0xff; 1 << 20];
            let written = (0..SIZE >> 20).try_for_each(|_| new.write_all(&erased));
            written.map_err(|e| output::unwritten(path, e).to_string())?;
            new.commit().map_err(|e| e.to_string())?;
        }
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(wrong)?;
        match file.metadata().map_err(wrong)?.len() {
            SIZE => {}
            n => {
                return Err(format!(
                    "{} has {n} bytes, but a flash has {SIZE}, so it is not a flash; name another file",
                    path.display()
                ));
            }
        }
        Ok(Self(file))
    }

    fn put(&mut self, at: u32, bytes: &[u8]) -> Result<(), String> {
        let done = self.0.seek(SeekFrom::Start(u64::from(at))).and_then(|_| self.0.write_all(bytes));
        done.map_err(|e| format!("the flash cannot be written: {e}"))
    }

    /// True if neither slot has a manifest.
    ///
    /// # Errors
    ///
    /// A sentence if it cannot be read.
    pub fn is_empty(&mut self) -> Result<bool, String> {
        for slot in Slot::ALL {
            let mut bytes = [0; 8];
            let at = u64::from(Layout::K1.manifest(slot));
            let read = self.0.seek(SeekFrom::Start(at)).and_then(|_| self.0.read_exact(&mut bytes));
            read.map_err(|e| format!("the flash cannot be read: {e}"))?;
            if bytes != [0xff; 8] {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes an image to the first slot, for a trial at the next start, as a cable does. Keeps the settings.
    ///
    /// # Errors
    ///
    /// A sentence if it cannot be written.
    pub fn install(&mut self, update: &Update) -> Result<(), String> {
        let map = Layout::K1;
        let blank = [0xff; SECTOR as usize];
        self.put(map.slot(Slot::App0), &vec![0xff; map.slot_size as usize])?;
        self.put(map.slot(Slot::App0), &update.image)?;
        self.put(map.manifest(Slot::App0), &update.envelope.0)?;
        self.put(map.manifest(Slot::App1), &blank)?;
        // On trial from the start, so that the loader shows that it supports trials.
        let entry = Entry { sequence: 1, state: State::New, note: Note::default() };
        for (which, bytes) in [(0, &entry.bytes()[..]), (1, &[])] {
            self.put(map.record(which), &blank)?;
            self.put(map.record(which), bytes)?;
        }
        Ok(())
    }
}

/// Writes the first flash of the machine, which holds only the loader.
///
/// # Errors
///
/// A sentence if it cannot be written.
pub fn write_loader(path: &Path, loader: &[u8]) -> Result<(), String> {
    let wrong = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut file = File::create(path).map_err(wrong)?;
    // Bytes after the loader are never read, so that the file may have a hole there.
    file.write_all(loader).and_then(|()| file.set_len(SIZE)).map_err(wrong)
}
