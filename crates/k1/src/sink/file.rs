//! Frames to a file: LEDs × 3 bytes each, one after the other.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::Sink;

/// A file of frames.
pub struct FileSink(BufWriter<File>);

impl FileSink {
    /// Creates or replaces the file.
    pub fn create(path: &Path) -> io::Result<Self> {
        File::create(path).map(|f| Self(BufWriter::new(f)))
    }
}

impl Sink for FileSink {
    fn show(&mut self, wire: &[[u8; 3]], _: &[[u8; 3]]) -> io::Result<()> {
        self.0.write_all(wire.as_flattened())
    }

    fn dark(&mut self, leds: usize) -> io::Result<()> {
        self.0.write_all(&vec![0; leds * 3])?;
        self.0.flush()
    }
}
