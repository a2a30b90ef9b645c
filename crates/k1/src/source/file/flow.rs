//! Events from a container: streams, packets, and timing.

use std::io::Result;

use symphonia::core::codecs::audio::AudioCodecParameters;

use super::bytes::Bytes;

/// A stretch of a stream that is to be heard, after a pause; positions are frames as the decoder counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Silence before it, in frames.
    pub pause: u64,
    /// The first frame that is heard.
    pub from: u64,
    /// The first frame that is not heard any more.
    pub to: u64,
}

/// A stream of sound of one kind: one codec, one rate, one set of channels.
#[derive(Clone, Debug)]
pub struct Stream {
    /// What the decoder needs to know.
    pub codec: AudioCodecParameters,
    /// Name of the codec, for people.
    pub name: String,
    /// What is heard of it, in order. Everything: one edit from 0 to `u64::MAX`.
    pub edits: Vec<Edit>,
    /// Frames at the very end that are only padding, if the end is reached.
    pub tail: u64,
    /// Length in frames after trimming, as the file says it; a hint.
    pub length: Option<u64>,
    /// Whether [`Event::Until`] tells the time, page by page.
    pub paged: bool,
    /// Whether what is decoded is exactly what was coded, without padding to be left out at a page's time.
    pub exact: bool,
}

impl Stream {
    /// A stream of which everything is heard.
    pub fn new(codec: AudioCodecParameters, name: &str) -> Self {
        let all = Edit { pause: 0, from: 0, to: u64::MAX };
        Self {
            codec,
            name: name.to_owned(),
            edits: vec![all],
            tail: 0,
            length: None,
            paged: false,
            exact: false,
        }
    }

    /// Leaves out `delay` frames at the front and `tail` frames at the end.
    pub fn trimmed(mut self, delay: u64, tail: u64) -> Self {
        self.edits = vec![Edit { pause: 0, from: delay, to: u64::MAX }];
        self.tail = tail;
        self
    }
}

/// A coded piece of sound.
#[derive(Debug, Default)]
pub struct Packet {
    /// The coded bytes.
    pub data: Vec<u8>,
    /// Frames that it decodes to, if the container knows; silence takes their place if it cannot be decoded.
    pub frames: u64,
    /// The frame at which it begins, counted as the decoder counts, if the container keeps such times.
    pub at: Option<u64>,
    /// Frames to be left out at its end.
    pub cut: u64,
}

/// Why something cannot be heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is sound in a format that K1 cannot decode. Holds its name.
    Codec(String),
    /// It is not sound, or broken. Holds the reason as a sentence.
    Broken(String),
}

impl Refusal {
    /// Sound in a format that K1 cannot decode.
    pub fn codec(name: impl Into<String>) -> Self {
        Self::Codec(name.into())
    }

    /// No sound, or broken.
    pub fn broken(why: impl Into<String>) -> Self {
        Self::Broken(why.into())
    }
}

/// What comes next in a file.
#[derive(Debug)]
pub enum Event {
    /// A stream begins; what came before it has ended.
    Stream(Box<Stream>),
    /// A coded piece of the stream.
    Packet(Packet),
    /// All that was decoded since the last of these ends at this frame of the stream: what is missing was lost before
    /// it, what is too much at the last one is padding.
    Until {
        /// Frames of the stream so far, counted as the decoder counts.
        frame: u64,
        /// Whether the stream ends here.
        last: bool,
    },
    /// Something was lost; the time that it took, in frames, is silence.
    Lost {
        /// Frames that are missing; 0 if the container does not tell.
        frames: u64,
        /// What happened, as a sentence goes on after "damaged at 3.0 s:".
        why: &'static str,
    },
    /// The front of the stream was overwritten; it is silent for as long as it was.
    Front {
        /// Frames that are missing, encoder's delay included.
        frames: u64,
    },
    /// The stream begins later than the other streams beside it.
    Later {
        /// By how much, in frames.
        frames: u64,
    },
    /// The file stops before it should.
    Short,
    /// What is here cannot be heard.
    Foreign(Refusal),
    /// Nothing more of this container. Other sound may follow in the file.
    End,
}

/// Takes a container apart.
pub trait Demux: Send {
    /// The next thing. An error is one of the disk.
    fn next(&mut self, bytes: &mut Bytes) -> Result<Event>;
}
