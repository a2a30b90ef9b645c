//! Writes frames to a file, LEDs × 3 bytes each.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use k1_device::answers::LightState;

use super::light::{Light, LightStatus};
use super::{Frame, Sink, Stop};
use k1_host::output::{Output, unwritten};

/// A recording of frames. If it can no longer be written, it is removed: the old file stays as it was, and the space is free
/// again.
pub struct FileSink {
    file: Option<BufWriter<Output>>,
    light: Arc<Light>,
}

impl FileSink {
    /// Records frames in `output`.
    pub fn new(output: Output, light: Arc<Light>) -> Self {
        light.stands(LightStatus { state: LightState::Shining, reason: None, address: None });
        Self { file: Some(BufWriter::new(output)), light }
    }

    fn give_up(&mut self, e: io::Error) -> io::Error {
        let Some(file) = self.file.take() else { return e };
        // Dropping the buffer would try to write it once more.
        let (output, _) = file.into_parts();
        let kind = e.kind();
        // A reader that has closed the pipe has seen enough.
        let reason = match kind {
            io::ErrorKind::BrokenPipe => format!("nobody reads {} any longer", output.path().display()),
            _ => unwritten(output.path(), e).to_string(),
        };
        drop(output);
        let is_fault = kind != io::ErrorKind::BrokenPipe;
        self.light.fails(reason, is_fault);
        kind.into()
    }
}

impl Sink for FileSink {
    fn show(&mut self, frame: &Frame) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotConnected.into()) };
        file.write_all(frame.channels).map_err(|e| self.give_up(e))
    }

    fn end(&mut self, _: Stop, last: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        // The light reports the error.
        if let Err(e) = file.write_all(last).and_then(|()| file.flush()) {
            self.give_up(e);
            return Ok(());
        }
        if let Some(file) = self.file.take() {
            let (output, _) = file.into_parts();
            if let Err(why) = output.commit() {
                self.light.fails(why.to_string(), true);
            }
        }
        Ok(())
    }
}
