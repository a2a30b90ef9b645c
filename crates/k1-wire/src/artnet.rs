//! Art-Net 4 (Artistic Licence): DMX universes over UDP port 6454.
//!
//! A frame is sent as one `ArtDmx` packet for each universe, and, if nodes are to show all universes at the same moment, one
//! `ArtSync` packet behind them. A controller finds nodes by an `ArtPoll` packet, which they answer with `ArtPollReply`.

mod reply;

pub use reply::{MAX_PORTS, Node, OutputsError, REPLY_SIZE, Reply};

use crate::big_endian::be16;
use crate::universes::{MAX_CHANNELS, Universes};

/// UDP port of nodes and controllers.
pub const PORT: u16 = 6_454;
/// Last universe: a port-address has 15 bits.
pub const LAST_UNIVERSE: u16 = 0x7fff;
/// Size of the largest packet that this module writes.
pub const MAX_PACKET: usize = DMX_HEADER + MAX_CHANNELS;
/// Size of an `ArtSync` packet.
pub const SYNC_SIZE: usize = 14;
/// Asks nodes to say what they are, once and without diagnostic messages.
pub const POLL: [u8; 14] = *b"Art-Net\0\x00\x20\x00\x0e\x00\x00";

const ID: &[u8; 8] = b"Art-Net\0";
/// Identifier, operation and version of the protocol.
const HEADER: usize = 12;
const DMX_HEADER: usize = 18;
const VERSION: u16 = 14;

mod field {
    pub const OPERATION: usize = 8;
    pub const VERSION: usize = 10;
    pub const SEQUENCE: usize = 12;
    pub const UNIVERSE: usize = 14;
    pub const LENGTH: usize = 16;
}

mod operation {
    pub const POLL: u16 = 0x2000;
    pub const DMX: u16 = 0x5000;
    pub const SYNC: u16 = 0x5200;
}

/// Why bytes are not an Art-Net packet.
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
    /// It does not begin with “Art-Net”.
    Foreign,
    /// A version before 14.
    Version(u16),
    /// `ArtDmx` with an odd number of channels, or with none, or with more than 512.
    Length(u16),
    /// The length field promises more channels than the packet contains.
    DataMissing {
        /// Channels promised.
        promised: usize,
        /// Channels present.
        present: usize,
    },
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        match self {
            Self::Truncated { have, need } => {
                write!(f, "Art-Net packet of {have} bytes, its header needs {need}")
            }
            Self::Foreign => f.write_str("not an Art-Net packet"),
            Self::Version(v) => write!(f, "Art-Net version {v}, only version 14 and later are known"),
            Self::Length(n) => write!(f, "ArtDmx with {n} channels; an even number of 2 … 512 is allowed"),
            Self::DataMissing { promised, present } => {
                write!(f, "ArtDmx packet promises {promised} channels and carries {present}")
            }
        }
    }
}

impl core::error::Error for Error {}

