//! Checked views of packets.

use super::{DATA_HEADER, LIST, PREAMBLE, SYNC_SIZE, field, option, vector};
use crate::big_endian::{be16, be32};
use crate::universes::MAX_CHANNELS;

/// Why bytes are not an sACN packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Shorter than its header.
    Truncated {
        /// Bytes present.
        have: usize,
        /// Bytes that the header needs.
        need: usize,
    },
    /// It does not begin with the preamble of ACN.
    Foreign,
    /// The vector of a layer is not known.
    Vector(u32),
    /// The length of a layer, or the number of channels, does not agree with the packet.
    Length,
    /// A universe has up to 512 channels.
    Channels(usize),
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        match self {
            Self::Truncated { have, need } => {
                write!(f, "sACN packet of {have} bytes, its header needs {need}")
            }
            Self::Foreign => f.write_str("not an sACN packet"),
            Self::Vector(v) => write!(f, "sACN packet with the unknown vector {v:#x}"),
            Self::Length => f.write_str("the lengths in the sACN packet do not agree with its size"),
            Self::Channels(n) => write!(f, "sACN packet with {n} channels; up to 512 are allowed"),
        }
    }
}

impl core::error::Error for Error {}

/// A checked view of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Channels of a universe.
    Data(Data<'a>),
    /// Receivers show what they have received for this synchronisation universe.
    Sync {
        /// The synchronisation universe.
        universe: u16,
        /// Sequence number.
        sequence: u8,
    },
    /// Universes of a source.
    Discovery(Discovery<'a>),
}

/// A checked view of a data packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a>(&'a [u8]);

/// A checked view of a page of a list of universes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discovery<'a>(&'a [u8]);

impl<'a> Packet<'a> {
    /// Checks that `bytes` are an sACN packet, after which accessors cannot panic. Trailing bytes are ignored.
    ///
    /// # Errors
    ///
    /// If they are not.
    pub fn check(bytes: &'a [u8]) -> Result<Self, Error> {
        let long_enough = |need| match bytes.len() < need {
            true => Err(Error::Truncated { have: bytes.len(), need }),
            false => Ok(()),
        };
        long_enough(field::FRAMING_VECTOR.end)?;
        if !bytes.starts_with(PREAMBLE) {
            return Err(Error::Foreign);
        }
        let root = be32(bytes, field::ROOT_VECTOR.start);
        let framing = be32(bytes, field::FRAMING_VECTOR.start);
        // Each layer ends with the packet, so that the outermost one gives its size.
        let size = field::ROOT + layer(bytes, field::ROOT);
        let ends_there = |at| at + layer(bytes, at) == size;
        if size > bytes.len() || !ends_there(field::FRAMING) {
            return Err(Error::Length);
        }
        let bytes = &bytes[..size];
        // From here on the stated size counts, however many bytes follow.
        let long_enough = |need| if size < need { Err(Error::Length) } else { Ok(()) };
        match (root, framing) {
            (vector::ROOT_DATA, vector::FRAMING_DATA) => {
                long_enough(DATA_HEADER)?;
                let count = usize::from(be16(bytes, field::COUNT));
                // The first value is the start code.
                if count != size - DATA_HEADER + 1 || !ends_there(field::DMP) {
                    return Err(Error::Length);
                }
                if count > MAX_CHANNELS + 1 {
                    return Err(Error::Channels(count - 1));
                }
                if bytes[field::DMP_FIXED] != vector::DMP {
                    return Err(Error::Vector(bytes[field::DMP_FIXED.start].into()));
                }
                Ok(Self::Data(Data(bytes)))
            }
            (vector::ROOT_EXTENDED, vector::FRAMING_SYNC) => {
                if size != SYNC_SIZE {
                    return Err(Error::Length);
                }
                let universe = be16(bytes, field::SYNC_ADDRESS);
                Ok(Self::Sync { universe, sequence: bytes[field::SYNC_SEQUENCE] })
            }
            (vector::ROOT_EXTENDED, vector::FRAMING_DISCOVERY) => {
                long_enough(LIST)?;
                if !(size - LIST).is_multiple_of(2) || !ends_there(field::LIST_LAYER) {
                    return Err(Error::Length);
                }
                match be32(bytes, field::LIST_VECTOR.start) {
                    vector::LIST => Ok(Self::Discovery(Discovery(bytes))),
                    other => Err(Error::Vector(other)),
                }
            }
            (vector::ROOT_DATA | vector::ROOT_EXTENDED, other) | (other, _) => Err(Error::Vector(other)),
        }
    }
}

impl<'a> Data<'a> {
    /// Id of the source.
    pub fn cid(&self) -> [u8; 16] {
        cid(self.0)
    }

    /// Name of the source; empty if it is not UTF-8.
    pub fn name(&self) -> &'a str {
        name(self.0)
    }

    /// Priority, 0 … 200.
    pub fn priority(&self) -> u8 {
        self.0[field::PRIORITY]
    }

    /// The synchronisation universe; `None` if the packet is to be shown at once.
    pub fn sync_universe(&self) -> Option<u16> {
        Some(be16(self.0, field::SYNC_UNIVERSE)).filter(|universe| *universe > 0)
    }

    /// Sequence number.
    pub fn sequence(&self) -> u8 {
        self.0[field::SEQUENCE]
    }

    /// True if the source says that it has ended this stream.
    pub fn is_terminated(&self) -> bool {
        self.0[field::OPTIONS] & option::TERMINATED != 0
    }

    /// True if the packet is for visualisers only.
    pub fn is_preview(&self) -> bool {
        self.0[field::OPTIONS] & option::PREVIEW != 0
    }

    /// The universe.
    pub fn universe(&self) -> u16 {
        be16(self.0, field::UNIVERSE)
    }

    /// What the values mean; 0 for levels.
    pub fn start_code(&self) -> u8 {
        self.0[field::START_CODE]
    }

    /// The channels.
    pub fn data(&self) -> &'a [u8] {
        &self.0[DATA_HEADER..]
    }
}

impl<'a> Discovery<'a> {
    /// Id of the source.
    pub fn cid(&self) -> [u8; 16] {
        cid(self.0)
    }

    /// Name of the source; empty if it is not UTF-8.
    pub fn name(&self) -> &'a str {
        name(self.0)
    }

    /// Number of this page and of the last one, from 0.
    pub fn page(&self) -> (u8, u8) {
        (self.0[field::PAGE], self.0[field::LAST_PAGE])
    }

    /// The universes.
    pub fn universes(&self) -> impl Iterator<Item = u16> + 'a {
        self.0[LIST..].as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair))
    }
}

fn cid(bytes: &[u8]) -> [u8; 16] {
    core::array::from_fn(|i| bytes[field::CID.start + i])
}

fn name(bytes: &[u8]) -> &str {
    let text = &bytes[field::NAME];
    let end = text.iter().position(|b| *b == 0).unwrap_or(text.len());
    core::str::from_utf8(&text[..end]).unwrap_or_default()
}

/// Length of the layer that begins at `at`; the upper four bits are flags.
fn layer(bytes: &[u8], at: usize) -> usize {
    usize::from(be16(bytes, at) & 0x0fff)
}
