//! Opus: its header, and a decoder with the same interface as the others.

use std::borrow::Cow;

use rusty_opus::OpusDecoder;
use symphonia::core::audio::{Channels, Position};
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;

use super::flow::Stream;

/// Opus is always decoded at this rate, in Hz.
pub const RATE: u32 = 48_000;
/// The longest packet, in frames at that rate.
const LONGEST: usize = 5760;

/// Content of an `OpusHead` packet.
struct Head {
    channels: u8,
    pre_skip: u16,
    /// Gain in 1/256 dB.
    gain: i16,
    streams: u8,
    coupled: u8,
    /// Index of each channel among the decoded ones.
    mapping: Vec<u8>,
    positioned: bool,
}

impl Head {
    fn read(b: &[u8]) -> Option<Self> {
        let two = |at: usize| Some([*b.get(at)?, *b.get(at + 1)?]);
        if !b.starts_with(b"OpusHead") || b.get(8)? & 0xf0 != 0 {
            return None;
        }
        let channels = *b.get(9)?;
        let family = *b.get(18)?;
        let (streams, coupled, mapping) = match (family, channels) {
            (0, 1) => (1, 0, vec![0]),
            (0, 2) => (1, 1, vec![0, 1]),
            (0, _) | (_, 0) => return None,
            (_, n) => (*b.get(19)?, *b.get(20)?, b.get(21..21 + usize::from(n))?.to_vec()),
        };
        if streams == 0 || coupled > streams || u16::from(streams) + u16::from(coupled) > 255 {
            return None;
        }
        Some(Self {
            channels,
            pre_skip: u16::from_le_bytes(two(10)?),
            gain: i16::from_le_bytes(two(16)?),
            streams,
            coupled,
            mapping,
            positioned: family <= 1,
        })
    }

    /// The channels in order of position.
    fn layout(&self) -> Channels {
        let front = Position::FRONT_LEFT | Position::FRONT_RIGHT;
        let rear = Position::REAR_LEFT | Position::REAR_RIGHT;
        let side = Position::SIDE_LEFT | Position::SIDE_RIGHT;
        let (centre, low) = (Position::FRONT_CENTER, Position::LFE1);
        Channels::Positioned(match self.channels {
            1 => centre,
            2 => front,
            n if !self.positioned || n > 8 => return Channels::Discrete(u16::from(n)),
            3 => front | centre,
            4 => front | rear,
            5 => front | centre | rear,
            6 => front | centre | rear | low,
            7 => front | centre | side | Position::REAR_CENTER | low,
            _ => front | centre | side | rear | low,
        })
    }

    /// For each channel in order of position, its index in a packet.
    fn order(&self) -> Vec<usize> {
        let vorbis: &[usize] = match if self.positioned { self.channels } else { 0 } {
            3 => &[0, 2, 1],
            5 => &[0, 2, 1, 3, 4],
            6 => &[0, 2, 1, 5, 3, 4],
            7 => &[0, 2, 1, 6, 5, 3, 4],
            8 => &[0, 2, 1, 7, 5, 6, 3, 4],
            _ => return (0..usize::from(self.channels)).collect(),
        };
        vorbis.to_vec()
    }
}

/// The stream that an `OpusHead` describes. `trims` if the header's pre-skip is to be left out.
pub fn stream(head: &[u8], trims: bool) -> Option<Stream> {
    let read = Head::read(head)?;
    let mut codec = AudioCodecParameters::new();
    codec
        .for_codec(CODEC_ID_OPUS)
        .with_sample_rate(RATE)
        .with_channels(read.layout())
        .with_extra_data(head.to_vec().into_boxed_slice());
    let delay = if trims { u64::from(read.pre_skip) } else { 0 };
    Some(Stream::new(codec, "Opus").trimmed(delay, 0))
}

/// A decoder for one or several coupled Opus streams.
pub struct Opus {
    head: Head,
    decoders: Vec<OpusDecoder>,
    /// Last decoded samples of each stream.
    decoded: Vec<Vec<f32>>,
    layout: Channels,
    order: Vec<usize>,
    gain: f32,
}

impl Opus {
    /// A decoder for a stream with this header.
    pub fn new(head: &[u8]) -> Option<Self> {
        let head = Head::read(head)?;
        let decoders = head.decoders()?;
        Some(Self {
            decoded: vec![vec![0.0; 2 * LONGEST]; decoders.len()],
            decoders,
            layout: head.layout(),
            order: head.order(),
            gain: 10_f32.powf(f32::from(head.gain) / 256.0 / 20.0),
            head,
        })
    }

    /// Channels in the order in which they are decoded.
    pub fn layout(&self) -> &Channels {
        &self.layout
    }

    /// Resets the decoder.
    pub fn reset(&mut self) {
        if let Some(decoders) = self.head.decoders() {
            self.decoders = decoders;
        }
    }

