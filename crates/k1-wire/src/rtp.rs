//! RTP with linear PCM (RFC 3550, RFC 3551 L16): the sound input of a virtual lamp.
//!
//! A packet is read in two steps: [`Packet::parse`] checks its bytes, and [`Order`] decides its meaning after the
//! packets before it.

/// Bytes of the fixed header.
pub const HEADER: usize = 12;
/// Payload type that K1 sends. K1 accepts all dynamic types, 96 to 127, and 10 and 11 (RFC 3551).
pub const PAYLOAD_TYPE: u8 = 96;

/// A parsed packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Sequence number; wraps.
    pub sequence: u16,
    /// Number of the first sample; wraps.
    pub timestamp: u32,
    /// Identifier of the sender (SSRC).
    pub source: u32,
    /// 16-bit samples, big-endian, a whole number of them.
    pub payload: &'a [u8],
}

/// Why bytes are not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Shorter than its header says.
    Short,
    /// The version is not 2.
    Version,
    /// The payload is not linear PCM.
    Payload,
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        f.write_str(match self {
            Self::Short => "the packet is shorter than its header says",
            Self::Version => "the packet is not RTP version 2",
            Self::Payload => "the packet does not carry 16-bit linear PCM",
        })
    }
}

impl core::error::Error for Error {}

impl<'a> Packet<'a> {
    /// Parses a packet.
    ///
    /// # Errors
    ///
    /// The first fault found.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let Some((head, mut rest)) = bytes.split_first_chunk::<HEADER>() else { return Err(Error::Short) };
        if head[0] >> 6 != 2 {
            return Err(Error::Version);
        }
        let contributors = usize::from(head[0] & 0x0f) * 4;
        rest = rest.get(contributors..).ok_or(Error::Short)?;
        if head[0] & 0x10 != 0 {
            let (extension, after) = rest.split_first_chunk::<4>().ok_or(Error::Short)?;
            let words = usize::from(u16::from_be_bytes([extension[2], extension[3]]));
            rest = after.get(words * 4..).ok_or(Error::Short)?;
        }
        if head[0] & 0x20 != 0 {
            let padding = usize::from(*rest.last().ok_or(Error::Short)?);
            let end = rest.len().checked_sub(padding).filter(|_| padding > 0).ok_or(Error::Short)?;
            rest = &rest[..end];
        }
        if !matches!(head[1] & 0x7f, 10 | 11 | 96..=127) || rest.is_empty() || rest.len() % 2 != 0 {
            return Err(Error::Payload);
        }
        Ok(Self {
            sequence: u16::from_be_bytes([head[2], head[3]]),
            timestamp: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            source: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
            payload: rest,
        })
    }

    /// The samples as sent; [`to_float`] converts them.
    pub fn samples(&self) -> impl Iterator<Item = i16> + 'a {
        self.payload.as_chunks().0.iter().map(|b| i16::from_be_bytes(*b))
    }

    /// Number of samples.
    pub fn count(&self) -> u32 {
        (self.payload.len() / 2) as u32
    }
}

/// Converts a sample to −1 … 1.
pub fn to_float(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

/// Writes the header of a packet. The samples follow it, big-endian.
pub fn write_header(sequence: u16, timestamp: u32, source: u32) -> [u8; HEADER] {
    let mut head = [0; HEADER];
    head[0] = 0x80;
    head[1] = PAYLOAD_TYPE;
    head[2..4].copy_from_slice(&sequence.to_be_bytes());
    head[4..8].copy_from_slice(&timestamp.to_be_bytes());
    head[8..12].copy_from_slice(&source.to_be_bytes());
    head
}

/// The meaning of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Use it. The `lost` samples before it should be replaced by silence.
    Take {
        /// Number of lost samples.
        lost: u32,
    },
    /// A duplicate, too late, or from another source than the followed one.
    Drop,
}

/// Longest gap that is filled with silence, in samples (1 s). After a longer gap the stream starts anew.
const LONGEST_GAP: u32 = 16_000;
/// Time in µs after which a silent source is given up for another one. A restarted sender is another source.
pub const GIVEN_UP_US: u64 = 1_000_000;

/// The source whose packets are used.
#[derive(Clone, Copy, Debug)]
struct Followed {
    source: u32,
    /// Timestamp of its next packet.
    next: u32,
    /// Time of its last packet, in µs.
    heard_us: u64,
}

/// Follows one source and orders its packets by their timestamps. The samples of two sources would not be sound.
#[derive(Clone, Copy, Debug, Default)]
pub struct Order {
    followed: Option<Followed>,
}

