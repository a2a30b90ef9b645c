//! Sample formats of WAV, AIFF and AU.

use symphonia::core::audio::{Channels, Position};
use symphonia::core::codecs::audio::well_known::*;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};

use super::flow::Refusal;

/// Approximate size of a packet in bytes.
pub const PIECE: usize = 16 * 1024;

/// Arrangement of coded samples.
#[derive(Debug)]
pub enum Coding {
    /// Blocks of one length.
    Blocks {
        /// Length of a block in bytes.
        block: usize,
        /// Frames in a block.
        frames: u64,
    },
    /// Frames of MPEG audio or AAC, as in a file without a container.
    Frames,
}

/// A sample format.
#[derive(Debug)]
pub struct Format {
    /// Parameters for the decoder.
    pub codec: AudioCodecParameters,
    /// Name of the codec, for people.
    pub name: String,
    /// Arrangement of the samples in the file.
    pub coding: Coding,
}

impl Format {
    /// Samples of one length each.
    fn plain(id: AudioCodecId, bits: u32, rate: u32, channels: Channels, width: usize, name: &str) -> Self {
        let block = width * channels.count();
        Self::blocks(id, bits, rate, channels, block, 1, name)
    }

    fn blocks(
        id: AudioCodecId,
        bits: u32,
        rate: u32,
        channels: Channels,
        block: usize,
        frames: u64,
        name: &str,
    ) -> Self {
        let mut codec = AudioCodecParameters::new();
        codec
            .for_codec(id)
            .with_sample_rate(rate)
            .with_channels(channels)
            .with_bits_per_sample(bits)
            .with_bits_per_coded_sample(bits)
            .with_max_frames_per_packet(frames * (PIECE / block + 1) as u64)
            .with_frames_per_block(frames);
        Self { codec, name: name.to_owned(), coding: Coding::Blocks { block, frames } }
    }
}

/// The positions of some channels: by a matching mask, or else as in most files.
fn layout(count: u16, mask: Option<u32>) -> Channels {
    let n = u32::from(count);
    mask.and_then(Position::from_wave_channel_mask)
        .filter(|p| p.bits().count_ones() == n)
        .or_else(|| (n <= 8).then(|| usual(n)))
        .map_or(Channels::Discrete(count), Channels::Positioned)
}

/// The usual positions of up to eight channels.
fn usual(n: u32) -> Position {
    let front = Position::FRONT_LEFT | Position::FRONT_RIGHT;
    let rear = Position::REAR_LEFT | Position::REAR_RIGHT;
    let five = front | Position::FRONT_CENTER | rear;
    match n {
        1 => Position::FRONT_LEFT,
        2 => front,
        3 => front | Position::FRONT_CENTER,
        4 => front | rear,
        5 => five,
        6 => five | Position::LFE1,
        7 => five | Position::LFE1 | Position::REAR_CENTER,
        _ => five | Position::LFE1 | Position::SIDE_LEFT | Position::SIDE_RIGHT,
    }
}

/// Integers of some width in bytes.
fn integers(width: usize, big: bool) -> Option<(AudioCodecId, u32)> {
    Some(match (width, big) {
        (2, false) => (CODEC_ID_PCM_S16LE, 16),
        (3, false) => (CODEC_ID_PCM_S24LE, 24),
        (4, false) => (CODEC_ID_PCM_S32LE, 32),
        (1, true) => (CODEC_ID_PCM_S8, 8),
        (2, true) => (CODEC_ID_PCM_S16BE, 16),
        (3, true) => (CODEC_ID_PCM_S24BE, 24),
        (4, true) => (CODEC_ID_PCM_S32BE, 32),
        _ => return None,
    })
}

/// Floats of some width in bytes.
fn floats(width: usize, big: bool) -> Option<(AudioCodecId, u32)> {
    Some(match (width, big) {
        (4, false) => (CODEC_ID_PCM_F32LE, 32),
        (8, false) => (CODEC_ID_PCM_F64LE, 64),
        (4, true) => (CODEC_ID_PCM_F32BE, 32),
        (8, true) => (CODEC_ID_PCM_F64BE, 64),
        _ => return None,
    })
}

