//! Files of chunks, one of which holds the samples: WAV and its 64-bit variants, AIFF. Sizes are hints: a recorder that
//! crashed left them at 0, one that wrote to a pipe left the largest value, and some recorders always count wrong.

use std::io::Result;

use super::bytes::Bytes;
use super::elementary::Frames;
use super::flow::{Demux, Event, Packet, Refusal, Stream};
use super::format::{self, Coding, Format, PIECE};
use super::marks::{self, Known};

/// Sizes from here on mean that the size is unknown.
const UNKNOWN: u64 = 0x7fff_0000;
/// Names of chunks that often follow another.
const KNOWN: [&[u8; 4]; 13] = [
    b"fmt ", b"data", b"LIST", b"fact", b"bext", b"JUNK", b"ds64", b"id3 ", b"ID3 ", b"iXML", b"COMM",
    b"SSND", b"NAME",
];
/// Number of chunks after the samples that are checked.
const CHUNKS: usize = 64;

/// Format of the chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// RIFF and RF64: little endian.
    Riff,
    /// RIFX: as RIFF, but big endian.
    Rifx,
    /// FORM: big endian.
    Form,
    /// Wave64: long names, and long sizes that include the head, padded to multiples of 8.
    Wave64,
}

/// The head of a chunk.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    id: [u8; 4],
    /// Length of the content in bytes, as stated by the head.
    size: u64,
    /// Length of the head in bytes.
    head: u64,
}

impl Style {
    fn read(self, b: &[u8]) -> Option<Chunk> {
        let id = [*b.first()?, *b.get(1)?, *b.get(2)?, *b.get(3)?];
        if !id.iter().all(|c| (0x20..0x7f).contains(c)) {
            return None;
        }
        let four = |at: usize| b.get(at..at + 4)?.try_into().ok();
        Some(match self {
            Self::Riff => Chunk { id, size: u32::from_le_bytes(four(4)?).into(), head: 8 },
            Self::Rifx | Self::Form => Chunk { id, size: u32::from_be_bytes(four(4)?).into(), head: 8 },
            Self::Wave64 => {
                let size = u64::from_le_bytes(b.get(16..24)?.try_into().ok()?);
                Chunk { id, size: size.saturating_sub(24), head: 24 }
            }
        })
    }

    /// Number of padding bytes after a content of some length.
    fn fill(self, size: u64) -> u64 {
        match self {
            Self::Wave64 => size.wrapping_neg() % 8,
            _ => size % 2,
        }
    }

    fn sound(self) -> &'static [u8; 4] {
        if self == Self::Form { b"SSND" } else { b"data" }
    }
}

/// Position in the file.
enum Place {
    Front,
    /// Between chunks.
    Between,
    /// In the samples, with the number of bytes left.
    Samples(u64),
    /// In frames of another codec inside the samples' chunk.
    Inside(Box<(Bytes, Frames)>),
    Over,
}

/// True if there are only zeros from one offset to another.
fn zeros(bytes: &mut Bytes, mut from: u64, to: u64) -> Result<bool> {
    while from < to {
        let Some(piece) = bytes.look(from, 64 * 1024)?.filter(|piece| !piece.is_empty()) else {
            return Ok(false);
        };
        if piece.iter().any(|b| *b != 0) {
            return Ok(false);
        }
        from += piece.len() as u64;
    }
    Ok(true)
}

/// Parser of WAV and AIFF files.
pub struct Chunks {
    style: Style,
    place: Place,
    format: Option<Format>,
    announced: bool,
    /// End of the whole container, as stated by its head.
    whole: Option<u64>,
    /// Length of the samples, from RF64's separate chunk.
    long: Option<u64>,
    /// Number of frames, from a separate chunk.
    fact: Option<u64>,
    /// True if the sound is shorter than its stated size.
    short: bool,
    au: bool,
}

impl Chunks {
    /// A parser for a recognised container.
    pub fn new(known: Known) -> Self {
        let style = match known {
            Known::Wave64 => Style::Wave64,
            Known::Aiff => Style::Form,
            _ => Style::Riff,
        };
        Self {
            style,
            place: Place::Front,
            format: None,
            announced: false,
            whole: None,
            long: None,
            fact: None,
            short: false,
            au: known == Known::Au,
        }
    }

    /// Skips the padding after a chunk of odd length, if it is there; some writers forget it.
    fn fill(&self, bytes: &mut Bytes, size: u64) -> Result<()> {
        let n = self.style.fill(size);
        let head = bytes.peek(25)?;
        let named = |at: usize| head.get(at..at + 4).is_some_and(|id| KNOWN.iter().any(|k| *k == id));
        // A known name decides; otherwise accept anything that may be a name.
        let bare = self.style != Style::Wave64 && !named(1) && self.style.read(head).is_some() || named(0);
        if n > 0 && !bare {
            bytes.skip(n)?;
        }
        Ok(())
    }

