//! Frames as pictures and arrays.

mod gif;
mod sheet;

use std::io::{self, BufWriter, Seek, SeekFrom, Write};

pub use gif::Gif;
use k1_host::output::{Output, Unwritten, unwritten};
pub use sheet::Sheet;

/// A file of rendered frames.
pub trait Picture {
    /// Adds a frame, given as values for a wire and as values for a screen.
    fn frame(&mut self, wire: &[[u8; 3]], screen: &[[u8; 3]]) -> io::Result<()>;

    /// True if it needs the values for a screen, false for those for a wire.
    fn is_for_eyes(&self) -> bool {
        true
    }

    /// Completes the file and moves it to its final place.
    fn finish(self: Box<Self>) -> Result<(), Unwritten>;
}

/// Flushes the buffer and moves the file to its final place.
fn commit(file: BufWriter<Output>) -> Result<(), Unwritten> {
    let (output, rest) = file.into_parts();
    let mut output = output;
    let written = rest.map_err(io::Error::other).and_then(|rest| output.write_all(&rest));
    written.map_err(|e| unwritten(output.path(), e))?;
    output.commit()
}

/// A NumPy array of the values on the wire: frames × LEDs × 3, u8.
pub struct Npy {
    file: BufWriter<Output>,
    /// All frames of an output that cannot seek: their number comes first in the file but is known last.
    kept: Option<Vec<u8>>,
    leds: usize,
    frames: usize,
}

const NPY_HEADER: usize = 128;

impl Npy {
    /// Begins the file.
    ///
    /// # Errors
    ///
    /// Those of the file.
    pub fn new(output: Output, leds: usize) -> io::Result<Self> {
        let kept = (!output.is_file()).then(Vec::new);
        let mut npy = Self { file: BufWriter::new(output), kept, leds, frames: 0 };
        if npy.kept.is_none() {
            npy.header()?;
        }
        Ok(npy)
    }

    /// Format version 1.0: magic, header length, a Python literal padded to 64 bytes (NEP 1).
    fn header(&mut self) -> io::Result<()> {
        let shape = format!("({}, {}, 3)", self.frames, self.leds);
        let dict = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
        let mut header = Vec::with_capacity(NPY_HEADER);
        header.extend_from_slice(b"\x93NUMPY\x01\x00");
        header.extend_from_slice(&((NPY_HEADER - 10) as u16).to_le_bytes());
        header.extend_from_slice(dict.as_bytes());
        header.resize(NPY_HEADER - 1, b' ');
        header.push(b'\n');
        self.file.write_all(&header)
    }
}

impl Picture for Npy {
    fn frame(&mut self, wire: &[[u8; 3]], _: &[[u8; 3]]) -> io::Result<()> {
        self.frames += 1;
        match &mut self.kept {
            Some(kept) => kept.extend_from_slice(wire.as_flattened()),
            None => self.file.write_all(wire.as_flattened())?,
        }
        Ok(())
    }

    fn is_for_eyes(&self) -> bool {
        false
    }

    fn finish(mut self: Box<Self>) -> Result<(), Unwritten> {
        // Only now the number of frames is known.
        let written = match self.kept.take() {
            Some(kept) => self.header().and_then(|()| self.file.write_all(&kept)),
            None => self.file.seek(SeekFrom::Start(0)).and_then(|_| self.header()),
        };
        written.map_err(|e| unwritten(self.file.get_ref().path(), e))?;
        commit(self.file)
    }
}

/// A picture in which time runs down and the strip across. Each row is the mean of its frames.
pub struct Png {
    file: BufWriter<Output>,
    rows: Vec<u8>,
    width: usize,
    per_led: usize,
    frames_per_row: f64,
    sum: Vec<u32>,
    count: u32,
    frames: u64,
}

/// Most rows of a picture; viewers refuse taller ones.
const MAX_ROWS: usize = 8_000;