    /// Decodes a packet into interleaved samples.
    pub fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> Option<()> {
        out.clear();
        let (mut rest, mut frames) = (packet, LONGEST);
        let last = self.decoders.len() - 1;
        for (i, (decoder, decoded)) in self.decoders.iter_mut().zip(&mut self.decoded).enumerate() {
            let (one, used) = if i < last { delimited(rest)? } else { (Cow::Borrowed(rest), rest.len()) };
            rest = &rest[used..];
            if one.is_empty() {
                return None;
            }
            let n = decoder.decode(&one, LONGEST, decoded).ok()?;
            frames = frames.min(n);
        }
        let coupled = usize::from(self.head.coupled);
        for frame in 0..frames {
            out.extend(self.order.iter().map(|channel| {
                let place = usize::from(self.head.mapping[*channel]);
                let (stream, at) = if place < 2 * coupled {
                    (place / 2, 2 * frame + place % 2)
                } else {
                    (place - coupled, frame)
                };
                // A channel without a stream is silent.
                self.decoded.get(stream).map_or(0.0, |decoded| decoded[at] * self.gain)
            }));
        }
        Some(())
    }
}

/// Splits off the first of several self-delimiting packets (RFC 6716, appendix B) as an ordinary packet; also returns its
/// length in bytes.
fn delimited(b: &[u8]) -> Option<(Cow<'_, [u8]>, usize)> {
    let length = |at: usize| match *b.get(at)? {
        n @ 0..252 => Some((usize::from(n), 1)),
        n => Some((usize::from(n) + 4 * usize::from(*b.get(at + 1)?), 2)),
    };
    let toc = b.first()? & 3;
    // Lengths of the head, which stays, of the length field, which goes, and of the content.
    let (head, gone, content) = match toc {
        0 | 1 => {
            let (n, size) = length(1)?;
            (1, size, n * usize::from(toc + 1))
        }
        2 => {
            let (first, size) = length(1)?;
            let (second, gone) = length(1 + size)?;
            (1 + size, gone, first + second)
        }
        _ => {
            let count = *b.get(1)?;
            let (mut at, mut padding) = (2, 0);
            if count & 0x40 != 0 {
                loop {
                    let n = *b.get(at)?;
                    at += 1;
                    padding += usize::from(n.min(254));
                    if n < 255 {
                        break;
                    }
                }
            }
            let frames = usize::from(count & 0x3f);
            if count & 0x80 == 0 {
                let (n, gone) = length(at)?;
                (at, gone, n * frames + padding)
            } else {
                let mut all = 0;
                for _ in 1..frames {
                    let (n, size) = length(at)?;
                    all += n;
                    at += size;
                }
                let (n, gone) = length(at)?;
                (at, gone, all + n + padding)
            }
        }
    };
    let end = head + gone + content;
    let data = b.get(head + gone..end)?;
    Some((Cow::Owned([&b[..head], data].concat()), end))
}

impl Head {
    fn decoders(&self) -> Option<Vec<OpusDecoder>> {
        (0..self.streams)
            .map(|i| OpusDecoder::new(RATE as i32, if i < self.coupled { 2 } else { 1 }).ok())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_that_stand_together_are_told_apart() {
        // One frame of two bytes; two of two; three and one; two of three with padding; lengths of two bytes.
        let all: [(&[u8], &[u8]); 5] = [
            (&[0x48, 2, 7, 8], &[0x48, 7, 8]),
            (&[0x49, 2, 1, 2, 3, 4], &[0x49, 1, 2, 3, 4]),
            (&[0x4a, 3, 1, 1, 2, 3, 4], &[0x4a, 3, 1, 2, 3, 4]),
            (&[0x4b, 0x42, 1, 3, 1, 2, 3, 4, 5, 6, 0], &[0x4b, 0x42, 1, 1, 2, 3, 4, 5, 6, 0]),
            (&[0x4b, 0x82, 1, 2, 9, 8, 7], &[0x4b, 0x82, 1, 9, 8, 7]),
        ];
        for (together, alone) in all {
            let more = [together, &[1, 2, 3]].concat();
            assert_eq!(delimited(&more).unwrap(), (Cow::Owned(alone.to_vec()), together.len()));
            assert!(delimited(&together[..together.len() - 1]).is_none());
        }
        let long = [&[0x48, 252, 1][..], &[5; 256]].concat();
        assert_eq!(delimited(&long).unwrap().1, long.len());
        assert!(delimited(&[]).is_none());
    }

    #[test]
    fn a_header_may_say_anything() {
        assert!(stream(b"OpusHead", true).is_none());
        assert!(stream(b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0", true).is_some());
        assert!(stream(b"OpusHead\x01\x03\x38\x01\x80\xbb\0\0\0\0\0", true).is_none());
        let many = b"OpusHead\x01\x03\0\0\x80\xbb\0\0\0\0\xff\x02\x01\0\xff\x02";
        let mut opus = Opus::new(many).unwrap();
        let mut out = Vec::new();
        for junk in [&b""[..], b"\0", b"\xff\xff\xff", b"\x48\x02\x07\x08", &[0x4b; 2000]] {
            let _ = opus.decode(junk, &mut out);
        }
    }
}
