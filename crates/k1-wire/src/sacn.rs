//! Streaming ACN (ANSI E1.31-2018): DMX universes over UDP port 5568, each to a multicast group of its own or to one host.
//!
//! A frame is sent as one data packet for each universe, and, if receivers are to show all universes at the same moment, one
//! synchronisation packet behind them. At the end a source says three times that its streams are terminated.

mod view;

pub use view::{Data, Discovery, Error, Packet};

use crate::universes::{MAX_CHANNELS, Universes};

/// UDP port of receivers.
pub const PORT: u16 = 5_568;
/// First universe.
pub const FIRST_UNIVERSE: u16 = 1;
/// Last universe.
pub const LAST_UNIVERSE: u16 = 63_999;
/// The universe to whose group a source sends the list of its universes.
pub const DISCOVERY_UNIVERSE: u16 = 64_214;
/// Interval in seconds between two such lists.
pub const DISCOVERY_S: u64 = 10;
/// Priority of a source that does not choose one.
pub const DEFAULT_PRIORITY: u8 = 100;
/// Highest priority.
pub const MAX_PRIORITY: u8 = 200;
/// Longest name of a source in bytes.
pub const MAX_NAME: usize = NAME - 1;
/// Number of packets that say that a stream is terminated.
pub const TERMINATIONS: usize = 3;
/// Size of the largest packet that this module writes: a list of 512 universes.
pub const MAX_PACKET: usize = LIST + 2 * LISTED;

const NAME: usize = 64;
/// Beginning of every packet: preamble, no postamble, and the name of the protocol.
const PREAMBLE: &[u8; 16] = b"\x00\x10\x00\x00ASC-E1.17\0\0\0";
const DATA_HEADER: usize = 126;
const SYNC_SIZE: usize = 49;
/// Most universes in one packet of a list.
const LISTED: usize = 512;

mod field {
    use core::ops::Range;
    pub const ROOT: usize = 16;
    pub const ROOT_VECTOR: Range<usize> = 18..22;
    pub const CID: Range<usize> = 22..38;
    pub const FRAMING: usize = 38;
    pub const FRAMING_VECTOR: Range<usize> = 40..44;
    pub const NAME: Range<usize> = 44..108;
    pub const PRIORITY: usize = 108;
    pub const SYNC_UNIVERSE: usize = 109;
    pub const SEQUENCE: usize = 111;
    pub const OPTIONS: usize = 112;
    pub const UNIVERSE: usize = 113;
    pub const DMP: usize = 115;
    /// Vector, type of address and data, first address, increment.
    pub const DMP_FIXED: Range<usize> = 117..123;
    pub const COUNT: usize = 123;
    pub const START_CODE: usize = 125;
    pub const SYNC_SEQUENCE: usize = 44;
    pub const SYNC_ADDRESS: usize = 45;
    pub const SYNC_RESERVED: Range<usize> = 47..49;
    pub const LIST_RESERVED: Range<usize> = 108..112;
    pub const LIST_LAYER: usize = 112;
    pub const LIST_VECTOR: Range<usize> = 114..118;
    pub const PAGE: usize = 118;
    pub const LAST_PAGE: usize = 119;
}

/// Beginning of the universes in a list.
const LIST: usize = 120;

mod vector {
    pub const ROOT_DATA: u32 = 4;
    pub const ROOT_EXTENDED: u32 = 8;
    pub const FRAMING_DATA: u32 = 2;
    pub const FRAMING_SYNC: u32 = 1;
    pub const FRAMING_DISCOVERY: u32 = 2;
    pub const LIST: u32 = 1;
    /// Set property, 16-bit addresses with equal sizes, from 0 in steps of 1.
    pub const DMP: [u8; 6] = [0x02, 0xa1, 0, 0, 0, 1];
}

mod option {
    pub const PREVIEW: u8 = 0x80;
    pub const TERMINATED: u8 = 0x40;
}

/// The multicast group of a universe: 239.255.HIGH.LOW.
pub const fn group(universe: u16) -> [u8; 4] {
    let [high, low] = universe.to_be_bytes();
    [239, 255, high, low]
}

/// What a source says about itself in each packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Id of the source, which no other source has.
    pub cid: [u8; 16],
    name: [u8; NAME],
}

impl Identity {
    /// An identity. A name of more than 63 bytes is cut off at the end of a character.
    pub fn new(cid: [u8; 16], name: &str) -> Self {
        let mut bytes = [0; NAME];
        let length = name.floor_char_boundary(MAX_NAME);
        bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
        Self { cid, name: bytes }
    }
}

/// Splits frames into numbered packets.
#[derive(Clone, Debug)]
pub struct Sender {
    identity: Identity,
    universes: Universes,
    priority: u8,
    sync_universe: u16,
    sequence: u8,
}

impl Sender {
    /// A sender for these universes. `priority` is 0 … 200; with a `sync_universe`, receivers wait for the synchronisation
    /// packet behind each frame.
    pub const fn new(
        identity: Identity,
        universes: Universes,
        priority: u8,
        sync_universe: Option<u16>,
    ) -> Self {
        let sync_universe = match sync_universe {
            Some(universe) => universe,
            None => 0,
        };
        Self { identity, universes, priority, sync_universe, sequence: 0 }
    }