impl Png {
    /// Begins a picture of about `frames` frames. Longer sounds have more frames per row.
    pub fn new(output: Output, leds: usize, frames: Option<u64>) -> Self {
        // A strip of 180 becomes 720 pixels wide; a row is 1/60 s unless that would be too tall.
        let per_led = (720 / leds.max(1)).clamp(1, 16);
        let frames_per_row = frames.map_or(2.0, |n| (n as f64 / MAX_ROWS as f64).max(2.0));
        Self {
            file: BufWriter::new(output),
            rows: Vec::new(),
            width: leds,
            per_led,
            frames_per_row,
            sum: vec![0; leds * 3],
            count: 0,
            frames: 0,
        }
    }

    fn end_row(&mut self) {
        if self.count == 0 {
            return;
        }
        for led in self.sum.chunks_exact(3) {
            // Means of linear light would need the transfer twice; neighbouring frames are so close that the mean
            // of codes differs by less than a code.
            let mean = [led[0], led[1], led[2]].map(|s| ((s + self.count / 2) / self.count) as u8);
            for _ in 0..self.per_led {
                self.rows.extend_from_slice(&mean);
            }
        }
        self.sum.fill(0);
        self.count = 0;
    }
}

impl Picture for Png {
    fn frame(&mut self, _: &[[u8; 3]], screen: &[[u8; 3]]) -> io::Result<()> {
        for (sum, code) in self.sum.iter_mut().zip(screen.as_flattened()) {
            *sum += u32::from(*code);
        }
        self.count += 1;
        let row = |frame: u64| (frame as f64 / self.frames_per_row) as u64;
        let last_of_row = row(self.frames + 1) != row(self.frames);
        self.frames += 1;
        if last_of_row {
            self.end_row();
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Unwritten> {
        self.end_row();
        let width = self.width * self.per_led;
        let height = self.rows.len() / (width * 3);
        if height == 0 {
            self.rows = vec![0; width * 3];
        }
        encode_png(&mut self.file, width, height.max(1), png::ColorType::Rgb, &self.rows)
            .map_err(|e| unwritten(self.file.get_ref().path(), e))?;
        commit(self.file)
    }
}

/// Writes pixels (eight bits per channel, row by row from the top) as a PNG in sRGB. Neither side may be 0.
///
/// # Errors
///
/// Those of `out`, and pixels that are not `width` times `height`.
pub fn encode_png(
    out: impl Write,
    width: usize,
    height: usize,
    colour: png::ColorType,
    pixels: &[u8],
) -> io::Result<()> {
    let mut encoder = png::Encoder::new(out, width as u32, height as u32);
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    // Keep errors of the disk as they are, because `output` adds advice to them.
    let plain = |e| match e {
        png::EncodingError::IoError(e) => e,
        other => io::Error::other(other),
    };
    let mut writer = encoder.write_header().map_err(plain)?;
    writer.write_image_data(pixels).map_err(plain)?;
    writer.finish().map_err(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k1_host::output::Spared;
    use std::fs::File;

    #[test]
    fn an_npy_has_the_shape_and_bytes_of_its_frames() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        let output = Output::create(&path, &Spared::default()).unwrap();
        let mut npy = Box::new(Npy::new(output, 2).unwrap());
        npy.frame(&[[1, 2, 3], [4, 5, 6]], &[]).unwrap();
        npy.frame(&[[7, 8, 9], [10, 11, 12]], &[]).unwrap();
        npy.finish().unwrap();
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
        let header = String::from_utf8_lossy(&bytes[10..128]);
        assert!(header.contains("'shape': (2, 2, 3)") && header.ends_with('\n'), "{header}");
        assert_eq!(bytes[128..], (1..=12).collect::<Vec<u8>>());
    }

    #[test]
    fn a_png_has_a_row_for_two_frames_and_is_readable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.png");
        let output = Output::create(&path, &Spared::default()).unwrap();
        let mut picture = Box::new(Png::new(output, 180, Some(120)));
        for i in 0..120_u8 {
            picture.frame(&[], &[[i, 0, 200]; 180]).unwrap();
        }
        picture.finish().unwrap();
        let decoder = png::Decoder::new(io::BufReader::new(File::open(path).unwrap()));
        let reader = decoder.read_info().unwrap();
        assert_eq!((reader.info().width, reader.info().height), (720, 60));
    }
}
