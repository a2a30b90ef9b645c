//! Opus: its header, and a decoder that looks like the others.

use rusty_opus::OpusDecoder;
use rusty_opus::multistream::OpusMSDecoder;
use symphonia::core::audio::{Channels, Position};
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;

use super::flow::Stream;

/// Opus is always decoded at this rate, in Hz.
pub const RATE: u32 = 48_000;
/// The longest packet, in frames at that rate.
const LONGEST: usize = 5760;

/// What an `OpusHead` says.
struct Head {
    channels: u8,
    pre_skip: u16,
    /// In 1/256 dB.
    gain: i16,
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
        // Any other way to put streams together is not decoded.
        let usual = USUAL.get(usize::from(channels) - 1)?;
        if family > 1 || (streams, coupled, mapping.as_slice()) != *usual {
            return None;
        }
        Some(Self {
            channels,
            pre_skip: u16::from_le_bytes(two(10)?),
            gain: i16::from_le_bytes(two(16)?),
        })
    }

    /// The channels in the order of their positions.
    fn layout(&self) -> Channels {
        let front = Position::FRONT_LEFT | Position::FRONT_RIGHT;
        let rear = Position::REAR_LEFT | Position::REAR_RIGHT;
        let side = Position::SIDE_LEFT | Position::SIDE_RIGHT;
        let (centre, low) = (Position::FRONT_CENTER, Position::LFE1);
        Channels::Positioned(match self.channels {
            1 => centre,
            2 => front,
            3 => front | centre,
            4 => front | rear,
            5 => front | centre | rear,
            6 => front | centre | rear | low,
            7 => front | centre | side | Position::REAR_CENTER | low,
            _ => front | centre | side | rear | low,
        })
    }

    /// For each channel in the order of positions, where it stands in a packet's order.
    fn order(&self) -> Vec<usize> {
        let vorbis: &[usize] = match self.channels {
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

/// The stream that an `OpusHead` describes. `trims` if what the header says of the beginning is to be left out.
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

/// Streams, coupled streams and places of the channels, as everybody writes one to eight channels.
const USUAL: [(u8, u8, &[u8]); 8] = [
    (1, 0, &[0]),
    (1, 1, &[0, 1]),
    (2, 1, &[0, 2, 1]),
    (2, 2, &[0, 1, 2, 3]),
    (3, 2, &[0, 4, 1, 2, 3]),
    (4, 2, &[0, 4, 1, 2, 3, 5]),
    (4, 3, &[0, 4, 1, 2, 3, 5, 6]),
    (5, 3, &[0, 6, 1, 2, 3, 4, 5, 7]),
];

/// A decoder of one stream or of several that belong together.
enum Inner {
    One(Box<OpusDecoder>),
    Many(Box<OpusMSDecoder>),
}

/// A decoder of Opus.
pub struct Opus {
    head: Head,
    inner: Inner,
    layout: Channels,
    order: Vec<usize>,
    gain: f32,
    raw: Vec<f32>,
}

impl Opus {
    /// A decoder for a stream with this header.
    pub fn new(head: &[u8]) -> Option<Self> {
        let head = Head::read(head)?;
        Some(Self {
            inner: head.decoder()?,
            layout: head.layout(),
            order: head.order(),
            gain: 10_f32.powf(f32::from(head.gain) / 256.0 / 20.0),
            raw: vec![0.0; LONGEST * usize::from(head.channels)],
            head,
        })
    }

    /// Channels in the order in which they are decoded.
    pub fn layout(&self) -> &Channels {
        &self.layout
    }

    /// Forgets what came before.
    pub fn reset(&mut self) {
        if let Some(inner) = self.head.decoder() {
            self.inner = inner;
        }
    }

    /// Decodes a packet into interleaved samples.
    pub fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> Result<(), String> {
        out.clear();
        if packet.is_empty() {
            return Err("an empty packet".to_owned());
        }
        let frames = match &mut self.inner {
            Inner::One(one) => one.decode(packet, LONGEST, &mut self.raw),
            Inner::Many(many) => many.decode(packet, LONGEST, &mut self.raw),
        };
        let frames = frames.map_err(|e| e.to_string())?;
        for frame in self.raw.chunks_exact(self.order.len()).take(frames) {
            out.extend(self.order.iter().map(|from| frame[*from] * self.gain));
        }
        Ok(())
    }
}

impl Head {
    fn decoder(&self) -> Option<Inner> {
        let channels = usize::from(self.channels);
        Some(if channels <= 2 {
            Inner::One(Box::new(OpusDecoder::new(RATE as i32, channels).ok()?))
        } else {
            Inner::Many(Box::new(OpusMSDecoder::new(RATE as i32, channels, 1).ok()?))
        })
    }
}
