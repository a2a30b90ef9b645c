//! Raw samples: f32, little-endian, mono.

use std::io::{self, ErrorKind, Read};

use super::resample::Resampler;
use super::{Error, Source};

/// Size of a read in bytes.
const BLOCK: usize = 64 << 10;

/// Converts bytes at any rate to samples at the engine's rate.
pub struct Decoder {
    bytes: Vec<u8>,
    kept: usize,
    resampler: Resampler,
    samples: Vec<f32>,
    begun: bool,
}

/// The kind of file that begins with these bytes, which cannot be samples.
fn file_kind(head: &[u8]) -> Option<&'static str> {
    match head {
        [b'R', b'I', b'F', b'F', ..] => Some("a WAV file"),
        [b'f', b'L', b'a', b'C', ..] => Some("a FLAC file"),
        [b'O', b'g', b'g', b'S', ..] => Some("an Ogg file"),
        [b'I', b'D', b'3', 2..=4, ..] => Some("an MP3 file"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("an MP4 file"),
        _ => None,
    }
}

impl Decoder {
    /// For samples at `rate`.
    pub fn new(rate: u32) -> Result<Self, Error> {
        let resampler = Resampler::new(rate)?;
        Ok(Self { bytes: vec![0; BLOCK], kept: 0, resampler, samples: Vec::new(), begun: false })
    }

    /// Reads once from `pipe`, waiting if necessary, and appends the resulting samples, if any, to `ready`. Returns the number
    /// of bytes. At the end (0), also appends the rest from inside the resampler.
    pub fn read(&mut self, pipe: &mut impl Read, ready: &mut Vec<f32>) -> io::Result<usize> {
        let n = loop {
            match pipe.read(&mut self.bytes[self.kept..]) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                done => break done?,
            }
        };
        if n == 0 {
            self.resampler.finish(ready);
            return Ok(0);
        }
        if !std::mem::replace(&mut self.begun, true)
            && let Some(kind) = file_kind(&self.bytes[..n])
        {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                format!(
                    "standard input is {kind}, and `-` takes raw f32 samples; give the file by its name, or decode it: \
                     ffmpeg -i FILE -f f32le -ac 1 -ar 16000 - | k1 run -"
                ),
            ));
        }
        // A read may end inside a sample, whose bytes wait for the next read.
        let have = self.kept + n;
        let whole = have / 4 * 4;
        self.samples.clear();
        self.samples.extend(
            self.bytes[..whole].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        );
        self.bytes.copy_within(whole..have, 0);
        self.kept = have - whole;
        self.resampler.push(&self.samples, ready);
        Ok(n)
    }
}

/// A pipe whose samples are all heard.
pub struct StdinSource<R> {
    pipe: R,
    decoder: Decoder,
    ready: Vec<f32>,
    taken: usize,
    ended: bool,
}

impl<R: Read> StdinSource<R> {
    /// Reads samples at `rate` from `pipe`.
    pub fn new(pipe: R, rate: u32) -> Result<Self, Error> {
        Ok(Self { pipe, decoder: Decoder::new(rate)?, ready: Vec::new(), taken: 0, ended: false })
    }

    fn fill(&mut self) -> Result<(), Error> {
        self.ready.clear();
        self.taken = 0;
        while self.ready.is_empty() && !self.ended {
            self.ended = self.decoder.read(&mut self.pipe, &mut self.ready).map_err(Error::Read)? == 0;
        }
        Ok(())
    }
}

impl<R: Read + Send> Source for StdinSource<R> {
    fn read(&mut self, out: &mut [f32]) -> Result<usize, Error> {
        if self.taken == self.ready.len() {
            self.fill()?;
        }
        let n = out.len().min(self.ready.len() - self.taken);
        out[..n].copy_from_slice(&self.ready[self.taken..self.taken + n]);
        self.taken += n;
        Ok(n)
    }

    fn title(&self) -> String {
        "standard input".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe that gives three bytes at a time.
    struct Dribble(Vec<u8>, usize);

    impl Read for Dribble {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = buf.len().min(3).min(self.0.len() - self.1);
            buf[..n].copy_from_slice(&self.0[self.1..self.1 + n]);
            self.1 += n;
            Ok(n)
        }
    }

    #[test]
    fn samples_survive_reads_that_cut_them_and_a_torn_end_is_dropped() {
        let samples = [0.5_f32, -0.25, f32::NAN, 1.0];
        let mut bytes: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
        bytes.extend([1, 2]);
        let mut source = StdinSource::new(Dribble(bytes, 0), 16_000).unwrap();
        let mut heard = Vec::new();
        let mut out = [0.0; 7];
        while let n @ 1.. = source.read(&mut out).unwrap() {
            heard.extend_from_slice(&out[..n]);
        }
        assert_eq!(heard, [0.5, -0.25, 0.0, 1.0]);
    }
}
