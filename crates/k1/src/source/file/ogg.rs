//! Ogg: pages with checksums, numbers and times. A damaged or missing page leaves a pause of the same length. A new group of
//! streams starts over.

use std::collections::VecDeque;
use std::io::Result;

use super::bytes::Bytes;
use super::flow::{Demux, Event, Packet, Refusal, Stream};
use super::{flac, marks, opus, tags, vorbis};

/// The longest page, in bytes.
const PAGE: usize = 27 + 255 + 255 * 255;
/// Largest number of pages that wait for an earlier one.
const WINDOW: usize = 8;
/// A page whose number is at most this far behind was already heard.
const BEHIND: u32 = 64;
/// The longest packet that is kept, in bytes.
const PACKET: usize = 4 << 20;

/// The remainders of every byte for the checksum of a page.
const CRC32: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let (mut c, mut n) = ((i as u32) << 24, 0);
        while n < 8 {
            c = if c & 0x8000_0000 != 0 { c << 1 ^ 0x04c1_1db7 } else { c << 1 };
            n += 1;
        }
        table[i] = c;
        i += 1;
    }
    table
};

/// A page.
struct Page {
    continued: bool,
    first: bool,
    last: bool,
    granule: i64,
    serial: u32,
    number: u32,
    lacing: Vec<u8>,
    body: Vec<u8>,
}

impl Page {
    /// The page at the front of `window`, and its length, if its checksum is right.
    fn read(window: &[u8]) -> Option<(Self, usize)> {
        if !window.starts_with(b"OggS\0") {
            return None;
        }
        let four = |at: usize| window.get(at..at + 4).map(|b| [b[0], b[1], b[2], b[3]]);
        let flags = *window.get(5)?;
        let granule = [four(6)?, four(10)?].concat();
        let granule = i64::from_le_bytes(granule.try_into().ok()?);
        let lacing = window.get(27..27 + usize::from(*window.get(26)?))?;
        let start = 27 + lacing.len();
        let length = start + lacing.iter().map(|n| usize::from(*n)).sum::<usize>();
        let all = window.get(..length)?;
        let crc = all.iter().enumerate().fold(0_u32, |crc, (at, b)| {
            let b = if (22..26).contains(&at) { 0 } else { *b };
            crc << 8 ^ CRC32[usize::from((crc >> 24) as u8 ^ b)]
        });
        (u32::from_le_bytes(four(22)?) == crc).then(|| {
            let page = Self {
                continued: flags & 1 != 0,
                first: flags & 2 != 0,
                last: flags & 4 != 0,
                granule,
                serial: u32::from_le_bytes(four(14).unwrap_or_default()),
                number: u32::from_le_bytes(four(18).unwrap_or_default()),
                lacing: lacing.to_vec(),
                body: all[start..].to_vec(),
            };
            (page, length)
        })
    }
}

/// Content of a logical stream.
enum Mapping {
    /// Vorbis; holds its first header.
    Vorbis(Vec<u8>),
    /// Opus packets.
    Opus(Stream),
    /// FLAC packets.
    Flac(Stream),
}

impl Mapping {
    /// Recognises a stream by its first packet; an error names a format that K1 cannot decode.
    fn recognise(packet: &[u8]) -> std::result::Result<Self, Option<&'static str>> {
        if packet.starts_with(b"\x01vorbis") {
            return Ok(Self::Vorbis(packet.to_vec()));
        }
        if packet.starts_with(b"OpusHead") {
            return opus::stream(packet, true)
                .map(Self::Opus)
                .ok_or(Some("Opus with a rare channel mapping"));
        }
        if packet.starts_with(b"\x7fFLAC") && packet.len() >= 51 {
            let info = &packet[17..51];
            let rate = u32::from(info[10]) << 12 | u32::from(info[11]) << 4 | u32::from(info[12] >> 4);
            return Ok(Self::Flac(flac::stream(rate, (info[12] >> 1 & 7) + 1, info)));
        }
        let names: [(&[u8], &str); 4] = [
            (b"Speex   ", "Speex"),
            (b"PCM     ", "OggPCM"),
            (b"CELT    ", "CELT"),
            (b"\x00\x00\x00\x00midi", "MIDI"),
        ];
        Err(names.iter().find(|(mark, _)| packet.starts_with(mark)).map(|(_, name)| *name))
    }
}

/// The current logical stream.
struct Logical {
    serial: u32,
    mapping: Mapping,
    /// Number of headers still to come before the sound.
    headers: u32,
    /// Number of the next page.
    number: u32,
    /// Pages that came too early in the file, by number.
    early: Vec<Page>,
    /// The latest time of a page so far.
    latest: i64,
    /// Number of consecutive pages with an earlier time.
    behind: usize,
    /// The beginning of a packet whose end is on a later page.
    part: Vec<u8>,
    /// True if the beginning was too long to be kept.
    dropped: bool,
    /// True if the stream ended properly.
    ended: bool,
}