    /// True if chunks, tags or another file follow at an offset, up to the end of the file.
    fn sound_ends_at(&self, bytes: &mut Bytes, at: u64) -> Result<bool> {
        let Some(end) = bytes.left().map(|left| bytes.pos() + left) else { return Ok(true) };
        let (mut at, mut seen) = (at, 0);
        while at + 8 <= end {
            let Some(head) = bytes.look(at, 64)? else { return Ok(true) };
            if seen > CHUNKS || marks::marked(&head) || marks::tag_length(&head).is_some() {
                return Ok(true);
            }
            let zeros = head.iter().all(|b| *b == 0);
            match self.style.read(&head) {
                Some(chunk) => at += chunk.head + chunk.size + self.style.fill(chunk.size),
                // Padding of the file to a round length.
                None if zeros && seen > 0 => return Ok(true),
                None => return Ok(false),
            }
            seen += 1;
        }
        Ok(at <= end + 8)
    }

    /// Number of bytes of samples at this place, if the head states `size`.
    fn believed(&mut self, bytes: &mut Bytes, size: u64) -> Result<u64> {
        let size = if size >= UNKNOWN { self.long.filter(|n| *n > 0).unwrap_or(u64::MAX) } else { size };
        let Some(left) = bytes.left() else { return Ok(if size == 0 { u64::MAX } else { size }) };
        if size > left {
            self.short = size < UNKNOWN.max(left.saturating_mul(8)) && size != u64::MAX && left > 0;
            return Ok(left);
        }
        let from = bytes.pos();
        let fill = self.style.fill(size);
        let ends = size == left
            || self.sound_ends_at(bytes, from + size + fill)?
            || fill > 0 && self.sound_ends_at(bytes, from + size)?
            // Both heads agree and nothing follows: a recorder reserved space before it knew the length.
            || self.whole.is_some_and(|end| end == from + size || end == from + size + fill)
                && zeros(bytes, from + size, from + left)?;
        Ok(if ends { size } else { left })
    }

    /// Reads a chunk that is not the samples.
    fn chunk(&mut self, bytes: &mut Bytes, chunk: &Chunk) -> Result<Option<Event>> {
        let content = bytes.peek(chunk.size.min(128) as usize)?;
        let read = match &chunk.id {
            b"fmt " => Some(format::wav(content, self.style == Style::Rifx)),
            b"COMM" => Some(format::aiff(content)),
            b"ds64" => {
                self.long = content.get(8..16).and_then(|b| Some(u64::from_le_bytes(b.try_into().ok()?)));
                None
            }
            b"fact" => {
                self.fact =
                    content.get(..4).and_then(|b| Some(u32::from_le_bytes(b.try_into().ok()?).into()));
                None
            }
            _ => None,
        };
        if let Some(read) = read {
            match read {
                Ok(format) => self.format = Some(format),
                Err(what) => return Ok(Some(Event::Foreign(what))),
            }
        }
        Ok(None)
    }

    /// Moves to the chunk with the samples.
    fn samples(&mut self, bytes: &mut Bytes, chunk: &Chunk) -> Result<Event> {
        bytes.skip(chunk.head)?;
        let mut size = chunk.size;
        if self.style == Style::Form {
            let offset = bytes.peek(8)?.first_chunk().map_or(0, |b| u32::from_be_bytes(*b));
            let offset = if offset < 1 << 16 { offset } else { 0 };
            bytes.skip(8 + u64::from(offset))?;
            size = size.saturating_sub(8 + u64::from(offset));
        }
        if self.format.is_none() {
            self.look_for_format(bytes, size)?;
        }
        let size = self.believed(bytes, size)?;
        let Some(format) = &self.format else {
            self.place = Place::Over;
            return Ok(Event::Foreign(Refusal::broken(
                "it is a WAV or AIFF file without a description of its samples",
            )));
        };
        match &format.coding {
            Coding::Blocks { block, frames, .. } => {
                self.place = Place::Samples(size);
                if self.announced {
                    return self.next(bytes);
                }
                self.announced = true;
                let all = bytes.left().map(|left| size.min(left) / *block as u64 * frames);
                let mut stream = Stream::new(format.codec.clone(), &format.name);
                stream.length = all;
                // The last block of a block codec is padded.
                if let (Some(all), Some(fact)) = (all, self.fact)
                    && fact < all
                    && all - fact < *frames
                {
                    (stream.tail, stream.length) = (all - fact, Some(fact));
                }
                Ok(Event::Stream(Box::new(stream)))
            }
            Coding::Frames => {
                let inside = bytes.fork(bytes.pos().checked_add(size))?;
                bytes.skip(size)?;
                self.place = Place::Inside(Box::new((inside, Frames::default())));
                self.next(bytes)
            }
        }
    }

    /// Ends parsing with an error.
    fn nothing(&mut self) -> Event {
        self.place = Place::Over;
        Event::Foreign(Refusal::broken("it is a WAV or AIFF file without samples"))
    }