/// Reads a WAV's format; an error names a format that K1 cannot decode.
pub fn wav(b: &[u8], big: bool) -> Result<Format, Refusal> {
    let two = |at: usize| {
        b.get(at..at + 2).map(|x| {
            let pair = [x[0], x[1]];
            if big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
        })
    };
    let four = |at: usize| {
        b.get(at..at + 4)
            .and_then(|x| x.try_into().ok())
            .map(|x| if big { u32::from_be_bytes(x) } else { u32::from_le_bytes(x) })
    };
    let (Some(tag), Some(count), Some(rate), Some(align), Some(bits)) =
        (two(0), two(2), four(4), two(12), two(14))
    else {
        return Err(Refusal::broken("it is WAV whose description of the samples is cut off"));
    };
    let extended = tag == 0xfffe;
    let tag = if extended { two(24).unwrap_or(1) } else { tag };
    let mask = if extended { four(20) } else { None };
    if count == 0 {
        return Err(Refusal::broken("it is WAV whose header says that it has 0 channels"));
    }
    let channels = layout(count, mask);
    let align = usize::from(align);
    let n = usize::from(count);
    // The width of a sample in the file, on which the fields of a header may disagree.
    let width = if align > 0 && align.is_multiple_of(n) && align / n * 8 >= usize::from(bits) {
        align / n
    } else {
        usize::from(bits).div_ceil(8)
    };
    let unknown = || Refusal::codec(format!("WAV of a rare kind (format {tag:#x}, {bits} bits)"));
    let plain = |found: Option<(AudioCodecId, u32)>| {
        let (id, bits) = found.ok_or_else(unknown)?;
        Ok(Format::plain(id, bits, rate, channels.clone(), width, "PCM"))
    };
    match tag {
        1 if width == 1 => plain(Some((CODEC_ID_PCM_U8, 8))),
        1 => plain(integers(width, big)),
        3 => plain(floats(width, big)),
        6 => Ok(Format::plain(CODEC_ID_PCM_ALAW, 16, rate, channels, 1, "A-law")),
        7 => Ok(Format::plain(CODEC_ID_PCM_MULAW, 16, rate, channels, 1, "µ-law")),
        2 | 0x11 => {
            let (id, head, extra, name) = if tag == 2 {
                (CODEC_ID_ADPCM_MS, 7 * n, 2, "Microsoft ADPCM")
            } else {
                (CODEC_ID_ADPCM_IMA_WAV, 4 * n, 1, "IMA ADPCM")
            };
            if align <= head || n > 2 {
                return Err(Refusal::codec(format!(
                    "WAV with {name} of {n} channels in blocks of {align} bytes"
                )));
            }
            let frames = (8 * (align - head) / (4 * n)) as u64 + extra;
            Ok(Format::blocks(id, 16, rate, channels, align, frames, name))
        }
        0x50 | 0x55 | 0xff | 0x1600 => Ok(Format {
            codec: AudioCodecParameters::new(),
            name: "MPEG audio".to_owned(),
            coding: Coding::Frames,
        }),
        _ => {
            let names: [(u16, &str); 16] = [
                (0x20, "Yamaha ADPCM"),
                (0x22, "TrueSpeech"),
                (0x31, "GSM 6.10"),
                (0x40, "G.721 ADPCM"),
                (0x42, "G.723.1"),
                (0x45, "G.726 ADPCM"),
                (0x64, "G.726 ADPCM"),
                (0x65, "G.722"),
                (0x92, "Dolby Digital (AC-3)"),
                (0x160, "Windows Media (WMA)"),
                (0x161, "Windows Media (WMA)"),
                (0x200, "Creative ADPCM"),
                (0x270, "ATRAC3"),
                (0x2000, "Dolby Digital (AC-3)"),
                (0x2001, "DTS"),
                (0xf1ac, "FLAC in WAV"),
            ];
            let name = names.iter().find(|(t, _)| *t == tag).map(|(_, name)| *name);
            Err(name.map_or_else(unknown, |name| Refusal::codec(format!("WAV with {name}"))))
        }
    }
}

