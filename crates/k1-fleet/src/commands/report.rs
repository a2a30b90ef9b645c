//! The file of `k1 deploy --report`: every answer of the lamps, as received.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use k1_host::Failure;
use k1_host::output::{Log, Spared};
use serde_json::{Value, json};

/// A file with one line of JSON for each answer; does nothing without a file.
pub struct Report(Option<Log>);

impl Report {
    /// Opens the file, which must not be the image to send.
    ///
    /// # Errors
    ///
    /// A sentence if the file cannot be written, or is the image.
    pub fn open(path: Option<&Path>, image: &Path) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self(None)) };
        let log = Log::append(path, &Spared::default().and(image, "the image"));
        Ok(Self(Some(log.map_err(|e| Failure::new(e.to_string()))?)))
    }

    /// Adds an answer. If the report cannot be written, the deployment stops, because its evidence is half of its
    /// purpose.
    ///
    /// # Errors
    ///
    /// A sentence if the report cannot be written.
    pub fn note(&mut self, lamp: &str, step: &str, raw: &Value) -> Result<(), Failure> {
        let Some(file) = &mut self.0 else { return Ok(()) };
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
        let line = json!({"at": at, "lamp": lamp, "step": step, "raw": raw});
        file.line(&line.to_string()).map_err(|e| {
            Failure::new(format!(
                "the report cannot be written ({e}), so K1 sends nothing more. Free some space and start again."
            ))
        })
    }
}
