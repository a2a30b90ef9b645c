//! Names of codecs, for people.

use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known::*;

/// The name of a codec.
pub fn of(codec: AudioCodecId) -> &'static str {
    match codec {
        CODEC_ID_AAC => "AAC",
        CODEC_ID_AC3 => "Dolby Digital (AC-3)",
        CODEC_ID_EAC3 => "Dolby Digital Plus (E-AC-3)",
        CODEC_ID_AC4 => "Dolby AC-4",
        CODEC_ID_DCA => "DTS",
        CODEC_ID_ALAC => "ALAC",
        CODEC_ID_FLAC => "FLAC",
        CODEC_ID_MP1 => "MP1",
        CODEC_ID_MP2 => "MP2",
        CODEC_ID_MP3 => "MP3",
        CODEC_ID_OPUS => "Opus",
        CODEC_ID_SPEEX => "Speex",
        CODEC_ID_VORBIS => "Vorbis",
        CODEC_ID_WAVPACK => "WavPack",
        CODEC_ID_TTA => "True Audio (TTA)",
        CODEC_ID_WMA => "Windows Media (WMA)",
        CODEC_ID_MONKEYS_AUDIO => "Monkey's Audio (APE)",
        _ => "sound",
    }
}
