//! Reads a file as bytes, with look-ahead and skipping, without loading it whole. Pipes work too, but only forward.

use std::fs::File;
use std::io::{ErrorKind, Read, Result, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use symphonia::core::io::MediaSource;

/// Size of a read in bytes.
const CHUNK: usize = 64 * 1024;
/// Longest look-ahead in bytes.
pub const FAR: usize = 4 << 20;

/// Where bytes come from.
enum Origin {
    File(File),
    /// A connection, which is read only forward.
    Flow(Box<dyn Read + Send + Sync>),
}

impl Read for Origin {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        match self {
            Self::File(file) => file.read(out),
            Self::Flow(flow) => flow.read(out),
        }
    }
}

/// A file that is read from front to back.
pub struct Bytes {
    origin: Option<Origin>,
    path: PathBuf,
    seekable: bool,
    /// Length of the file in bytes, if it is known.
    len: Option<u64>,
    /// Offset at which reading ends.
    limit: u64,
    /// Offset that seeking parsers see as the beginning.
    base: u64,
    /// Bytes that replace those of the file for readers, with their offsets.
    pub patches: Vec<(u64, [u8; 4])>,
    buffer: Vec<u8>,
    /// Index of the next byte in `buffer`.
    next: usize,
    /// Offset of the next byte in the file.
    pos: u64,
}

impl Bytes {
    /// Opens a file at its start.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        let seekable = meta.is_file();
        Ok(Self {
            origin: Some(Origin::File(file)),
            path: path.to_owned(),
            seekable,
            len: seekable.then_some(meta.len()),
            limit: u64::MAX,
            base: 0,
            patches: Vec::new(),
            buffer: Vec::new(),
            next: 0,
            pos: 0,
        })
    }

    /// The bytes of a connection.
    pub fn of_flow(flow: Box<dyn Read + Send + Sync>) -> Self {
        Self { origin: Some(Origin::Flow(flow)), ..Self::ended(Path::new(""), 0) }
    }

    /// A pipe at its end.
    fn ended(path: &Path, pos: u64) -> Self {
        Self {
            origin: None,
            path: path.to_owned(),
            seekable: false,
            len: None,
            limit: u64::MAX,
            base: 0,
            patches: Vec::new(),
            buffer: Vec::new(),
            next: 0,
            pos,
        }
    }

    /// Another reader of the same file, from here to `end`. A pipe has only one reader: it moves to the new one, and this one is
    /// at its end.
    pub fn fork(&mut self, end: Option<u64>) -> Result<Self> {
        if !self.seekable {
            let empty = Self::ended(&self.path, self.pos);
            return Ok(std::mem::replace(self, empty));
        }
        let mut other = Self::open(&self.path)?;
        other.limit = end.unwrap_or(u64::MAX).min(self.limit);
        other.base = self.pos;
        other.go(self.pos)?;
        Ok(other)
    }

    /// Offset of the next byte.
    pub fn pos(&self) -> u64 {
        self.pos
    }

    /// Number of bytes from here to the end, if the end is known.
    pub fn left(&self) -> Option<u64> {
        self.len.map(|len| len.min(self.limit).saturating_sub(self.pos))
    }

    /// Up to `n` bytes from here on, without moving; fewer only at the end.
    pub fn peek(&mut self, n: usize) -> Result<&[u8]> {
        let n = usize::try_from(self.limit.saturating_sub(self.pos)).unwrap_or(usize::MAX).min(n).min(FAR);
        while self.buffer.len() - self.next < n {
            if self.next >= CHUNK {
                self.buffer.drain(..self.next);
                self.next = 0;
            }
            let Some(origin) = &mut self.origin else { break };
            let have = self.buffer.len();
            self.buffer.resize(have + CHUNK, 0);
            let got = loop {
                match origin.read(&mut self.buffer[have..]) {
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    other => break other,
                }
            };
            self.buffer.truncate(have + *got.as_ref().unwrap_or(&0));
            if got? == 0 {
                break;
            }
        }
        let have = (self.buffer.len() - self.next).min(n);
        Ok(&self.buffer[self.next..self.next + have])
    }

    /// `n` bytes from elsewhere in the file, without moving; `None` if that is not possible.
    pub fn look(&mut self, at: u64, n: usize) -> Result<Option<Vec<u8>>> {
        if !self.seekable || at > self.limit {
            return Ok(None);
        }
        let back = self.pos;
        self.go(at)?;
        let found = self.peek(n)?.to_vec();
        self.go(back)?;
        Ok(Some(found))
    }

    /// Ends reading at an offset.
    pub fn end_at(&mut self, end: u64) {
        self.limit = self.limit.min(end);
    }

    /// Moves forward by up to `n` bytes; returns the number of bytes.
    pub fn skip(&mut self, n: u64) -> Result<u64> {
        let n = n.min(self.limit.saturating_sub(self.pos));
        let mut left = n;
        loop {
            let have = (self.buffer.len() - self.next) as u64;
            let step = left.min(have);
            self.next += step as usize;
            self.pos += step;
            left -= step;
            if left == 0 {
                return Ok(n);
            }
            if let (true, Some(len)) = (self.seekable, self.len) {
                let reach = left.min(len.saturating_sub(self.pos));
                self.go(self.pos + reach)?;
                return Ok(n - left + reach);
            }
            if self.peek(1)?.is_empty() {
                return Ok(n - left);
            }
        }
    }

    /// Moves to an offset of a seekable file.
    fn go(&mut self, at: u64) -> Result<()> {
        let first = self.pos - self.next as u64;
        if (first..=first + self.buffer.len() as u64).contains(&at) {
            self.next = (at - first) as usize;
        } else {
            if let Some(Origin::File(file)) = &mut self.origin {
                file.seek(SeekFrom::Start(at))?;
            }
            self.buffer.clear();
            self.next = 0;
        }
        self.pos = at;
        Ok(())
    }
}