/// A checked view of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Channels of a universe.
    Dmx(Dmx<'a>),
    /// Nodes show what they have received.
    Sync,
    /// Nodes say what they are.
    Poll,
    /// What a node says of itself.
    PollReply(Reply<'a>),
    /// Another operation, by its number.
    Other(u16),
}

/// A checked view of an `ArtDmx` packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dmx<'a>(&'a [u8]);

impl<'a> Packet<'a> {
    /// Checks that `bytes` are an Art-Net packet, after which accessors cannot panic. Trailing bytes are ignored.
    ///
    /// # Errors
    ///
    /// If they are not.
    pub fn check(bytes: &'a [u8]) -> Result<Self, Error> {
        let long_enough = |need| match bytes.len() < need {
            true => Err(Error::Truncated { have: bytes.len(), need }),
            false => Ok(()),
        };
        long_enough(HEADER)?;
        if !bytes.starts_with(ID) {
            return Err(Error::Foreign);
        }
        let number = u16::from_le_bytes([bytes[field::OPERATION], bytes[field::OPERATION + 1]]);
        let version = be16(bytes, field::VERSION);
        match number {
            // A reply to a poll has no version there.
            operation::DMX | operation::SYNC | operation::POLL if version < VERSION => {
                return Err(Error::Version(version));
            }
            operation::SYNC => {
                long_enough(SYNC_SIZE)?;
                return Ok(Self::Sync);
            }
            operation::POLL => {
                long_enough(POLL.len())?;
                return Ok(Self::Poll);
            }
            reply::OPERATION => {
                long_enough(reply::SHORTEST)?;
                return Ok(Self::PollReply(Reply::new(bytes)));
            }
            operation::DMX => {}
            other => return Ok(Self::Other(other)),
        }
        long_enough(DMX_HEADER)?;
        let length = be16(bytes, field::LENGTH);
        let (promised, present) = (usize::from(length), bytes.len() - DMX_HEADER);
        if !(2..=MAX_CHANNELS).contains(&promised) || !promised.is_multiple_of(2) {
            return Err(Error::Length(length));
        }
        if present < promised {
            return Err(Error::DataMissing { promised, present });
        }
        Ok(Self::Dmx(Dmx(&bytes[..DMX_HEADER + promised])))
    }
}

impl<'a> Dmx<'a> {
    /// Sequence number 1 … 255; `None` if the sender does not count.
    pub fn sequence(&self) -> Option<u8> {
        Some(self.0[field::SEQUENCE]).filter(|n| *n > 0)
    }

    /// The universe (port-address), 0 … 32,767.
    pub fn universe(&self) -> u16 {
        u16::from_le_bytes([self.0[field::UNIVERSE], self.0[field::UNIVERSE + 1]]) & LAST_UNIVERSE
    }

    /// The channels.
    pub fn data(&self) -> &'a [u8] {
        &self.0[DMX_HEADER..]
    }
}

fn header(buffer: &mut [u8], number: u16) {
    buffer[..ID.len()].copy_from_slice(ID);
    buffer[field::OPERATION..field::VERSION].copy_from_slice(&number.to_le_bytes());
    buffer[field::VERSION..HEADER].copy_from_slice(&VERSION.to_be_bytes());
}

/// Splits frames into numbered packets.
#[derive(Clone, Debug)]
pub struct Sender {
    universes: Universes,
    syncs: bool,
    sequence: u8,
}

impl Sender {
    /// A sender for these universes; `syncs` if an `ArtSync` packet ends each frame.
    pub const fn new(universes: Universes, syncs: bool) -> Self {
        Self { universes, syncs, sequence: 0 }
    }

