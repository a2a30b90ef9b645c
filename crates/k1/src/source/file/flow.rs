//! Events from a container: streams, packets, and timing.

use std::io::Result;

use symphonia::core::codecs::audio::AudioCodecParameters;

use super::bytes::Bytes;

/// A range of a stream to be heard, after a pause. Positions are frames as the decoder counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Silence before it, in frames.
    pub pause: u64,
    /// The first frame that is heard.
    pub from: u64,
    /// The first frame after the range.
    pub to: u64,
}

/// A stream of sound of one kind: one codec, one rate, one set of channels.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Parameters for the decoder.
    pub codec: AudioCodecParameters,
    /// Name of the codec, for people.
    pub name: String,
    /// The ranges to be heard, in order. The whole stream is one range from 0 to `u64::MAX`.
    pub edits: Vec<Edit>,
    /// Number of padding frames at the very end, if the end is reached.
    pub tail: u64,
    /// Length in frames after trimming, as stated by the file; a hint.
    pub length: Option<u64>,
    /// True if [`Event::Until`] gives the time of each page.
    pub paged: bool,
    /// True if decoding gives exactly the coded frames, without padding to be left out at a page's time.
    pub exact: bool,
}

impl Stream {
    /// A stream that is heard completely.
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

    /// Leaves out `delay` frames at the start and `tail` frames at the end.
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
    /// Number of frames that it decodes to, if the container states it; they become silence if decoding fails.
    pub frames: u64,
    /// Position of its first frame, as the decoder counts, if the container states it.
    pub at: Option<u64>,
    /// Number of frames to leave out at its end.
    pub cut: u64,
}

/// Why K1 cannot hear a content.
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

    /// Content that is not sound, or broken.
    pub fn broken(why: impl Into<String>) -> Self {
        Self::Broken(why.into())
    }
}

/// The next event in a file.
#[derive(Debug)]
pub enum Event {
    /// A stream begins, and the one before has ended.
    Stream(Box<Stream>),
    /// A coded piece of the stream.
    Packet(Packet),
    /// The frames decoded since the last event of this kind end at this frame of the stream. Missing frames were lost
    /// before it; excess frames at the last one are padding.
    Until {
        /// Frames of the stream so far, counted as the decoder counts.
        frame: u64,
        /// True if the stream ends here.
        last: bool,
    },
    /// Sound was lost; silence takes its place.
    Lost {
        /// Number of missing frames; 0 if the container does not state it.
        frames: u64,
        /// The reason, worded to follow "damaged at 3.0 s:".
        why: &'static str,
    },
    /// The beginning of the stream was overwritten; silence of the same length takes its place.
    Front {
        /// Number of missing frames, including the encoder's delay.
        frames: u64,
    },
    /// The stream begins later than other streams of the file.
    Later {
        /// The delay in frames.
        frames: u64,
    },
    /// The file ends too early.
    Short,
    /// The content at this place cannot be heard.
    Foreign(Refusal),
    /// The container ends. Other sound may follow in the file.
    End,
}

/// A parser of a container.
pub trait Demux: Send {
    /// The next event. Errors are those of the disk.
    fn next(&mut self, bytes: &mut Bytes) -> Result<Event>;
}
