//! A frame of MPEG audio or AAC, as its header describes it.

/// The fields of a frame's header that all kinds have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which kind of frame.
    pub kind: Kind,
    /// Samples per second.
    pub rate: u32,
    /// Number of channels.
    pub channels: u32,
    /// Length of the frame with its header, in bytes.
    pub bytes: usize,
    /// Length of the header, in bytes.
    pub header: usize,
    /// Frames of sound in it.
    pub frames: u64,
}

/// Kinds of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MPEG-1, 2 or 2.5 audio of this layer.
    Mpeg(u8),
    /// AAC in ADTS.
    Adts,
}

impl Head {
    /// True if both belong to the same stream.
    pub fn fits(&self, other: &Self) -> bool {
        (self.kind, self.rate, self.channels) == (other.kind, other.rate, other.channels)
    }
}
