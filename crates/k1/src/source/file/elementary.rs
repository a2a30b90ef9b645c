//! Frames without a container: MPEG audio and AAC in ADTS. A frame counts if others of its kind follow it. Tags between
//! frames are skipped; other bytes are searched for the next frames.

use std::io::Result;

use symphonia::core::audio::Channels;
use symphonia::core::audio::layouts::{CHANNEL_LAYOUT_MONO, CHANNEL_LAYOUT_STEREO};
use symphonia::core::codecs::audio::AudioCodecParameters;

use super::bytes::Bytes;
use super::chain::{chained, chained_in};
use super::flow::{Demux, Event, Packet, Stream};
use super::frame::{Head, Kind};
use super::{adts, chain, marks, mpeg, tags};

/// Number of consecutive frames of one kind before the first one counts.
const CHAIN: usize = 3;
/// Number of bytes after which a search looks for other kinds of sound.
const STRIDE: usize = 32 * 1024;

/// Moves to the next credible frame, to other sound, to the end of the file, or by `most` bytes. Returns the number of bytes
/// passed.
pub fn search(bytes: &mut Bytes, most: u64) -> Result<u64> {
    let from = bytes.pos();
    loop {
        if bytes.pos() - from >= most {
            return Ok(bytes.pos() - from);
        }
        let window = bytes.peek(STRIDE + (CHAIN + 1) * 8192)?;
        let reach = window.len().min(STRIDE);
        let ended = window.len() <= STRIDE;
        let found = (0..reach).find(|&at| {
            let here = &window[at..];
            match here[0] {
                0xff => chained_in(here, CHAIN).is_some(),
                b'I' => here.starts_with(b"ID3") && marks::tag_length(here).is_some(),
                _ => marks::marked(here),
            }
        });
        match found {
            Some(at) => {
                bytes.skip(at as u64)?;
                return Ok(bytes.pos() - from);
            }
            None => {
                bytes.skip(reach as u64)?;
                if ended {
                    return Ok(bytes.pos() - from);
                }
            }
        }
    }
}

/// Parser of such frames.
#[derive(Default)]
pub struct Frames {
    /// The current stream.
    now: Option<Head>,
    /// Bytes and frames of the stream so far, to estimate the length of lost bytes.
    bytes: u64,
    frames: u64,
    /// Number of further frames by the file's own count, and the expected end of its sound.
    promised_end: Option<u64>,
    /// A packet that waits until the beginning of its stream has been reported.
    waiting: Option<Packet>,
    /// Number of overwritten bytes of sound before the first frame, and their length in frames.
    lost: u64,
    front: Option<u64>,
    /// True if sound begins here, rather than in the middle of a recording.
    fresh: bool,
    started: bool,
}

impl Frames {
    /// A parser for a file whose first `lost` bytes were overwritten.
    pub fn behind(lost: u64) -> Self {
        Self { lost, ..Self::default() }
    }

    /// Takes the frame at this place.
    fn take(&mut self, bytes: &mut Bytes, head: Head) -> Result<Event> {
        let data = bytes.peek(head.bytes)?.to_vec();
        let at = bytes.pos();
        bytes.skip(data.len() as u64)?;
        if data.len() < head.bytes {
            return Ok(Event::Short);
        }
        let begins = self.now.is_none_or(|now| !now.fits(&head));
        // A header frame that counts others begins a new stream, even in the middle of a file.
        if let Kind::Mpeg(3) = head.kind
            && let Some(info) = mpeg::info(&data, &head)
        {
            self.promised_end = info.bytes.map(|n| at + u64::from(n));
            let (delay, tail) = info.trim.unwrap_or((mpeg::DELAY, 0));
            let next = chained(bytes, 1)?.filter(|next| next.fits(&head)).unwrap_or(head);
            let mut stream = stream(&next).trimmed(delay, tail);
            stream.length = info.frames.map(|n| (u64::from(n) * head.frames).saturating_sub(delay + tail));
            self.begin(next);
            return Ok(Event::Stream(Box::new(stream)));
        }
        let packet = |data: &[u8]| Packet {
            data: match head.kind {
                Kind::Mpeg(_) => data.to_vec(),
                Kind::Adts => data[head.header..].to_vec(),
            },
            frames: head.frames,
            ..Packet::default()
        };
        if begins {
            let delay = match head.kind {
                Kind::Mpeg(3) if self.lost > 0 || mpeg::reservoir(&data, &head) == 0 => mpeg::DELAY,
                Kind::Mpeg(3) => 0,
                Kind::Mpeg(_) => mpeg::POLYPHASE,
                Kind::Adts => adts::PRIMING,
            };
            let delay = if self.fresh { delay } else { 0 };
            let mut stream = stream(&head).trimmed(delay, 0);
            stream.length =
                bytes.left().map(|left| (left + head.bytes as u64) / head.bytes as u64 * head.frames);
            self.begin(head);
            self.waiting = Some(packet(&data));
            self.count(&head);
            let lost = std::mem::take(&mut self.lost);
            if lost > 0 {
                self.front = Some((lost as f64 / average(bytes, &head)?).round() as u64 * head.frames);
            }
            return Ok(Event::Stream(Box::new(stream)));
        }
        self.count(&head);
        Ok(Event::Packet(packet(&data)))
    }

