//! Headers of MPEG audio frames, and the header frame of an MP3 that counts the others.

use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3};

use super::frame::{Head, Kind};

/// Delay of an MP3 that does not state it, in frames: 576 of the most common encoder and 529 of every decoder.
pub const DELAY: u64 = 576 + DECODER;
/// Delay of every layer III decoder, in frames.
const DECODER: u64 = 528 + 1;
/// Delay of the filter banks of layers I and II in encoder and decoder together, in frames.
pub const POLYPHASE: u64 = 512 - 32 + 1;

/// Bit rates in kbit/s: MPEG-1 layers I to III, MPEG-2 layer I, MPEG-2 layers II and III.
const BITRATES: [[u16; 15]; 5] = [
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

/// The header of an MPEG audio frame at the front of `bytes`.
pub fn head(bytes: &[u8]) -> Option<Head> {
    let [0xff, b, c, d, ..] = *bytes else { return None };
    let (version, layer, bitrate, rate) = fields(b, c)?;
    if bitrate == 0 || d & 3 == 2 {
        return None;
    }
    let table = match (version, layer) {
        (1, layer) => usize::from(layer) - 1,
        (_, 1) => 3,
        _ => 4,
    };
    let bits = u32::from(BITRATES[table][usize::from(bitrate)]) * 1000;
    let padding = usize::from(c & 2 != 0);
    let mono = d >> 6 == 3;
    // Layer II allows some rates for one channel only, and some for two only.
    if layer == 2 && version == 1 && matches!((bits / 1000, mono), (32 | 48 | 56 | 80, false) | (224.., true))
    {
        return None;
    }
    let (length, frames) = match (layer, version) {
        (1, _) => (((12 * bits / rate) as usize + padding) * 4, 384),
        (3, 2..) => ((72 * bits / rate) as usize + padding, 576),
        _ => ((144 * bits / rate) as usize + padding, 1152),
    };
    let channels = if mono { 1 } else { 2 };
    (length > 4).then_some(Head { kind: Kind::Mpeg(layer), rate, channels, bytes: length, header: 4, frames })
}

/// Version (1, 2, or 3 for 2.5), layer, index of the bit rate, sample rate in Hz.
fn fields(b: u8, c: u8) -> Option<(u8, u8, u8, u32)> {
    if b & 0xe0 != 0xe0 {
        return None;
    }
    let version = match b >> 3 & 3 {
        3 => 1,
        2 => 2,
        0 => 3,
        _ => return None,
    };
    let layer = 4 - (b >> 1 & 3);
    let (bitrate, index) = (c >> 4, c >> 2 & 3);
    if layer == 4 || bitrate == 15 || index == 3 {
        return None;
    }
    let rate = [44_100, 48_000, 32_000][usize::from(index)] >> (version - 1);
    Some((version, layer, bitrate, rate))
}

/// True if `bytes` begins with frames of a free bit rate, whose length is not stated.
pub fn is_free(bytes: &[u8]) -> bool {
    let same = |at: usize| {
        matches!((bytes.get(at..at + 4), bytes), (Some([a, b, c, _]), [w, x, y, ..])
            if (a, b, c & 0xfd) == (w, x, y & 0xfd))
    };
    let [0xff, b, c, _, ..] = *bytes else { return false };
    matches!(fields(b, c), Some((_, _, 0, _)))
        && (100..3000).any(|n| {
            same(n) && (same(2 * n) || same(2 * n + 1)) && (same(3 * n) || same(3 * n + 1) || same(3 * n + 2))
        })
}

/// Codec of a layer, and its name.
pub fn codec(layer: u8) -> (AudioCodecId, &'static str) {
    match layer {
        1 => (CODEC_ID_MP1, "MP1"),
        2 => (CODEC_ID_MP2, "MP2"),
        _ => (CODEC_ID_MP3, "MP3"),
    }
}

/// Length of the side information, in bytes.
fn side(head: &Head) -> usize {
    match (head.frames == 1152, head.channels) {
        (true, 1) => 17,
        (true, _) => 32,
        (false, 1) => 9,
        (false, _) => 17,
    }
}

/// Offset of the side information: after the header, and after the checksum if there is one.
fn start(frame: &[u8]) -> usize {
    if frame[1] & 1 == 0 { 6 } else { 4 }
}

/// Number of bytes of earlier frames that an MP3 frame needs; 0 at the start of a recording.
pub fn reservoir(frame: &[u8], head: &Head) -> u32 {
    let at = start(frame);
    let pair = frame.get(at..at + 2).map_or(0, |b| u32::from(b[0]) << 8 | u32::from(b[1]));
    if head.frames == 1152 { pair >> 7 } else { pair >> 8 }
}

/// Content of an MP3's header frame.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Number of the following frames; a hint.
    pub frames: Option<u32>,
    /// Number of the following bytes, including the header frame; a hint.
    pub bytes: Option<u32>,
    /// Frames of sound to leave out at the start and at the end, if they are stated.
    pub trim: Option<(u64, u64)>,
}

/// Reads a header frame, which holds no sound, as Xing, LAME, libav and Fraunhofer write it.
pub fn info(frame: &[u8], head: &Head) -> Option<Info> {
    let word = |at: usize| frame.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    let mut info = Info::default();
    if frame.get(36..40) == Some(b"VBRI") {
        (info.bytes, info.frames) = (word(46), word(50));
        return Some(info);
    }
    // Some writers put it where it would be without a checksum.
    let at = [start(frame), 4]
        .map(|s| s + side(head))
        .into_iter()
        .find(|at| matches!(frame.get(*at..*at + 4), Some(b"Xing" | b"Info")))?;
    let flags = word(at + 4)?;
    let mut next = at + 8;
    for (bit, length) in [(1, 4), (2, 4), (4, 100), (8, 4)] {
        if flags & bit != 0 {
            match bit {
                1 => info.frames = word(next),
                2 => info.bytes = word(next),
                _ => {}
            }
            next += length;
        }
    }
    // The encoder's name has nine bytes; delay and padding are 21 bytes after its start.
    if let (Some(name), Some(b)) = (frame.get(next..next + 4), frame.get(next + 21..next + 24))
        && name.iter().all(u8::is_ascii_alphanumeric)
    {
        let (delay, padding) =
            (u64::from(b[0]) << 4 | u64::from(b[1] >> 4), u64::from(b[1] & 15) << 8 | u64::from(b[2]));
        // Zeros mean unknown, because an encoder always has a delay.
        if delay > 0 {
            info.trim = Some((delay + DECODER, padding.saturating_sub(DECODER)));
        }
    }
    Some(info)
}
