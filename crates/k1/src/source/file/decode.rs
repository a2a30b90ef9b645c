//! Decoders: packets in, interleaved samples out.

use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_OPUS};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::PacketBuilder;
use symphonia::core::units::{Duration, Timestamp};

use super::flow::{Packet, Refusal, Stream};
use super::opus::{self, Opus};
use crate::source::guard::guarded;

/// A decoder of a library.
enum Inner {
    Symphonia(Box<dyn AudioDecoder>),
    Opus(Box<Opus>),
}

/// A decoder for one stream. After a panic it is made anew, because its state is unknown.
pub struct Decoder {
    stream: Stream,
    inner: Inner,
    interleaved: Vec<f32>,
    channels: Channels,
    rate: u32,
}

/// Decoded sound.
pub struct Sound<'a> {
    /// Interleaved samples.
    pub interleaved: &'a [f32],
    /// Positions of the channels.
    pub channels: &'a Channels,
    /// Frames per second.
    pub rate: u32,
}

fn make(codec: &AudioCodecParameters) -> Result<Inner, String> {
    if codec.codec == CODEC_ID_OPUS {
        let head = codec.extra_data.as_deref().unwrap_or_default();
        return Opus::new(head).map(|o| Inner::Opus(Box::new(o))).ok_or("its header is damaged".into());
    }
    let options = AudioDecoderOptions::default();
    symphonia::default::get_codecs()
        .make_audio_decoder(codec, &options)
        .map(Inner::Symphonia)
        .map_err(|e| e.to_string())
}

impl Decoder {
    /// A decoder for a stream; an error names a format that K1 cannot decode.
    pub fn new(stream: &Stream) -> Result<Self, Refusal> {
        let name = &stream.name;
        let made = guarded(|| make(&stream.codec)).unwrap_or_else(|| Err("its header is damaged".to_owned()));
        let inner = made.map_err(|why| match stream.codec.channels.as_ref().map_or(0, Channels::count) {
            n @ 3.. if stream.codec.codec == CODEC_ID_AAC => {
                Refusal::codec(format!("{name} of {n} channels"))
            }
            _ if why.contains("unsupported audio codec") => Refusal::codec(name),
            _ => Refusal::codec(format!("{name} of a rare kind ({why})")),
        })?;
        Ok(Self { stream: stream.clone(), inner, interleaved: Vec::new(), channels: Channels::None, rate: 0 })
    }

    /// Resets the decoder, because the next packet does not follow the last one.
    pub fn reset(&mut self) {
        let done = guarded(|| match &mut self.inner {
            Inner::Symphonia(decoder) => decoder.reset(),
            Inner::Opus(opus) => opus.reset(),
        });
        if done.is_none() {
            self.again();
        }
    }

    fn again(&mut self) {
        if let Some(Ok(inner)) = guarded(|| make(&self.stream.codec)) {
            self.inner = inner;
        }
    }

    /// Decodes a packet; `None` if it is damaged.
    pub fn decode(&mut self, packet: &Packet) -> Option<Sound<'_>> {
        let done = guarded(|| match &mut self.inner {
            Inner::Opus(opus) => {
                if self.channels != *opus.layout() {
                    self.channels = opus.layout().clone();
                }
                self.rate = opus::RATE;
                opus.decode(&packet.data, &mut self.interleaved).is_some()
            }
            Inner::Symphonia(decoder) => {
                let whole = PacketBuilder::new()
                    .track_id(0)
                    .pts(Timestamp::ZERO)
                    .dur(Duration::from(packet.frames))
                    .data(packet.data.as_slice())
                    .build();
                let Ok(audio) = decoder.decode(&whole) else { return false };
                self.interleaved.resize(audio.samples_interleaved(), 0.0);
                audio.copy_to_slice_interleaved(&mut self.interleaved);
                if self.channels != *audio.spec().channels() {
                    self.channels = audio.spec().channels().clone();
                }
                self.rate = audio.spec().rate();
                true
            }
        });
        match done {
            Some(true) => {
                Some(Sound { interleaved: &self.interleaved, channels: &self.channels, rate: self.rate })
            }
            Some(false) => None,
            None => {
                self.again();
                None
            }
        }
    }
}
