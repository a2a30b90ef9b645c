//! The headers of Vorbis.

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_VORBIS;

use super::flow::Stream;

/// The stream described by two of the three headers, identification and set-up.
pub fn stream(first: &[u8], setup: &[u8]) -> Option<Stream> {
    let rate = u32::from_le_bytes(first.get(12..16)?.try_into().ok()?);
    if first.len() < 30 || !setup.starts_with(b"\x05vorbis") || rate == 0 {
        return None;
    }
    let mut codec = AudioCodecParameters::new();
    codec
        .for_codec(CODEC_ID_VORBIS)
        .with_sample_rate(rate)
        .with_extra_data([&first[..30], setup].concat().into_boxed_slice());
    Some(Stream::new(codec, "Vorbis"))
}
