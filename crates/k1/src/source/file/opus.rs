//! Opus: its header, and a decoder that looks like the others.

use opus_decoder::{OpusDecoder, OpusMultistreamDecoder};
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
    streams: u8,
    coupled: u8,
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

    /// The channels in the order of their positions.
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

    /// For each channel in the order of positions, where it stands in a packet's order.
    fn order(&self) -> Vec<usize> {
        let vorbis: &[usize] = match (self.positioned, self.channels) {
            (true, 3) => &[0, 2, 1],
            (true, 5) => &[0, 2, 1, 3, 4],
            (true, 6) => &[0, 2, 1, 5, 3, 4],
            (true, 7) => &[0, 2, 1, 6, 5, 3, 4],
            (true, 8) => &[0, 2, 1, 7, 5, 6, 3, 4],
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

/// A decoder of one stream or of several that belong together.
enum Inner {
    One(Box<OpusDecoder>),
    Many(Box<OpusMultistreamDecoder>),
}

/// A decoder of Opus.
pub struct Opus {
    inner: Inner,
    layout: Channels,
    order: Vec<usize>,
    gain: f32,
    raw: Vec<f32>,
}

impl Opus {
    /// A decoder for a stream with this header. A stream without one is stereo.
    pub fn new(head: Option<&[u8]>) -> Option<Self> {
        const PLAIN: &[u8] = b"OpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0";
        let head = Head::read(head.unwrap_or(PLAIN))?;
        let inner = if head.streams == 1 && head.mapping == [0, 1][..usize::from(head.channels.min(2))] {
            Inner::One(Box::new(OpusDecoder::new(RATE, usize::from(head.channels)).ok()?))
        } else {
            Inner::Many(Box::new(
                OpusMultistreamDecoder::new(
                    RATE,
                    usize::from(head.channels),
                    usize::from(head.streams),
                    usize::from(head.coupled),
                    &head.mapping,
                )
                .ok()?,
            ))
        };
        Some(Self {
            inner,
            layout: head.layout(),
            order: head.order(),
            gain: 10_f32.powf(f32::from(head.gain) / 256.0 / 20.0),
            raw: vec![0.0; LONGEST * usize::from(head.channels)],
        })
    }

    /// Channels in the order in which they are decoded.
    pub fn layout(&self) -> &Channels {
        &self.layout
    }

    /// Forgets what came before.
    pub fn reset(&mut self) {
        match &mut self.inner {
            Inner::One(one) => one.reset(),
            Inner::Many(many) => many.reset(),
        }
    }

    /// Decodes a packet into interleaved samples.
    pub fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> Result<(), String> {
        out.clear();
        let frames = match &mut self.inner {
            Inner::One(one) => one.decode_float(packet, &mut self.raw, false),
            Inner::Many(many) => many.decode_float(packet, &mut self.raw, false),
        };
        let frames = frames.map_err(|e| e.to_string())?;
        for frame in self.raw.chunks_exact(self.order.len()).take(frames) {
            out.extend(self.order.iter().map(|from| frame[*from] * self.gain));
        }
        Ok(())
    }
}