/// Parser of an Ogg file.
#[derive(Default)]
pub struct Ogg {
    now: Option<Logical>,
    /// True while pages that begin streams may follow. They come together, before the sound.
    group: bool,
    foreign: Option<&'static str>,
    /// Index of the stream to be heard.
    wanted: usize,
    /// Number of sound streams in this group so far.
    pub seen: usize,
    headless: bool,
    ready: VecDeque<Event>,
}

impl Ogg {
    /// A parser for one of several parallel sound streams, by index from 0.
    pub fn new(wanted: usize) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Handles a page that begins a stream.
    fn begin(&mut self, page: &Page) {
        if !self.group {
            self.release(0);
            self.group = true;
            if let Some(now) = self.now.take()
                && !now.ended
                && now.headers == 0
            {
                self.ready.push_back(Event::Lost { frames: 0, why: "the end of a stream is missing" });
            }
            (self.seen, self.foreign) = (0, None);
        }
        match Mapping::recognise(&page.body) {
            Ok(mapping) => {
                self.seen += 1;
                if self.now.is_none() || self.seen == self.wanted + 1 {
                    let headers = match &mapping {
                        Mapping::Vorbis(_) => 2,
                        Mapping::Opus(_) => 1,
                        Mapping::Flac(_) => u32::MAX,
                    };
                    self.now = Some(Logical {
                        serial: page.serial,
                        mapping,
                        headers,
                        number: page.number.wrapping_add(1),
                        early: Vec::new(),
                        latest: -1,
                        behind: 0,
                        part: Vec::new(),
                        dropped: false,
                        ended: false,
                    });
                }
            }
            Err(name) => self.foreign = self.foreign.or(name),
        }
    }

    /// Handles any other page, in order of number.
    fn sort(&mut self, page: Page) {
        if std::mem::take(&mut self.group) {
            match (&self.now, self.foreign) {
                (Some(Logical { mapping: Mapping::Opus(stream) | Mapping::Flac(stream), .. }), _) => {
                    self.ready.push_back(stream_event(stream.clone()));
                }
                (None, Some(name)) => self.ready.push_back(Event::Foreign(Refusal::codec(name))),
                _ => {}
            }
        }
        let Some(now) = self.now.as_mut().filter(|now| now.serial == page.serial) else {
            if self.now.is_none() && self.foreign.is_none() {
                self.headless = true;
            }
            return;
        };
        let behind = now.number.wrapping_sub(page.number);
        let heard = (1..=BEHIND).contains(&behind) && page.granule <= now.latest;
        if heard || now.early.iter().any(|other| other.number == page.number) {
            return;
        }
        if page.number == now.number {
            self.take(&page);
        } else if page.number.wrapping_sub(now.number) > BEHIND {
            // The number is too far away; nothing will fill the gap.
            self.release(0);
            self.take(&page);
        } else {
            now.early.push(page);
        }
        self.release(WINDOW);
    }

    /// Handles early pages that are next now, and further ones until at most `most` are left.
    fn release(&mut self, most: usize) {
        while let Some(now) = &mut self.now {
            let number = now.number;
            let next = (0..now.early.len()).min_by_key(|i| now.early[*i].number.wrapping_sub(number));
            let Some(next) = next.filter(|i| now.early.len() > most || now.early[*i].number == number) else {
                return;
            };
            let page = now.early.swap_remove(next);
            self.take(&page);
        }
    }

