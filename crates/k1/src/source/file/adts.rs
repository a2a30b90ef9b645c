//! Headers of AAC frames in ADTS.

use symphonia::core::audio::Channels;
use symphonia::core::audio::layouts::{CHANNEL_LAYOUT_MONO, CHANNEL_LAYOUT_STEREO};
use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;

use super::frame::{Head, Kind};

/// Delay of an AAC stream that does not state it, in frames: one block, as in most encoders.
pub const PRIMING: u64 = 1024;

/// Sample rates by index, in Hz.
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// The header of an ADTS frame at the front of `bytes`.
pub fn head(bytes: &[u8]) -> Option<Head> {
    let [0xff, b, c, d, e, f, g, ..] = *bytes else { return None };
    if b & 0xf6 != 0xf0 {
        return None;
    }
    let rate = *RATES.get(usize::from(c >> 2 & 15))?;
    let config = u32::from(c & 1) << 2 | u32::from(d >> 6);
    let length = usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f >> 5);
    let header = if b & 1 == 0 { 9 } else { 7 };
    let channels = if config == 7 { 8 } else { config };
    (length > header).then_some(Head {
        kind: Kind::Adts,
        rate,
        channels,
        bytes: length,
        header,
        frames: 1024 * u64::from(g & 3) + 1024,
    })
}

/// The codec, and its name.
pub fn codec() -> (AudioCodecId, &'static str) {
    (CODEC_ID_AAC, "AAC")
}

/// Rate and channels of the core of a stream whose description (AudioSpecificConfig) says that high frequencies are
/// coded apart, as HE-AAC does; `None` for any other.
pub fn core(config: &[u8]) -> Option<(u32, Channels)> {
    let bits =
        config.iter().take(8).fold(0_u64, |v, b| v << 8 | u64::from(*b)) << (8 * (8 - config.len().min(8)));
    let take = |from: u32, n: u32| (bits << from >> (64 - n)) as usize;
    // 5 is SBR, 29 is parametric stereo on top of it; then an index of the rate, and the channels.
    if !matches!(take(0, 5), 5 | 29) || config.len() < 2 {
        return None;
    }
    let channels = match take(9, 4) {
        1 => CHANNEL_LAYOUT_MONO,
        2 => CHANNEL_LAYOUT_STEREO,
        _ => return None,
    };
    Some((*RATES.get(take(5, 4))?, channels))
}