/// Reads an AIFF's format.
pub fn aiff(b: &[u8]) -> Result<Format, Refusal> {
    let two = |at: usize| b.get(at..at + 2).map(|x| u16::from_be_bytes([x[0], x[1]]));
    let (Some(count), Some(bits), Some(power), Some(number)) = (two(0), two(6), two(8), b.get(10..18)) else {
        return Err(Refusal::broken("it is AIFF whose description of the samples is cut off"));
    };
    let number = number.iter().fold(0_u64, |n, x| n << 8 | u64::from(*x));
    // A float of 80 bits.
    let rate = number as f64 * 2_f64.powi(i32::from(power & 0x7fff) - 16_383 - 63);
    let rate = if rate < f64::from(u32::MAX) { rate.round() as u32 } else { u32::MAX };
    if count == 0 {
        return Err(Refusal::broken("it is AIFF whose header says that it has 0 channels"));
    }
    let channels = layout(count, None);
    let n = usize::from(count);
    let width = usize::from(bits).div_ceil(8);
    let kind: [u8; 4] = b.get(18..22).and_then(|x| x.try_into().ok()).unwrap_or(*b"NONE");
    let found = match &kind {
        b"NONE" | b"twos" => integers(width, true),
        b"sowt" if width == 1 => integers(1, true),
        b"sowt" => integers(width, false),
        b"in24" => integers(3, true),
        b"in32" => integers(4, true),
        b"42ni" => integers(3, false),
        b"23ni" => integers(4, false),
        b"raw " => Some((CODEC_ID_PCM_U8, 8)),
        b"fl32" | b"FL32" => floats(4, true),
        b"fl64" | b"FL64" => floats(8, true),
        b"ulaw" | b"ULAW" => Some((CODEC_ID_PCM_MULAW, 16)),
        b"alaw" | b"ALAW" => Some((CODEC_ID_PCM_ALAW, 16)),
        b"ima4" if n <= 2 => {
            return Ok(Format::blocks(CODEC_ID_ADPCM_IMA_QT, 16, rate, channels, 34 * n, 64, "IMA ADPCM"));
        }
        _ => None,
    };
    let Some((id, bits)) = found else {
        let kind = String::from_utf8_lossy(&kind);
        return Err(Refusal::codec(format!("AIFF of a rare kind ({}, {bits} bits)", kind.trim())));
    };
    let width = match &kind {
        b"ulaw" | b"ULAW" | b"alaw" | b"ALAW" | b"raw " => 1,
        _ => bits as usize / 8,
    };
    Ok(Format::plain(id, bits, rate, channels, width, "PCM"))
}

/// Reads an AU's header: the format, the offset of the samples, and their length in bytes if it is stated.
pub fn au(b: &[u8]) -> Result<(Format, u64, Option<u64>), Refusal> {
    let four = |at: usize| b.get(at..at + 4).and_then(|x| x.try_into().ok()).map(u32::from_be_bytes);
    let (Some(start), Some(size), Some(kind), Some(rate), Some(count)) =
        (four(4), four(8), four(12), four(16), four(20))
    else {
        return Err(Refusal::broken("it is AU whose header is cut off"));
    };
    let found = match kind {
        1 => Some((CODEC_ID_PCM_MULAW, 16, 1)),
        2..=5 => integers(kind as usize - 1, true).map(|(id, bits)| (id, bits, kind as usize - 1)),
        6 => Some((CODEC_ID_PCM_F32BE, 32, 4)),
        7 => Some((CODEC_ID_PCM_F64BE, 64, 8)),
        27 => Some((CODEC_ID_PCM_ALAW, 16, 1)),
        _ => None,
    };
    let (Some((id, bits, width)), Some(n)) = (found, u16::try_from(count).ok().filter(|n| *n > 0)) else {
        return Err(Refusal::codec(format!("AU of a rare kind (encoding {kind}, {count} channels)")));
    };
    let format = Format::plain(id, bits, rate, layout(n, None), width, "PCM");
    Ok((format, u64::from(start).max(24), (size != u32::MAX && size > 0).then(|| size.into())))
}
