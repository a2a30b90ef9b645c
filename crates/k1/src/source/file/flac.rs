//! FLAC. Frames are found by their headers and verified by their checksums. Each frame states its position in the sound, so
//! that a lost frame leaves a pause of the same length. Counts in the file's header are only hints.

use std::io::Result;

use symphonia::core::audio::{Channels, Position};
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_FLAC;

use super::bytes::{Bytes, FAR};
use super::decode::Decoder;
use super::flow::{Demux, Event, Packet, Stream};
use super::{chain, marks, tags};

/// Number of bytes needed to recognise the content at a place.
const AHEAD: usize = 26 * 1024;
/// Largest number of places where a frame may end by its checksum.
const ENDS: usize = 64;
/// Number of bytes after an overwritten head that must contain two frames.
const REACH: usize = 256 * 1024;
/// Length of the STREAMINFO block, in bytes.
const INFO: usize = 34;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    /// True if `number` counts samples rather than frames.
    by_sample: bool,
    block: u64,
    rate: Option<u32>,
    channels: u8,
    bits: Option<u8>,
    number: u64,
    bytes: usize,
}

impl Head {
    fn read(b: &[u8]) -> Option<Self> {
        let [0xff, second, sizes, kind, ..] = *b else { return None };
        if second & 0xfe != 0xf8 || kind & 1 != 0 {
            return None;
        }
        let lead = (*b.get(4)?).leading_ones() as usize;
        let more = match lead {
            0 => 0,
            2..=7 => lead - 1,
            _ => return None,
        };
        let mut number = u64::from(b[4]) & (0x7f >> lead.min(7));
        for x in b.get(5..5 + more)? {
            if x & 0xc0 != 0x80 {
                return None;
            }
            number = number << 6 | u64::from(x & 0x3f);
        }
        let mut at = 5 + more;
        let mut take = |n: usize| {
            let value = b.get(at..at + n)?.iter().fold(0_u32, |v, x| v << 8 | u32::from(*x));
            at += n;
            Some(value)
        };
        let block = match sizes >> 4 {
            0 => return None,
            1 => 192,
            n @ 2..=5 => 576 << (n - 2),
            6 => take(1)? + 1,
            7 => take(2)? + 1,
            n => 256 << (n - 8),
        };
        let rate = match sizes & 15 {
            0 => None,
            n @ 1..=11 => Some(
                [88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]
                    [usize::from(n) - 1],
            ),
            12 => Some(take(1)? * 1000),
            13 => Some(take(2)?),
            14 => Some(take(2)? * 10),
            _ => return None,
        };
        let channels = match kind >> 4 {
            n @ 0..=7 => n + 1,
            8..=10 => 2,
            _ => return None,
        };
        let bits = match kind >> 1 & 7 {
            0 => None,
            3 => return None,
            n => Some([8, 12, 0, 16, 20, 24, 32][usize::from(n) - 1]),
        };
        let head = b.get(..at)?;
        (crc8(head) == *b.get(at)?).then_some(Self {
            by_sample: second & 1 == 1,
            block: u64::from(block),
            rate,
            channels,
            bits,
            number,
            bytes: at + 1,
        })
    }

    /// True if the other may follow in the same stream.
    fn fits(&self, other: &Self) -> bool {
        (self.by_sample, self.rate, self.channels, self.bits)
            == (other.by_sample, other.rate, other.channels, other.bits)
    }
}

fn crc8(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0, |crc, b| (0..8).fold(crc ^ b, |c: u8, _| if c & 0x80 != 0 { c << 1 ^ 0x07 } else { c << 1 }))
}

/// The remainders of every byte for the checksum of a frame.
const CRC16: [u16; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let (mut c, mut n) = ((i as u16) << 8, 0);
        while n < 8 {
            c = if c & 0x8000 != 0 { c << 1 ^ 0x8005 } else { c << 1 };
            n += 1;
        }
        table[i] = c;
        i += 1;
    }
    table
};

/// Parser of a FLAC file.
#[derive(Default)]
pub struct Flac {
    started: bool,
    /// The STREAMINFO block.
    info: Vec<u8>,
    max_frame: usize,
    /// Samples per frame, if headers count frames rather than samples; 0 if it is unknown.
    fixed: u64,
    /// Number of the next sample.
    next: Option<u64>,
    got: u64,
    total: u64,
    /// A frame of the current stream.
    now: Option<Head>,
    /// True if the file's head is lost, including everything before the first frame.
    headless: bool,
}

