//! `ArtPollReply`: what a node says of itself.
//!
//! A node with more than four ports, or with ports in several subnets, sends several replies.

use super::{ID, LAST_UNIVERSE, PORT};

/// The operation code of a reply.
pub(super) const OPERATION: u16 = 0x2100;
/// Size of a reply that this module writes.
pub const REPLY_SIZE: usize = 239;
/// Size of the shortest reply: older nodes end it behind their MAC address.
pub(super) const SHORTEST: usize = 207;
/// Most ports in one reply.
pub const MAX_PORTS: usize = 4;
/// Longest short name in bytes.
pub const MAX_SHORT_NAME: usize = field::LONG_NAME - field::SHORT_NAME - 1;
/// Longest long name in bytes.
pub const MAX_LONG_NAME: usize = field::REPORT - field::LONG_NAME - 1;

/// Universes of one subnet, which share all bits of their number but the last four.
const SUBNET: u16 = 16;

mod field {
    pub const ADDRESS: usize = 10;
    pub const PORT: usize = 14;
    pub const NET: usize = 18;
    pub const SUBNET: usize = 19;
    pub const SHORT_NAME: usize = 26;
    pub const LONG_NAME: usize = 44;
    pub const REPORT: usize = 108;
    /// Number of ports; its high byte, in front of it, is always 0.
    pub const PORTS: usize = 173;
    pub const PORT_TYPES: usize = 174;
    pub const OUTPUT_STATES: usize = 182;
    pub const OUTPUTS: usize = 190;
    pub const STYLE: usize = 200;
    pub const BIND_INDEX: usize = 211;
    pub const STATUS: usize = 212;
}

/// The port puts out what it receives by Art-Net.
const IS_OUTPUT: u8 = 0x80;
/// The port is transmitting.
const TRANSMITS: u8 = 0x80;
/// Style of a node, other than a desk or a media server.
const STYLE_NODE: u8 = 0;
/// The node knows universes of 15 bits (Art-Net 3 and later).
const KNOWS_15_BITS: u8 = 0x08;

/// A checked view of an `ArtPollReply` packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a>(&'a [u8]);

impl<'a> Reply<'a> {
    /// A view of bytes that begin like a reply and have at least its shortest length.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(&bytes[..bytes.len().min(REPLY_SIZE)])
    }

    /// The IPv4 address that the node gives as its own. A careless node says 0.0.0.0.
    pub fn address(&self) -> [u8; 4] {
        core::array::from_fn(|i| self.0[field::ADDRESS + i])
    }

    /// The name that a user reads in a list; empty if it is not UTF-8.
    pub fn short_name(&self) -> &'a str {
        name(&self.0[field::SHORT_NAME..field::LONG_NAME])
    }

    /// The long name; empty if it is not UTF-8.
    pub fn long_name(&self) -> &'a str {
        name(&self.0[field::LONG_NAME..field::REPORT])
    }

    /// The universes (port-addresses) that the node puts out, up to 4.
    pub fn outputs(&self) -> impl Iterator<Item = u16> + 'a {
        let bytes = self.0;
        let base = u16::from(bytes[field::NET] & 0x7f) << 8 | u16::from(bytes[field::SUBNET] & 0x0f) << 4;
        let ports = usize::from(bytes[field::PORTS]).min(MAX_PORTS);
        (0..ports)
            .filter(move |port| bytes[field::PORT_TYPES + port] & IS_OUTPUT != 0)
            .map(move |port| base | u16::from(bytes[field::OUTPUTS + port] & 0x0f))
    }

    /// True for a node, false for a desk, a media server or another controller.
    pub fn is_node(&self) -> bool {
        self.0[field::STYLE] == STYLE_NODE
    }

    /// Which of a node's replies this is, from 1; 0 if the node does not number them.
    pub fn bind_index(&self) -> u8 {
        self.0.get(field::BIND_INDEX).copied().unwrap_or(0)
    }
}

/// Text up to its first zero.
fn name(bytes: &[u8]) -> &str {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    core::str::from_utf8(&bytes[..end]).unwrap_or_default()
}

