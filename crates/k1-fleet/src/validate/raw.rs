//! The raw figures: every second as it arrived, for other evaluations.

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use k1_host::output::{Output, Spared, Unwritten};

/// A file with one line of JSON per second; does nothing without a file.
pub struct Raw {
    file: Mutex<Option<Output>>,
    lost: Mutex<Option<String>>,
}

impl Raw {
    /// Opens the file, if one was asked for.
    pub fn open(path: Option<&Path>) -> Result<Self, Unwritten> {
        let file = path.map(|path| Output::record(path, &Spared::default())).transpose()?;
        Ok(Self { file: Mutex::new(file), lost: Mutex::new(None) })
    }

    /// Adds a line. If the file can no longer be written, gives it up; the measurement continues.
    pub fn add(&self, second: &impl Serialize) {
        let mut place = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = &mut *place else { return };
        let line = serde_json::to_string(second).map_err(std::io::Error::from);
        if let Err(e) = line.and_then(|line| file.write_all(format!("{line}\n").as_bytes())) {
            let why = k1_host::output::unwritten(file.path(), e).to_string();
            k1_host::say(format_args!("k1: the raw figures are lost: {why}; the measurement continues"));
            *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
            *place = None;
        }
    }

    /// Keeps the file, however the measurement ended. The error says why the file could not be written.
    pub fn keep(&self) -> Result<(), String> {
        if let Some(file) = self.file.lock().unwrap_or_else(PoisonError::into_inner).take() {
            file.commit().map_err(|e| e.to_string())?;
        }
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}