impl Order {
    /// Decides what a packet means that arrives at `now_us`, in µs of a clock that never goes back.
    pub fn judge(&mut self, packet: &Packet, now_us: u64) -> Meaning {
        let expected = match &mut self.followed {
            Some(followed) if followed.source == packet.source => {
                followed.heard_us = now_us;
                followed.next
            }
            Some(followed) if now_us.saturating_sub(followed.heard_us) < GIVEN_UP_US => return Meaning::Drop,
            _ => packet.timestamp,
        };
        let ahead = packet.timestamp.wrapping_sub(expected);
        let lost = match ahead {
            0..=LONGEST_GAP => ahead,
            // Slightly in the past: late. Far away in either direction: the sender has restarted.
            _ if ahead > u32::MAX - LONGEST_GAP => return Meaning::Drop,
            _ => 0,
        };
        let next = packet.timestamp.wrapping_add(packet.count());
        self.followed = Some(Followed { source: packet.source, next, heard_us: now_us });
        Meaning::Take { lost }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn packet(sequence: u16, timestamp: u32, samples: &[i16]) -> Vec<u8> {
        packet_of(7, sequence, timestamp, samples)
    }

    fn packet_of(source: u32, sequence: u16, timestamp: u32, samples: &[i16]) -> Vec<u8> {
        let mut bytes = write_header(sequence, timestamp, source).to_vec();
        samples.iter().for_each(|s| bytes.extend(s.to_be_bytes()));
        bytes
    }

    #[test]
    fn written_packets_are_read_back() {
        let bytes = packet(65_535, 9, &[0, 16_384, -32_768]);
        let p = Packet::parse(&bytes).unwrap();
        assert_eq!((p.sequence, p.timestamp, p.source, p.count()), (65_535, 9, 7, 3));
        assert_eq!(p.samples().map(to_float).collect::<Vec<_>>(), [0.0, 0.5, -1.0]);
        // Two contributors, an extension of one word, four bytes of padding.
        let mut full = std::vec![0xb2, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        full.extend([0; 8]);
        full.extend([0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
        full.extend([0x40, 0, 0, 0, 0, 4]);
        assert_eq!(Packet::parse(&full).unwrap().samples().map(to_float).collect::<Vec<_>>(), [0.5]);
    }

    #[test]
    fn packets_of_other_kinds_are_refused() {
        let good = packet(1, 1, &[1, 2]);
        let with = |at: usize, byte: u8| {
            let mut b = good.clone();
            b[at] = byte;
            Packet::parse(&b).map(|p| p.count())
        };
        assert_eq!(with(0, 0x40), Err(Error::Version));
        assert_eq!(with(1, 33), Err(Error::Payload));
        assert_eq!(with(0, 0x8f), Err(Error::Short), "contributors that are not there");
        assert_eq!(with(0, 0x90), Err(Error::Short), "an extension that is not there");
        assert_eq!(with(0, 0xa0), Ok(1), "two bytes of padding leave one sample");
        assert_eq!(with(0, 0xa0).and(with(15, 3)), Ok(2), "without the flag there is no padding");
        assert_eq!(Packet::parse(&good[..good.len() - 1]), Err(Error::Payload));
        assert_eq!(Packet::parse(&good[..11]), Err(Error::Short));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(p) = Packet::parse(&bytes) {
                prop_assert_eq!(p.samples().count(), p.count() as usize);
                Order::default().judge(&p, 0);
            }
        }
    }

    #[test]
    fn gaps_are_filled_and_late_packets_are_dropped() {
        let mut order = Order::default();
        let mut judge =
            |timestamp: u32| order.judge(&Packet::parse(&packet(0, timestamp, &[0; 128])).unwrap(), 0);
        let start = u32::MAX - 200;
        assert_eq!(judge(start), Meaning::Take { lost: 0 });
        assert_eq!(judge(start.wrapping_add(128)), Meaning::Take { lost: 0 });
        assert_eq!(
            judge(start.wrapping_add(512)),
            Meaning::Take { lost: 256 },
            "over the end of the numbers"
        );
        assert_eq!(judge(start.wrapping_add(256)), Meaning::Drop);
        assert_eq!(judge(start.wrapping_add(512)), Meaning::Drop, "twice");
        assert_eq!(judge(5_000_000), Meaning::Take { lost: 0 }, "a new start");
    }

    #[test]
    fn one_source_is_followed_until_it_is_silent() {
        const HOP_US: u64 = 8_000;
        let mut order = Order::default();
        let mut judge = |source: u32, timestamp: u32, now_us: u64| {
            order.judge(&Packet::parse(&packet_of(source, 0, timestamp, &[0; 128])).unwrap(), now_us)
        };
        let taken = Meaning::Take { lost: 0 };
        // Two programs play at the same time for ten seconds.
        for hop in 0..1_250 {
            let (timestamp, now_us) = (hop * 128, u64::from(hop) * HOP_US);
            assert_eq!(judge(1, timestamp, now_us), taken, "{hop}");
            assert_eq!(judge(2, 77_000 + timestamp, now_us + 1), Meaning::Drop, "{hop}");
        }
        // The first one ends; the second one continues.
        let last = 1_249 * HOP_US;
        assert_eq!(judge(2, 0, last + GIVEN_UP_US - 1), Meaning::Drop);
        assert_eq!(judge(2, 128, last + GIVEN_UP_US), taken);
        assert_eq!(judge(1, 1_250 * 128, last + GIVEN_UP_US + 1), Meaning::Drop, "it has lost its place");
        // A late packet is a sign of life, too.
        assert_eq!(judge(2, 0, last + 2 * GIVEN_UP_US - 1), Meaning::Drop);
        assert_eq!(judge(1, 0, last + 2 * GIVEN_UP_US), Meaning::Drop);
    }
}