/// Why a reply cannot have these universes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputsError {
    /// More than 4.
    TooMany(usize),
    /// They are not all in one subnet of 16, or one is beyond the last universe.
    Subnets,
}

impl core::fmt::Display for OutputsError {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        match self {
            Self::TooMany(n) => write!(f, "ArtPollReply with {n} ports; up to {MAX_PORTS} fit"),
            Self::Subnets => f.write_str("the ports of an ArtPollReply are in one subnet of 16 universes"),
        }
    }
}

impl core::error::Error for OutputsError {}

/// One reply of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node<'a> {
    address: [u8; 4],
    short_name: &'a str,
    long_name: &'a str,
    outputs: &'a [u16],
    bind_index: u8,
}

impl<'a> Node<'a> {
    /// A reply of the node at `address` that puts out these universes. Names are cut off at 17 and 63 bytes, at the end of a
    /// character. `bind_index` counts the node's replies from 1.
    ///
    /// # Errors
    ///
    /// If there are more than 4 universes, or if they are of several subnets.
    pub fn new(
        address: [u8; 4],
        (short_name, long_name): (&'a str, &'a str),
        outputs: &'a [u16],
        bind_index: u8,
    ) -> Result<Self, OutputsError> {
        if outputs.len() > MAX_PORTS {
            return Err(OutputsError::TooMany(outputs.len()));
        }
        let first = outputs.first().copied().unwrap_or(0);
        if outputs.iter().any(|universe| *universe > LAST_UNIVERSE || universe / SUBNET != first / SUBNET) {
            return Err(OutputsError::Subnets);
        }
        Ok(Self { address, short_name, long_name, outputs, bind_index })
    }