/// End of a frame.
enum End {
    /// After this many bytes, with a right checksum.
    Whole(usize),
    /// After this many bytes, where the next frame begins, with a wrong checksum.
    Damaged(usize),
    /// The end was not found.
    Lost,
}

impl Flac {
    /// Searches for frames after `zeros` that have overwritten the head of a file, and moves to the first one. The frames
    /// must state everything that the head would have stated.
    pub fn headless(bytes: &mut Bytes, zeros: u64) -> Result<Option<Self>> {
        let from = zeros as usize;
        let window = bytes.peek((from + REACH).min(FAR))?;
        // Zeros before an intact file, or pages whose frames alone are not the sound.
        if (0..=3).any(|n| marks::mark(&window[from - n..]).is_some())
            || marks::tag_length(&window[from..]).is_some()
            || window.windows(5).any(|w| w == b"OggS\0")
        {
            return Ok(None);
        }
        let heads = |from: usize| {
            let starts = move |at: &usize| window[*at] == 0xff;
            (from..window.len()).filter(starts).filter_map(|at| Some((at, Head::read(&window[at..])?)))
        };
        let found = heads(from).find(|(at, head)| {
            let next = head.number + if head.by_sample { head.block } else { 1 };
            let speaks = head.rate.is_some() && head.bits.is_some();
            speaks && heads(at + head.bytes).any(|(_, other)| other.fits(head) && other.number == next)
        });
        let Some((at, _)) = found else { return Ok(None) };
        bytes.skip(at as u64)?;
        Ok(Some(Self { started: true, info: vec![0; INFO], headless: true, ..Self::default() }))
    }

    /// Reads the head of the file. Only STREAMINFO matters; the rest is skipped, whatever its size.
    fn head(&mut self, bytes: &mut Bytes) -> Result<()> {
        bytes.skip(4)?;
        self.info = vec![0; INFO];
        loop {
            let block = bytes.peek(4 + INFO)?;
            let [kind, a, b, c, rest @ ..] = block else { break };
            if *kind == 0xff {
                break;
            }
            let length = u64::from(*a) << 16 | u64::from(*b) << 8 | u64::from(*c);
            if kind & 0x7f == 0 && rest.len() >= INFO {
                self.info = rest[..INFO].to_vec();
            }
            let last = kind & 0x80 != 0;
            if bytes.left().is_some_and(|left| 4 + length > left) {
                // The length reaches beyond the file: search for frames from here on.
                bytes.skip(4)?;
                break;
            }
            bytes.skip(4 + length)?;
            if last {
                break;
            }
        }
        let be =
            |from: usize, to: usize| self.info[from..to].iter().fold(0_u64, |v, b| v << 8 | u64::from(*b));
        self.fixed = if be(0, 2) == be(2, 4) { be(0, 2) } else { 0 };
        self.max_frame = be(7, 10) as usize;
        self.total = be(13, 18) & 0xf_ffff_ffff;
        Ok(())
    }

    /// The stream that begins with a frame. The frame's own header has precedence over the file's head.
    fn stream(&self, head: &Head) -> Option<Stream> {
        let be =
            |from: usize, to: usize| self.info[from..to].iter().fold(0_u64, |v, b| v << 8 | u64::from(*b));
        let rate = head.rate.unwrap_or((be(10, 13) >> 4) as u32);
        let bits = head.bits.map_or((be(12, 14) >> 4 & 31) + 1, u64::from);
        if rate == 0 || rate >= 1 << 20 || bits < 4 {
            return None;
        }
        let mut info = self.info.clone();
        let word = u64::from(rate) << 44 | u64::from(head.channels - 1) << 41 | (bits - 1) << 36;
        info[10..18].copy_from_slice(&word.to_be_bytes());
        let mut stream = stream(rate, head.channels, &info);
        stream.length = Some(self.total).filter(|n| *n > 0);
        Some(stream)
    }