    fn begin(&mut self, head: Head) {
        self.now = Some(head);
        (self.bytes, self.frames) = (0, 0);
    }

    fn count(&mut self, head: &Head) {
        self.bytes += head.bytes as u64;
        self.frames += head.frames;
    }

    /// Estimated time of lost bytes, in frames: whole frames of the average length.
    fn worth(&self, lost: u64) -> u64 {
        let Some(now) = self.now.filter(|_| self.frames > 0) else { return 0 };
        let average = self.bytes as f64 * now.frames as f64 / self.frames as f64;
        (lost as f64 / average).round() as u64 * now.frames
    }
}

impl Demux for Frames {
    fn next(&mut self, bytes: &mut Bytes) -> Result<Event> {
        if let Some(frames) = self.front.take() {
            return Ok(Event::Front { frames });
        }
        if let Some(packet) = self.waiting.take() {
            return Ok(Event::Packet(packet));
        }
        if !self.started {
            self.started = true;
            self.fresh = true;
        }
        // The next frame of the same stream needs no other proof; its length leads to the next frame or the end.
        let expected = self.now.and_then(|now| {
            let head = chain::head(bytes.peek(16).ok()?)?;
            head.fits(&now).then_some(head)
        });
        if let Some(head) = expected {
            let window = bytes.peek(head.bytes + 2 * 8192)?;
            let after = window.get(head.bytes..).unwrap_or_default();
            let sound = after.len() < 9
                || chain::head(after).is_some()
                || marks::tag_length(after).is_some()
                || marks::marked(after);
            // If frames begin inside it, it was cut off or its length is wrong; otherwise it is the last one before junk.
            let whole = after.len() < 16 || !(1..head.bytes).any(|at| chained_in(&window[at..], 2).is_some());
            if sound || whole {
                return self.take(bytes, head);
            }
        }
        if tags::skip(bytes)? > 0 {
            self.fresh = true;
            if bytes.peek(1)?.is_empty() {
                return self.end(bytes);
            }
            if chained(bytes, CHAIN)?.is_none() {
                return Ok(Event::End);
            }
        }
        if let Some(head) = chained(bytes, CHAIN)? {
            return self.take(bytes, head);
        }
        if bytes.peek(1)?.is_empty() || marks::marked(bytes.peek(64)?) {
            return self.end(bytes);
        }
        // Anything may follow the very last frame.
        let before = bytes.pos();
        let lost = search(bytes, u64::MAX)?;
        self.fresh = false;
        let ended = bytes.peek(1)?.is_empty();
        // At the end by the file's own count, nothing is missing.
        let most = self.now.map_or(0, |now| 2 * now.bytes as u64);
        if self.promised_end.is_some_and(|end| end.abs_diff(before) <= most) {
            self.promised_end = None;
            return Ok(Event::End);
        }
        if ended {
            let cut = self.promised_end.is_some_and(|end| before < end);
            // Some writers leave less than a second of other bytes after the last frame.
            let frames = self.worth(lost);
            let rate = self.now.map_or(1, |now| u64::from(now.rate));
            return Ok(if cut {
                Event::Short
            } else if frames < rate {
                Event::End
            } else {
                LOST(frames)
            });
        }
        Ok(LOST(self.worth(lost)))
    }
}

/// Mean length of frames in bytes: `first` and those that follow at this place.
fn average(bytes: &mut Bytes, first: &Head) -> Result<f64> {
    let window = bytes.peek(2 * STRIDE)?;
    let (mut at, mut n) = (0, 1);
    while let Some(head) = window.get(at..).and_then(chain::head).filter(|head| head.fits(first)) {
        (at, n) = (at + head.bytes, n + 1);
    }
    Ok((first.bytes + at) as f64 / f64::from(n))
}

/// Sound that could not be found.
const LOST: fn(u64) -> Event = |frames| Event::Lost { frames, why: "bytes that are not sound" };

impl Frames {
    /// Ends the frames; the end is too early if the file states more of them.
    fn end(&mut self, bytes: &Bytes) -> Result<Event> {
        let promised = self.promised_end.take();
        let ends = bytes.left() == Some(0);
        // An absurd count is wrong; it does not mean that the file was truncated.
        let short = ends
            && promised.is_some_and(|end| end > bytes.pos() + 16 && end < bytes.pos().saturating_mul(1000));
        Ok(if short { Event::Short } else { Event::End })
    }
}

fn stream(head: &Head) -> Stream {
    let mut codec = AudioCodecParameters::new();
    let (id, name) = match head.kind {
        Kind::Mpeg(layer) => mpeg::codec(layer),
        Kind::Adts => adts::codec(),
    };
    codec.for_codec(id).with_sample_rate(head.rate).with_channels(channels(head.channels));
    Stream::new(codec, name)
}

/// The usual positions of some channels.
fn channels(n: u32) -> Channels {
    match n {
        1 => CHANNEL_LAYOUT_MONO,
        2 => CHANNEL_LAYOUT_STEREO,
        n => Channels::Discrete(n as u16),
    }
}