    /// Writes the packets of `frame` into `buffer`, one after the other, and passes each to `send`.
    ///
    /// All universes of a frame have the same sequence number, which cycles through 1 … 255. A universe with an odd number
    /// of channels gets one more, which is 0. The first error of `send` ends the frame.
    ///
    /// # Errors
    ///
    /// The first error of `send`.
    pub fn frame<E>(
        &mut self,
        frame: &[u8],
        buffer: &mut [u8; MAX_PACKET],
        mut send: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.sequence = self.sequence % 255 + 1;
        for (universe, data) in self.universes.split(frame) {
            let length = data.len().next_multiple_of(2).max(2);
            header(buffer, operation::DMX);
            buffer[field::SEQUENCE] = self.sequence;
            // The physical port that the channels came from; none here.
            buffer[field::SEQUENCE + 1] = 0;
            buffer[field::UNIVERSE..field::LENGTH].copy_from_slice(&(universe & LAST_UNIVERSE).to_le_bytes());
            buffer[field::LENGTH..DMX_HEADER].copy_from_slice(&(length as u16).to_be_bytes());
            let (channels, padding) = buffer[DMX_HEADER..DMX_HEADER + length].split_at_mut(data.len());
            channels.copy_from_slice(data);
            padding.fill(0);
            send(&buffer[..DMX_HEADER + length])?;
        }
        if self.syncs {
            header(buffer, operation::SYNC);
            buffer[HEADER..SYNC_SIZE].fill(0);
            send(&buffer[..SYNC_SIZE])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packets(sender: &mut Sender, frame: &[u8]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        let mut buffer = [0xee; MAX_PACKET];
        let sent: Result<(), ()> = sender.frame(frame, &mut buffer, |p| {
            out.push(p.to_vec());
            Ok(())
        });
        sent.unwrap();
        out
    }

    fn sender(first: u16, channels: u16, syncs: bool) -> Sender {
        Sender::new(Universes::new(first, channels).unwrap(), syncs)
    }

    #[test]
    fn golden_packets_of_one_pixel_with_sync() {
        let p = packets(&mut sender(0x1234, 510, true), &[1, 2, 3]);
        let dmx = b"Art-Net\0\x00\x50\x00\x0e\x01\x00\x34\x12\x00\x04\x01\x02\x03\x00";
        assert_eq!(p, [&dmx[..], b"Art-Net\0\x00\x52\x00\x0e\x00\x00"]);
    }

    #[test]
    fn the_sequence_runs_from_1_to_255_and_wraps_to_1() {
        let mut s = sender(0, 512, false);
        let numbers: Vec<u8> = (0..256).map(|_| packets(&mut s, &[0; 600])[1][12]).collect();
        assert_eq!((numbers[0], numbers[254], numbers[255]), (1, 255, 1));
    }

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        assert_eq!(Packet::check(&[]), Err(Error::Truncated { have: 0, need: 12 }));
        assert_eq!(Packet::check(b"Art-Nut\0\x00\x50\x00\x0e"), Err(Error::Foreign));
        assert_eq!(Packet::check(b"Art-Net\0\x00\x50\x00\x0d"), Err(Error::Version(13)));
        let dmx = |length: u16, data: usize| {
            let mut bytes = b"Art-Net\0\x00\x50\x00\x0e\x01\x00\x00\x00".to_vec();
            bytes.extend(length.to_be_bytes());
            bytes.extend(vec![9; data]);
            Packet::check(&bytes).map(|_| ())
        };
        assert_eq!(dmx(0, 4), Err(Error::Length(0)));
        assert_eq!(dmx(3, 4), Err(Error::Length(3)));
        assert_eq!(dmx(514, 600), Err(Error::Length(514)));
        assert_eq!(dmx(4, 3), Err(Error::DataMissing { promised: 4, present: 3 }));
        assert_eq!(dmx(4, 9), Ok(()));
        let sync = b"Art-Net\0\x00\x52\x00\x0e\x00";
        assert_eq!(Packet::check(sync), Err(Error::Truncated { have: 13, need: 14 }));
        assert_eq!(Packet::check(&POLL), Ok(Packet::Poll));
        assert_eq!(Packet::check(&POLL[..13]), Err(Error::Truncated { have: 13, need: 14 }));
        assert_eq!(Packet::check(b"Art-Net\0\x00\x23\x00\x0e"), Ok(Packet::Other(0x2300)));
    }

    proptest! {
        #[test]
        fn any_frame_arrives_whole(
            leds in 1_usize..=10_000, white: bool, first in 0_u16..1_000, whole: bool, syncs: bool, seed: u32,
        ) {
            let bytes = leds * if white { 4 } else { 3 };
            let frame: Vec<u8> = (0..bytes as u32).map(|i| (i.wrapping_mul(seed | 1) >> 8) as u8).collect();
            let all = packets(&mut sender(first, if whole { 512 } else { 510 }, syncs), &frame);
            let (mut got, mut next, mut shown) = (Vec::new(), first, 0);
            for packet in &all {
                match Packet::check(packet).unwrap() {
                    Packet::Dmx(dmx) => {
                        prop_assert_eq!((dmx.universe(), dmx.sequence()), (next, Some(1)));
                        got.extend_from_slice(dmx.data());
                        next += 1;
                    }
                    Packet::Sync => shown += 1,
                    other => prop_assert!(false, "{other:?} is not sent"),
                }
            }
            prop_assert_eq!(shown, usize::from(syncs));
            prop_assert!(got.len() - frame.len() < 2);
            prop_assert_eq!(&got[..frame.len()], &frame[..]);
        }

        #[test]
        fn no_bytes_can_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), is_ours: bool) {
            let bytes = if is_ours { [ID, &bytes[..]].concat() } else { bytes };
            if let Ok(Packet::Dmx(p)) = Packet::check(&bytes) {
                let _ = (p.universe(), p.sequence(), p.data().len());
            }
        }
    }
}