    /// Finds the end of the frame that begins here.
    fn end(&self, bytes: &mut Bytes, head: &Head) -> Result<End> {
        let most =
            (head.block as usize * usize::from(head.channels) * 5 + 512).max(self.max_frame + 64).min(FAR);
        let (mut crc, mut at, mut reach) = (0_u16, 0, 64 * 1024);
        // A frame before junk is whole, too, but a checksum alone may match by accident.
        let mut ends = Vec::new();
        loop {
            let window = bytes.peek(reach)?;
            let ended = window.len() < reach;
            // Each place must be followed by enough bytes to recognise what begins there.
            let to = if ended { window.len() } else { window.len() - AHEAD };
            while at < to {
                crc = crc << 8 ^ CRC16[usize::from((crc >> 8) as u8 ^ window[at])];
                at += 1;
                if at < head.bytes + 2 {
                    continue;
                }
                let rest = &window[at..];
                if crc == 0
                    && (rest.is_empty()
                        || Head::read(rest).is_some()
                        || other(rest)
                        || marks::tag_length(rest).is_some())
                {
                    return Ok(End::Whole(at));
                }
                if crc == 0 && ends.len() < ENDS {
                    ends.push(at);
                }
                if rest.len() > 1
                    && rest[0] == 0xff
                    && rest[1] & 0xfe == 0xf8
                    && let Some(next) = Head::read(rest)
                    && next.fits(head)
                    && next.number > head.number
                    && next.number - head.number < 1 << 22
                {
                    let whole = self.proven(head, window, &ends);
                    return Ok(whole.map_or(End::Damaged(at), End::Whole));
                }
            }
            if ended || reach >= most {
                if ended && crc == 0 && at > head.bytes {
                    return Ok(End::Whole(at));
                }
                return Ok(self.proven(head, window, &ends).map_or(End::Lost, End::Whole));
            }
            reach = (reach * 4).min(most.max(reach + 1024)).min(FAR);
        }
    }

    /// The first of `places` up to which the frame at the start of `window` can be decoded.
    fn proven(&self, head: &Head, window: &[u8], ends: &[usize]) -> Option<usize> {
        if ends.is_empty() {
            return None;
        }
        let stream = self.stream(head)?;
        ends.iter().copied().find(|end| {
            let packet = Packet { data: window[..*end].to_vec(), frames: head.block, ..Packet::default() };
            let decoded = Decoder::new(&stream).ok();
            decoded.is_some_and(|mut decoder| decoder.decode(&packet).is_some())
        })
    }

    /// Number of the first sample of a frame.
    fn first(&self, head: &Head) -> u64 {
        if head.by_sample {
            return head.number;
        }
        let fixed = if self.fixed > 0 { self.fixed } else { self.now.map_or(head.block, |l| l.block) };
        head.number.saturating_mul(fixed)
    }

    fn short(&self) -> bool {
        // Frames lost on the way do not mean that the end is missing.
        let reached = self.got.max(self.next.unwrap_or(0));
        // An absurd count is wrong; it does not mean that the file was truncated.
        self.total > reached && self.total < self.got.saturating_mul(1000)
    }

    /// True if this is exactly the end of the sound by the file's head.
    fn is_whole(&self) -> bool {
        self.total > 0 && self.next == Some(self.total)
    }
}