    /// Handles a page of the current stream.
    fn take(&mut self, page: &Page) {
        let Some(now) = &mut self.now else { return };
        let missing = now.number != page.number;
        now.number = page.number.wrapping_add(1);
        if missing {
            now.part.clear();
            now.dropped = false;
            if now.headers == 0 {
                self.ready.push_back(Event::Lost { frames: 0, why: "a part of the file is missing" });
            }
        }
        // The rest of a packet whose beginning is lost.
        let mut torn = page.continued && now.part.is_empty() && !now.dropped;
        if !page.continued {
            now.part.clear();
            now.dropped = false;
        }
        let (mut at, mut completed) = (0, false);
        let mut packet = 0;
        for (i, length) in page.lacing.iter().enumerate() {
            packet += usize::from(*length);
            let closed = *length < 255;
            if !closed && i + 1 < page.lacing.len() {
                continue;
            }
            let piece = &page.body[at..at + packet];
            at += packet;
            packet = 0;
            // A comment may hold pictures of any size; keep only its signature.
            let comment = now.headers > 1 && matches!(now.mapping, Mapping::Vorbis(_))
                || now.headers == 1 && matches!(now.mapping, Mapping::Opus(_))
                || now.headers == u32::MAX && now.part.first().or(piece.first()) != Some(&0xff);
            if comment && now.part.len() >= 64 || now.part.len() + piece.len() > PACKET {
                now.dropped = true;
            } else if !torn {
                let most = if comment { piece.len().min(64) } else { piece.len() };
                now.part.extend_from_slice(&piece[..most]);
            }
            if closed {
                let data = std::mem::take(&mut now.part);
                let whole = !std::mem::take(&mut torn);
                let dropped = std::mem::take(&mut now.dropped);
                if whole && (!dropped || now.headers > 0) {
                    completed |= now.headers == 0;
                    if let Some(event) = now.packet(data) {
                        completed |= matches!(event, Event::Packet(_));
                        self.ready.push_back(event);
                    }
                } else {
                    completed |= now.headers == 0;
                }
            }
        }
        now.ended |= page.last;
        if now.headers == 0 && (completed || page.last) && page.granule >= 0 {
            // Accept a time that runs backwards only if several pages agree.
            if page.granule < now.latest && !page.last && now.behind < WINDOW {
                now.behind += 1;
                return;
            }
            (now.latest, now.behind) = (page.granule, 0);
            let frame = page.granule as u64;
            self.ready.push_back(Event::Until { frame, last: page.last });
        }
    }
}

impl Logical {
    /// Handles a whole packet.
    fn packet(&mut self, data: Vec<u8>) -> Option<Event> {
        if self.headers > 0 {
            match &self.mapping {
                Mapping::Vorbis(first) => {
                    self.headers -= 1;
                    if self.headers > 0 {
                        return None;
                    }
                    let stream = vorbis::stream(first, &data);
                    if stream.is_none() {
                        self.headers = u32::MAX;
                    }
                    return Some(match stream {
                        Some(stream) => stream_event(stream),
                        None => {
                            Event::Foreign(Refusal::broken("it is an Ogg Vorbis file with damaged headers"))
                        }
                    });
                }
                Mapping::Opus(_) => {
                    self.headers -= 1;
                    // The comment may be missing.
                    if data.starts_with(b"OpusTags") {
                        return None;
                    }
                }
                Mapping::Flac(_) => {
                    if data.first() != Some(&0xff) {
                        return None;
                    }
                    self.headers = 0;
                }
            }
        }
        let header = match &self.mapping {
            Mapping::Vorbis(_) => data.first().is_none_or(|b| b & 1 != 0),
            Mapping::Opus(_) => data.is_empty(),
            Mapping::Flac(_) => data.first() != Some(&0xff),
        };
        (!header).then(|| Event::Packet(Packet { data, ..Packet::default() }))
    }
}

/// A stream whose pages give its time.
fn stream_event(stream: Stream) -> Event {
    Event::Stream(Box::new(Stream { paged: true, ..stream }))
}

impl Demux for Ogg {
    fn next(&mut self, bytes: &mut Bytes) -> Result<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            let window = bytes.peek(PAGE)?;
            if window.is_empty() {
                self.release(0);
                if !self.ready.is_empty() {
                    continue;
                }
                let cut = self.now.take_if(|now| !now.ended).is_some();
                if std::mem::take(&mut self.headless) {
                    return Ok(Event::Foreign(Refusal::broken(
                        "it is an Ogg file without its beginning, which a decoder needs",
                    )));
                }
                return Ok(if cut { Event::Short } else { Event::End });
            }
            if let Some((page, length)) = Page::read(window) {
                bytes.skip(length as u64)?;
                if page.first {
                    self.begin(&page);
                } else {
                    self.sort(page);
                }
                continue;
            }
            if !window.starts_with(b"OggS") {
                if tags::skip(bytes)? > 0 {
                    continue;
                }
                // Sound of another kind may follow after the end of the stream.
                let over = self.now.as_ref().is_none_or(|now| now.ended);
                if over && marks::marked(bytes.peek(64)?) {
                    return Ok(Event::End);
                }
                if over && self.now.is_some() {
                    return Ok(Event::End);
                }
            }
            // Half a page, a page with a wrong checksum, or other bytes: search for the next page. Its number will show
            // what is missing.
            bytes.skip(1)?;
            loop {
                let window = bytes.peek(PAGE)?;
                let found = window.windows(5).position(|w| w == b"OggS\0");
                let step = found.unwrap_or(window.len().saturating_sub(4).max(1).min(window.len()));
                bytes.skip(step as u64)?;
                if found.is_some() || bytes.peek(1)?.is_empty() {
                    break;
                }
            }
        }
    }
}