impl Read for Bytes {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let from = self.peek(out.len().min(CHUNK))?;
        let n = from.len();
        out[..n].copy_from_slice(from);
        for (at, patch) in &self.patches {
            for (offset, byte) in (*at..).zip(patch) {
                if let Some(i) = offset.checked_sub(self.pos).filter(|i| *i < n as u64) {
                    out[i as usize] = *byte;
                }
            }
        }
        self.next += n;
        self.pos += n as u64;
        Ok(n)
    }
}

impl Seek for Bytes {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        if !self.seekable {
            return Err(ErrorKind::Unsupported.into());
        }
        let from = |base: u64, by: i64| base.checked_add_signed(by).ok_or(ErrorKind::InvalidInput);
        let at = match to {
            SeekFrom::Start(at) => self.base.saturating_add(at),
            SeekFrom::Current(by) => from(self.pos, by)?,
            SeekFrom::End(by) => from(self.len.unwrap_or(0).min(self.limit), by)?,
        };
        self.go(at)?;
        Ok(at.saturating_sub(self.base))
    }
}

impl MediaSource for Bytes {
    fn is_seekable(&self) -> bool {
        self.seekable
    }

    fn byte_len(&self) -> Option<u64> {
        self.len.map(|len| len.min(self.limit).saturating_sub(self.base))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A file of these bytes; the folder goes with it.
    pub fn of(bytes: &[u8]) -> (tempfile::TempDir, Bytes) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bytes");
        std::fs::write(&path, bytes).unwrap();
        let bytes = Bytes::open(&path).unwrap();
        (dir, bytes)
    }

    #[test]
    fn looks_ahead_and_elsewhere_without_moving_and_skips_past_the_end_to_the_end() {
        let all: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
        let (_dir, mut bytes) = of(&all);
        assert_eq!(bytes.peek(100_000).unwrap(), &all[..100_000]);
        assert_eq!(bytes.skip(150_000).unwrap(), 150_000);
        assert_eq!(bytes.look(10, 5).unwrap().unwrap(), &all[10..15]);
        assert_eq!((bytes.pos(), bytes.left()), (150_000, Some(150_000)));
        assert_eq!(bytes.peek(3).unwrap(), &all[150_000..150_003]);
        let mut rest = bytes.fork(Some(150_010)).unwrap();
        let mut out = Vec::new();
        rest.read_to_end(&mut out).unwrap();
        assert_eq!(rest.seek(SeekFrom::Start(3)).unwrap(), 3, "from its own beginning");
        assert_eq!(rest.peek(1).unwrap(), &all[150_003..150_004]);
        assert_eq!(out, &all[150_000..150_010]);
        assert_eq!(bytes.skip(u64::MAX).unwrap(), 150_000);
        assert!(bytes.peek(1).unwrap().is_empty());
    }
}