    /// Reads the head of an AU file, which has no chunks.
    fn au(&mut self, bytes: &mut Bytes) -> Result<Event> {
        let (format, start, size) = match format::au(bytes.peek(64)?) {
            Ok(read) => read,
            Err(what) => {
                self.place = Place::Over;
                return Ok(Event::Foreign(what));
            }
        };
        let stream = Stream::new(format.codec.clone(), &format.name);
        bytes.skip(start)?;
        let left = bytes.left().unwrap_or(u64::MAX);
        self.short = size.is_some_and(|size| left < size && size < UNKNOWN && left > 0);
        // If the stated size is too small, it was not updated, unless another file follows.
        let size = match size {
            Some(size)
                if size < left
                    && bytes.look(bytes.pos() + size, 64)?.is_some_and(|b| marks::mark(&b).is_some()) =>
            {
                size
            }
            _ => left,
        };
        self.format = Some(format);
        self.announced = true;
        self.place = Place::Samples(size);
        Ok(Event::Stream(Box::new(stream)))
    }

    /// Searches for the description of the samples after them.
    fn look_for_format(&mut self, bytes: &mut Bytes, size: u64) -> Result<()> {
        let mut at = bytes.pos().saturating_add(size).saturating_add(self.style.fill(size));
        for _ in 0..CHUNKS {
            let Some(found) = bytes.look(at, 160)? else { return Ok(()) };
            let Some(chunk) = self.style.read(&found) else { return Ok(()) };
            let content = &found[chunk.head as usize..];
            match &chunk.id {
                b"COMM" => self.format = format::aiff(content).ok(),
                b"fmt " => self.format = format::wav(content, self.style == Style::Rifx).ok(),
                _ => {}
            }
            if self.format.is_some() {
                return Ok(());
            }
            at = at.saturating_add(chunk.head + chunk.size + self.style.fill(chunk.size));
        }
        Ok(())
    }
}

impl Demux for Chunks {
    fn next(&mut self, bytes: &mut Bytes) -> Result<Event> {
        loop {
            match &mut self.place {
                Place::Front if self.au => return self.au(bytes),
                Place::Front => {
                    if bytes.peek(4)? == b"RIFX" {
                        self.style = Style::Rifx;
                    }
                    if let Some(head) = self.style.read(bytes.peek(24)?) {
                        self.whole = Some(bytes.pos() + head.head + head.size);
                    }
                    bytes.skip(if self.style == Style::Wave64 { 40 } else { 12 })?;
                    self.place = Place::Between;
                }
                Place::Between => {
                    let head = bytes.peek(64)?;
                    if head.len() < 8
                        || self.announced && (marks::marked(head) || marks::tag_length(head).is_some())
                    {
                        self.place = Place::Over;
                        continue;
                    }
                    let Some(chunk) = self.style.read(head) else {
                        if self.announced {
                            self.place = Place::Over;
                        } else if !find_chunk(bytes)? {
                            return Ok(self.nothing());
                        }
                        continue;
                    };
                    if chunk.id == *self.style.sound() {
                        return self.samples(bytes, &chunk);
                    }
                    if bytes.left().is_some_and(|left| chunk.head + chunk.size > left) && !self.announced {
                        // An impossible size before the samples: search for them.
                        bytes.skip(4)?;
                        if !find_chunk(bytes)? {
                            return Ok(self.nothing());
                        }
                        continue;
                    }
                    bytes.skip(chunk.head)?;
                    let said = self.chunk(bytes, &chunk)?;
                    bytes.skip(chunk.size)?;
                    self.fill(bytes, chunk.size)?;
                    if let Some(event) = said {
                        self.place = Place::Over;
                        return Ok(event);
                    }
                }
                Place::Samples(left) => {
                    let Some(Format { coding: Coding::Blocks { block, frames, .. }, .. }) = &self.format
                    else {
                        self.place = Place::Over;
                        continue;
                    };
                    let (block, frames) = (*block, *frames);
                    let piece = (PIECE / block).max(1) * block;
                    let take = usize::try_from(*left).unwrap_or(usize::MAX).min(piece);
                    let data = bytes.peek(take)?.to_vec();
                    bytes.skip(data.len() as u64)?;
                    let size = *left;
                    *left -= data.len() as u64;
                    let blocks = data.len() / block;
                    if *left == 0 || data.len() < take {
                        self.place = Place::Between;
                        self.fill(bytes, size)?;
                    }
                    if blocks > 0 {
                        let frames = blocks as u64 * frames;
                        let data = data[..blocks * block].to_vec();
                        return Ok(Event::Packet(Packet { data, frames, ..Packet::default() }));
                    }
                }
                Place::Inside(inside) => {
                    let (inside, frames) = &mut **inside;
                    match frames.next(inside)? {
                        Event::End => self.place = Place::Over,
                        event => return Ok(event),
                    }
                }
                Place::Over => {
                    return Ok(if std::mem::take(&mut self.short) { Event::Short } else { Event::End });
                }
            }
        }
    }
}

/// Searches up to a megabyte for the head of an important chunk.
fn find_chunk(bytes: &mut Bytes) -> Result<bool> {
    let window = bytes.peek(1 << 20)?;
    let found = window.windows(4).position(|w| matches!(w, b"fmt " | b"data" | b"COMM" | b"SSND"));
    if let Some(at) = found {
        bytes.skip(at as u64)?;
    }
    Ok(found.is_some())
}