impl Demux for Flac {
    fn next(&mut self, bytes: &mut Bytes) -> Result<Event> {
        if !self.started {
            self.started = true;
            self.head(bytes)?;
        }
        let window = bytes.peek(64)?;
        if window.is_empty() {
            return Ok(if self.short() { Event::Short } else { Event::End });
        }
        let Some(head) = Head::read(window) else {
            if tags::skip(bytes)? > 0 {
                return self.next(bytes);
            }
            if other(bytes.peek(32 * 1024)?) {
                return Ok(Event::End);
            }
            return self.search(bytes);
        };
        if self.now.is_none_or(|now| !now.fits(&head)) {
            if matches!(self.end(bytes, &head)?, End::Whole(_))
                && let Some(stream) = self.stream(&head)
            {
                (self.now, self.next) = (Some(head), None);
                return Ok(Event::Stream(Box::new(stream)));
            }
            bytes.skip(1)?;
            return self.search(bytes);
        }
        let first = self.first(&head);
        if std::mem::take(&mut self.headless) && first > 0 {
            return Ok(Event::Front { frames: first });
        }
        if let Some(next) = self.next.filter(|next| first > *next) {
            // In junk, accidents look like headers.
            if matches!(self.end(bytes, &head)?, End::Lost) {
                bytes.skip(1)?;
                return self.search(bytes);
            }
            self.next = Some(first);
            return Ok(Event::Lost { frames: first - next, why: "frames are missing" });
        }
        match self.end(bytes, &head)? {
            End::Whole(n) => {
                let data = bytes.peek(n)?.to_vec();
                bytes.skip(n as u64)?;
                self.next = Some(first + head.block);
                self.got += head.block;
                Ok(Event::Packet(Packet { data, frames: head.block, ..Packet::default() }))
            }
            End::Damaged(n) => {
                bytes.skip(n as u64)?;
                self.next = Some(first + head.block);
                self.got += head.block;
                Ok(Event::Lost { frames: head.block, why: "a checksum is wrong" })
            }
            End::Lost => {
                let ended = bytes.left().is_some_and(|left| left < FAR as u64) && self.next.is_some();
                bytes.skip(1)?;
                let lost = self.search(bytes)?;
                // Half a frame at the end of the file means that the file was truncated.
                Ok(if ended && bytes.peek(1)?.is_empty() && !self.is_whole() { Event::Short } else { lost })
            }
        }
    }
}

impl Flac {
    /// Moves to the next frame, or to where something else begins.
    fn search(&mut self, bytes: &mut Bytes) -> Result<Event> {
        loop {
            let window = bytes.peek(64 * 1024 + 64)?;
            let ended = window.len() <= 64 * 1024;
            let reach = window.len().min(64 * 1024);
            let found = (0..reach).find(|&at| {
                let rest = &window[at..];
                match rest[0] {
                    0xff => Head::read(rest).is_some() || other(rest),
                    _ => marks::marked(rest) || rest.starts_with(b"ID3") && marks::tag_length(rest).is_some(),
                }
            });
            bytes.skip(found.unwrap_or(reach) as u64)?;
            if found.is_some() && self.is_whole() {
                // Junk after the end that looks like a header by accident.
                return Ok(Event::Later { frames: 0 });
            }
            if found.is_some() {
                // The next frame's number will show how much is missing.
                return Ok(Event::Lost { frames: 0, why: "bytes that are not sound" });
            }
            if ended {
                return Ok(if self.short() { Event::Short } else { Event::End });
            }
        }
    }
}

/// True if sound of another kind begins here.
fn other(bytes: &[u8]) -> bool {
    marks::marked(bytes) || bytes.first() == Some(&0xff) && chain::chained_in(bytes, 3).is_some()
}

/// The usual layouts of one to eight channels.
fn layout(n: u8) -> Channels {
    let front = Position::FRONT_LEFT | Position::FRONT_RIGHT;
    let rear = Position::REAR_LEFT | Position::REAR_RIGHT;
    let side = Position::SIDE_LEFT | Position::SIDE_RIGHT;
    let (centre, low) = (Position::FRONT_CENTER, Position::LFE1);
    Channels::Positioned(match n {
        1 => Position::FRONT_LEFT,
        2 => front,
        3 => front | centre,
        4 => front | rear,
        5 => front | centre | rear,
        6 => front | centre | low | rear,
        7 => front | centre | low | Position::REAR_CENTER | side,
        8 => front | centre | low | rear | side,
        n => return Channels::Discrete(u16::from(n)),
    })
}

/// The stream that a STREAMINFO block describes.
pub fn stream(rate: u32, channels: u8, info: &[u8]) -> Stream {
    let mut info = info.to_vec();
    // Any block length, any frame size, unknown number of samples, no checksum of the whole.
    info[..10].copy_from_slice(&[0, 16, 0xff, 0xff, 0, 0, 0, 0, 0, 0]);
    info[13] &= 0xf0;
    info[14..].fill(0);
    let mut codec = AudioCodecParameters::new();
    codec
        .for_codec(CODEC_ID_FLAC)
        .with_sample_rate(rate)
        .with_channels(layout(channels))
        .with_extra_data(info.into_boxed_slice());
    Stream { exact: true, ..Stream::new(codec, "FLAC") }
}