    /// Writes the packets of `frame` into `buffer`, one after the other, and passes each to `send`, with the universe to whose
    /// group it belongs.
    ///
    /// All universes of a frame have the same sequence number.
    ///
    /// # Errors
    ///
    /// The first error of `send` ends the frame.
    pub fn frame<E>(
        &mut self,
        frame: &[u8],
        buffer: &mut [u8; MAX_PACKET],
        mut send: impl FnMut(u16, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.data(frame, 0, buffer, &mut send)?;
        if self.sync_universe == 0 {
            return Ok(());
        }
        self.begin(buffer, SYNC_SIZE, vector::ROOT_EXTENDED, vector::FRAMING_SYNC);
        buffer[field::SYNC_SEQUENCE] = self.sequence;
        put(buffer, field::SYNC_ADDRESS, self.sync_universe);
        buffer[field::SYNC_RESERVED].fill(0);
        send(self.sync_universe, &buffer[..SYNC_SIZE])
    }

    /// Says three times that all universes of `frame`, the last one that was sent, are terminated.
    ///
    /// # Errors
    ///
    /// The first error of `send`.
    pub fn terminate<E>(
        &mut self,
        frame: &[u8],
        buffer: &mut [u8; MAX_PACKET],
        mut send: impl FnMut(u16, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        (0..TERMINATIONS).try_for_each(|_| self.data(frame, option::TERMINATED, buffer, &mut send))
    }

    /// Sends the list of universes for a frame of `length` channels, in pages of 512.
    ///
    /// # Errors
    ///
    /// The first error of `send`.
    pub fn discovery<E>(
        &self,
        length: usize,
        buffer: &mut [u8; MAX_PACKET],
        mut send: impl FnMut(u16, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (first, count) = (usize::from(self.universes.first()), self.universes.count(length));
        // One byte counts the pages, so that no more than all universes fit.
        let last_page = (count - 1) / LISTED;
        for page in 0..=last_page {
            let listed = (count - page * LISTED).min(LISTED);
            let size = LIST + 2 * listed;
            self.begin(buffer, size, vector::ROOT_EXTENDED, vector::FRAMING_DISCOVERY);
            buffer[field::NAME].copy_from_slice(&self.identity.name);
            buffer[field::LIST_RESERVED].fill(0);
            layer(buffer, field::LIST_LAYER, size);
            buffer[field::LIST_VECTOR].copy_from_slice(&vector::LIST.to_be_bytes());
            (buffer[field::PAGE], buffer[field::LAST_PAGE]) = (page as u8, last_page as u8);
            for i in 0..listed {
                put(buffer, LIST + 2 * i, (first + page * LISTED + i) as u16);
            }
            send(DISCOVERY_UNIVERSE, &buffer[..size])?;
        }
        Ok(())
    }

    fn data<E>(
        &mut self,
        frame: &[u8],
        options: u8,
        buffer: &mut [u8; MAX_PACKET],
        send: &mut impl FnMut(u16, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.sequence = self.sequence.wrapping_add(1);
        for (universe, data) in self.universes.split(frame) {
            let size = DATA_HEADER + data.len();
            self.begin(buffer, size, vector::ROOT_DATA, vector::FRAMING_DATA);
            buffer[field::NAME].copy_from_slice(&self.identity.name);
            buffer[field::PRIORITY] = self.priority;
            put(buffer, field::SYNC_UNIVERSE, self.sync_universe);
            buffer[field::SEQUENCE] = self.sequence;
            buffer[field::OPTIONS] = options;
            put(buffer, field::UNIVERSE, universe);
            layer(buffer, field::DMP, size);
            buffer[field::DMP_FIXED].copy_from_slice(&vector::DMP);
            put(buffer, field::COUNT, data.len() as u16 + 1);
            buffer[field::START_CODE] = 0;
            buffer[DATA_HEADER..size].copy_from_slice(data);
            send(universe, &buffer[..size])?;
        }
        Ok(())
    }

    /// Writes the layers that all packets share.
    fn begin(&self, buffer: &mut [u8; MAX_PACKET], size: usize, root: u32, framing: u32) {
        buffer[..field::ROOT].copy_from_slice(PREAMBLE);
        layer(buffer, field::ROOT, size);
        buffer[field::ROOT_VECTOR].copy_from_slice(&root.to_be_bytes());
        buffer[field::CID].copy_from_slice(&self.identity.cid);
        layer(buffer, field::FRAMING, size);
        buffer[field::FRAMING_VECTOR].copy_from_slice(&framing.to_be_bytes());
    }
}

fn put(buffer: &mut [u8], at: usize, value: u16) {
    buffer[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// Writes the flags and the length of a layer that begins at `at` and ends with the packet.
fn layer(buffer: &mut [u8], at: usize, size: usize) {
    put(buffer, at, 0x7000 | (size - at) as u16);
}

// The longest data packet fits, too.
const _: () = assert!(DATA_HEADER + MAX_CHANNELS <= MAX_PACKET);

#[cfg(test)]
mod tests;