    /// Writes the reply.
    pub fn write(&self, buffer: &mut [u8; REPLY_SIZE]) {
        buffer.fill(0);
        buffer[..ID.len()].copy_from_slice(ID);
        buffer[ID.len()..field::ADDRESS].copy_from_slice(&OPERATION.to_le_bytes());
        buffer[field::ADDRESS..field::PORT].copy_from_slice(&self.address);
        buffer[field::PORT..field::PORT + 2].copy_from_slice(&PORT.to_le_bytes());
        let first = self.outputs.first().copied().unwrap_or(0);
        buffer[field::NET] = (first >> 8) as u8;
        buffer[field::SUBNET] = (first >> 4 & 0x0f) as u8;
        for (name, at, longest) in [
            (self.short_name, field::SHORT_NAME, MAX_SHORT_NAME),
            (self.long_name, field::LONG_NAME, MAX_LONG_NAME),
        ] {
            let length = name.floor_char_boundary(longest);
            buffer[at..at + length].copy_from_slice(&name.as_bytes()[..length]);
        }
        buffer[field::PORTS] = self.outputs.len() as u8;
        for (port, universe) in self.outputs.iter().enumerate() {
            buffer[field::PORT_TYPES + port] = IS_OUTPUT;
            buffer[field::OUTPUT_STATES + port] = TRANSMITS;
            buffer[field::OUTPUTS + port] = (universe & 0x0f) as u8;
        }
        buffer[field::STYLE] = STYLE_NODE;
        // The address of the node that the reply belongs to.
        buffer[field::BIND_INDEX - 4..field::BIND_INDEX].copy_from_slice(&self.address);
        buffer[field::BIND_INDEX] = self.bind_index;
        buffer[field::STATUS] = KNOWS_15_BITS;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Error, Packet};
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Reply<'_> {
        match Packet::check(bytes) {
            Ok(Packet::PollReply(reply)) => reply,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_golden_reply() {
        let node = Node::new([10, 0, 0, 5], ("Stage", "Stage left"), &[0x123, 0x12f], 1).unwrap();
        let mut bytes = [0xee; REPLY_SIZE];
        node.write(&mut bytes);
        let mut golden = b"Art-Net\0\x00\x21\x0a\x00\x00\x05\x36\x19\x00\x00\x01\x02".to_vec();
        golden.resize(26, 0);
        golden.extend(b"Stage");
        golden.resize(44, 0);
        golden.extend(b"Stage left");
        golden.resize(172, 0);
        golden.extend(b"\x00\x02\x80\x80\x00\x00\x00\x00\x00\x00\x80\x80\x00\x00\x00\x00\x00\x00\x03\x0f");
        golden.resize(207, 0);
        golden.extend(b"\x0a\x00\x00\x05\x01\x08");
        golden.resize(REPLY_SIZE, 0);
        assert_eq!(bytes[..], golden);
        let reply = read(&bytes);
        assert_eq!(
            (reply.address(), reply.short_name(), reply.long_name()),
            ([10, 0, 0, 5], "Stage", "Stage left")
        );
        assert_eq!((reply.outputs().collect(), reply.bind_index()), (vec![0x123, 0x12f], 1));
        assert!(reply.is_node());
    }

    #[test]
    fn a_short_reply_is_read_and_a_shorter_one_is_refused() {
        let mut bytes = [0; REPLY_SIZE];
        Node::new([10, 0, 0, 5], ("", ""), &[7], 3).unwrap().write(&mut bytes);
        let short = read(&bytes[..SHORTEST]);
        assert_eq!((short.outputs().collect(), short.bind_index()), (vec![7], 0));
        let cut = Packet::check(&bytes[..SHORTEST - 1]);
        assert_eq!(cut, Err(Error::Truncated { have: SHORTEST - 1, need: SHORTEST }));
        // A port that only listens, a name that is not UTF-8, and more ports than fit.
        (bytes[field::PORT_TYPES], bytes[field::PORTS], bytes[field::SHORT_NAME]) = (0x40, 255, 0xff);
        assert_eq!((read(&bytes).outputs().count(), read(&bytes).short_name()), (0, ""));
    }

    #[test]
    fn universes_that_do_not_fit_into_a_reply_are_refused() {
        let node = |outputs| Node::new([0; 4], ("", ""), outputs, 1).map(drop);
        assert_eq!(node(&[0, 1, 2, 3, 4]), Err(OutputsError::TooMany(5)));
        assert_eq!(node(&[15, 16]), Err(OutputsError::Subnets));
        assert_eq!(node(&[0x8000]), Err(OutputsError::Subnets));
        assert_eq!(node(&[0x7ff0, 0x7fff]), Ok(()));
        assert_eq!(node(&[]), Ok(()));
    }

    proptest! {
        #[test]
        fn any_node_arrives_whole(
            address: [u8; 4], short in "\\PC{0,30}", long in "\\PC{0,90}", subnet in 0_u16..0x800,
            ports in prop::collection::vec(0_u16..16, 0..=MAX_PORTS), index: u8,
        ) {
            let outputs: Vec<u16> = ports.iter().map(|port| subnet << 4 | port).collect();
            let mut bytes = [0; REPLY_SIZE];
            Node::new(address, (&short, &long), &outputs, index).unwrap().write(&mut bytes);
            let reply = read(&bytes);
            prop_assert_eq!(reply.address(), address);
            prop_assert_eq!(reply.outputs().collect::<Vec<_>>(), outputs);
            prop_assert_eq!(reply.bind_index(), index);
            for (got, given, longest) in
                [(reply.short_name(), &short, MAX_SHORT_NAME), (reply.long_name(), &long, MAX_LONG_NAME)]
            {
                prop_assert_eq!(got, &given[..given.floor_char_boundary(longest)]);
            }
        }

        #[test]
        fn no_bytes_can_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), SHORTEST - 12..300)) {
            let bytes = [&ID[..], &[0x00, 0x21, 0, 0], &bytes].concat();
            if let Ok(Packet::PollReply(reply)) = Packet::check(&bytes) {
                prop_assert!(reply.outputs().count() <= MAX_PORTS);
                prop_assert!(reply.outputs().all(|universe| universe <= LAST_UNIVERSE));
                let _ = (reply.short_name(), reply.long_name(), reply.is_node(), reply.bind_index());
            }
        }
    }
}
