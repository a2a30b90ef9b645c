//! DDP, the Distributed Display Protocol (3waylabs, version 1): pixels over UDP port 4048.
//!
//! A frame is sent as packets of at most 480 RGB or 360 RGBW pixels. The last one carries PUSH, even if the frame is an exact
//! multiple of them; without it, receivers such as WLED show nothing.

use crate::big_endian::{be16, be32};
use crate::pixel::Pixel;

/// UDP port of receivers and senders.
pub const PORT: u16 = 4048;
/// Most pixel bytes per packet: 480 RGB or 360 RGBW pixels, below every usual MTU.
pub const MAX_DATA: usize = 1_440;
/// Size of the largest packet that this module writes.
pub const MAX_PACKET: usize = HEADER + MAX_DATA;
/// Identifier of the default output device.
pub const DISPLAY: u8 = 1;

/// Size of a header without a time code.
pub const HEADER: usize = 10;
const TIMECODE_LEN: usize = 4;

mod field {
    pub const FLAGS: usize = 0;
    pub const SEQUENCE: usize = 1;
    pub const KIND: usize = 2;
    pub const ID: usize = 3;
    pub const OFFSET: core::ops::Range<usize> = 4..8;
    pub const LENGTH: core::ops::Range<usize> = 8..10;
}

mod flag {
    pub const VERSION_MASK: u8 = 0xc0;
    pub const VERSION_1: u8 = 0x40;
    pub const TIMECODE: u8 = 0x10;
    pub const REPLY: u8 = 0x04;
    pub const QUERY: u8 = 0x02;
    pub const PUSH: u8 = 0x01;
}

/// RGB with 8 bits per channel.
const KIND_RGB: u8 = 0x0b;
/// RGBW with 8 bits per channel.
const KIND_RGBW: u8 = 0x1b;

/// Why bytes are not a DDP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Shorter than its header.
    Truncated {
        /// Bytes present.
        have: usize,
        /// Bytes a header needs.
        need: usize,
    },
    /// The version bits are not 1.
    Version(u8),
    /// The length field promises more data than the packet contains.
    DataMissing {
        /// Bytes promised.
        promised: usize,
        /// Bytes present.
        present: usize,
    },
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        match self {
            Self::Truncated { have, need } => {
                write!(f, "DDP packet of {have} bytes, its header needs {need}")
            }
            Self::Version(v) => write!(f, "DDP version {v}, only version 1 is known"),
            Self::DataMissing { promised, present } => {
                write!(f, "DDP packet promises {promised} bytes of pixels and carries {present}")
            }
        }
    }
}

impl core::error::Error for Error {}

/// A checked view of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a>(&'a [u8]);

impl<'a> Packet<'a> {
    /// Checks that `bytes` are a DDP packet, after which accessors cannot panic. Trailing bytes are ignored.
    pub fn check(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.len() < HEADER {
            return Err(Error::Truncated { have: bytes.len(), need: HEADER });
        }
        let flags = bytes[field::FLAGS];
        if flags & flag::VERSION_MASK != flag::VERSION_1 {
            return Err(Error::Version(flags >> 6));
        }
        let packet = Self(bytes);
        let header = packet.header_len();
        if bytes.len() < header {
            return Err(Error::Truncated { have: bytes.len(), need: header });
        }
        let promised = packet.promised();
        // The length of a query states the size of the answer, not of the packet.
        if !packet.is_query() && bytes.len() - header < promised {
            return Err(Error::DataMissing { promised, present: bytes.len() - header });
        }
        Ok(packet)
    }

    fn header_len(&self) -> usize {
        if self.0[field::FLAGS] & flag::TIMECODE != 0 { HEADER + TIMECODE_LEN } else { HEADER }
    }

    fn promised(&self) -> usize {
        usize::from(be16(self.0, field::LENGTH.start))
    }

    /// Whether this packet completes the frame, so that it can be shown.
    pub fn is_push(&self) -> bool {
        self.0[field::FLAGS] & flag::PUSH != 0
    }

    /// Whether the packet is a query.
    pub fn is_query(&self) -> bool {
        self.0[field::FLAGS] & flag::QUERY != 0
    }

    /// Whether the packet answers a query.
    pub fn is_reply(&self) -> bool {
        self.0[field::FLAGS] & flag::REPLY != 0
    }

    /// Sequence number 1 … 15; `None` if the sender does not count.
    pub fn sequence(&self) -> Option<u8> {
        match self.0[field::SEQUENCE] & 0x0f {
            0 => None,
            n => Some(n),
        }
    }

    /// Bytes per pixel: 4 if the type says RGBW, otherwise 3, because senders in the field use several codes for RGB.
    pub fn bytes_per_pixel(&self) -> usize {
        if self.0[field::KIND] >> 3 & 7 == KIND_RGBW >> 3 { 4 } else { 3 }
    }

    /// The addressed device: 1 is the default output, 255 all devices.
    pub fn id(&self) -> u8 {
        self.0[field::ID]
    }

    /// Offset of the data in the frame, in bytes.
    pub fn offset(&self) -> u32 {
        be32(self.0, field::OFFSET.start)
    }

    /// Time code, if the packet has one.
    pub fn timecode(&self) -> Option<u32> {
        (self.header_len() > HEADER).then(|| be32(self.0, HEADER))
    }

    /// Pixel bytes; empty in a query.
    pub fn data(&self) -> &'a [u8] {
        let start = self.header_len();
        let end = (start + self.promised()).min(self.0.len());
        &self.0[start..end]
    }
}

/// Splits frames into numbered packets.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    pixel: Pixel,
    sequence: u8,
}

impl Sender {
    /// A sender of pixels of this size.
    pub const fn new(pixel: Pixel) -> Self {
        Self { pixel, sequence: 0 }
    }

    /// Header of the next packet: `length` bytes of pixels from `offset` on in the frame. `last` = the frame ends with it.
    pub fn header(&mut self, offset: usize, length: usize, last: bool) -> [u8; HEADER] {
        self.sequence = self.sequence % 15 + 1;
        let mut header = [0; HEADER];
        header[field::FLAGS] = flag::VERSION_1 | if last { flag::PUSH } else { 0 };
        header[field::SEQUENCE] = self.sequence;
        header[field::KIND] = match self.pixel {
            Pixel::Rgb => KIND_RGB,
            Pixel::Rgbw => KIND_RGBW,
        };
        header[field::ID] = DISPLAY;
        header[field::OFFSET].copy_from_slice(&(offset as u32).to_be_bytes());
        header[field::LENGTH].copy_from_slice(&(length as u16).to_be_bytes());
        header
    }

    /// Writes the packets of `frame` into `buffer`, one after the other, and passes each to `send`.
    ///
    /// The sequence number cycles through 1 … 15. Only the last packet carries PUSH; an empty frame is one empty
    /// packet with PUSH. The first error of `send` ends the frame.
    pub fn frame<E>(
        &mut self,
        frame: &[u8],
        buffer: &mut [u8; MAX_PACKET],
        mut send: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut offset = 0;
        loop {
            let data = &frame[offset..frame.len().min(offset + MAX_DATA)];
            let last = offset + data.len() == frame.len();
            buffer[..HEADER].copy_from_slice(&self.header(offset, data.len(), last));
            buffer[HEADER..HEADER + data.len()].copy_from_slice(data);
            send(&buffer[..HEADER + data.len()])?;
            offset += data.len();
            if last {
                return Ok(());
            }
        }
    }
}

/// Assembles frames from packets, as a light does.
#[derive(Clone, Debug)]
pub struct Receiver<const N: usize> {
    pixels: [[u8; 3]; N],
    last_sequence: Option<u8>,
    /// Number of late packets, which were dropped.
    pub late: u32,
}

impl<const N: usize> Default for Receiver<N> {
    fn default() -> Self {
        Self { pixels: [[0; 3]; N], last_sequence: None, late: 0 }
    }
}

impl<const N: usize> Receiver<N> {
    /// Takes a packet. Returns the frame if it is complete. Pixels beyond `N` and white channels are dropped.
    pub fn accept(&mut self, packet: &Packet) -> Option<&[[u8; 3]; N]> {
        if packet.is_query() || packet.is_reply() {
            return None;
        }
        if let (Some(now), Some(last)) = (packet.sequence(), self.last_sequence) {
            // Up to seven numbers behind is a late packet; more is a sender that restarted.
            if (1..=7).contains(&((15 + last - now) % 15)) {
                self.late += 1;
                return None;
            }
        }
        self.last_sequence = packet.sequence().or(self.last_sequence);
        let size = packet.bytes_per_pixel();
        for (i, byte) in packet.data().iter().enumerate() {
            // The offset may be anything: on a 32-bit processor a wrapped sum would land on the first pixels.
            let Some(place) = (packet.offset() as usize).checked_add(i) else { break };
            let (pixel, channel) = (place / size, place % size);
            if pixel < N && channel < 3 {
                self.pixels[pixel][channel] = *byte;
            }
        }
        packet.is_push().then_some(&self.pixels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packets(sender: &mut Sender, frame: &[[u8; 3]]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        let mut buffer = [0; MAX_PACKET];
        sender
            .frame(frame.as_flattened(), &mut buffer, |p| {
                out.push(p.to_vec());
                Ok::<_, ()>(())
            })
            .unwrap();
        out
    }

    #[test]
    fn golden_packet_of_two_pixels() {
        let p = packets(&mut Sender::default(), &[[1, 2, 3], [0xfe, 0xff, 0]]);
        assert_eq!(p, [[0x41, 1, 0x0b, 1, 0, 0, 0, 0, 0, 6, 1, 2, 3, 0xfe, 0xff, 0]]);
    }

    #[test]
    fn push_is_on_the_last_packet_also_at_exact_multiples_of_480() {
        for leds in [0, 1, 180, 479, 480, 481, 960, 961, 1440] {
            let p = packets(&mut Sender::default(), &vec![[9, 8, 7]; leds]);
            assert_eq!(p.len(), leds.div_ceil(480).max(1), "{leds} LEDs");
            for (i, bytes) in p.iter().enumerate() {
                let packet = Packet::check(bytes).unwrap();
                assert_eq!(packet.is_push(), i + 1 == p.len(), "{leds} LEDs, packet {i}");
                assert_eq!(packet.offset() as usize, i * 1440);
                assert!(bytes.len() <= MAX_PACKET);
            }
        }
    }

    #[test]
    fn golden_second_packet_of_960_pixels() {
        let p = packets(&mut Sender::default(), &[[0xaa; 3]; 960]);
        assert_eq!(p[0][..10], [0x40, 1, 0x0b, 1, 0, 0, 0, 0, 0x05, 0xa0]);
        assert_eq!(p[1][..10], [0x41, 2, 0x0b, 1, 0, 0, 0x05, 0xa0, 0x05, 0xa0]);
    }

    #[test]
    fn golden_packets_of_361_rgbw_pixels() {
        let mut sent = Vec::new();
        let all: Result<(), ()> = Sender::new(Pixel::Rgbw).frame(&[9; 361 * 4], &mut [0; MAX_PACKET], |p| {
            sent.push(p.to_vec());
            Ok(())
        });
        all.unwrap();
        assert_eq!(sent[0][..10], [0x40, 1, 0x1b, 1, 0, 0, 0, 0, 0x05, 0xa0]);
        assert_eq!(sent[1], [0x41, 2, 0x1b, 1, 0, 0, 0x05, 0xa0, 0, 4, 9, 9, 9, 9]);
        assert_eq!(Packet::check(&sent[1]).unwrap().bytes_per_pixel(), 4);
    }

    #[test]
    fn the_sequence_runs_from_1_to_15_and_wraps_to_1() {
        let mut s = Sender::default();
        let numbers: Vec<u8> = (0..32).map(|_| packets(&mut s, &[[0; 3]])[0][1]).collect();
        assert_eq!(numbers[..17], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 1, 2]);
    }

    #[test]
    fn packets_of_other_senders_are_read() {
        // A time code makes the header 14 bytes; types 0x0d and 0x01 mean RGB in the field; sequence 0 means "not
        // used".
        let timed = [0x51, 0, 0x0d, 1, 0, 0, 0, 3, 0, 3, 0, 0, 0, 7, 10, 20, 30];
        let p = Packet::check(&timed).unwrap();
        assert_eq!((p.timecode(), p.sequence(), p.bytes_per_pixel()), (Some(7), None, 3));
        assert_eq!((p.offset(), p.data()), (3, &[10, 20, 30][..]));
        let mut light = Receiver::<4>::default();
        assert_eq!(light.accept(&p).unwrap(), &[[0, 0, 0], [10, 20, 30], [0, 0, 0], [0, 0, 0]]);
        let rgbw = [0x41, 5, 0x1b, 1, 0, 0, 0, 0, 0, 8, 1, 2, 3, 99, 4, 5, 6, 99];
        let p = Packet::check(&rgbw).unwrap();
        assert_eq!(Receiver::<2>::default().accept(&p).unwrap(), &[[1, 2, 3], [4, 5, 6]]);
    }

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        assert_eq!(Packet::check(&[]), Err(Error::Truncated { have: 0, need: 10 }));
        assert_eq!(Packet::check(&[0x41; 9]), Err(Error::Truncated { have: 9, need: 10 }));
        assert_eq!(Packet::check(&[0x91; 20]), Err(Error::Version(2)));
        assert_eq!(
            Packet::check(&[0x51, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
            Err(Error::Truncated { have: 10, need: 14 })
        );
        let short = [0x41, 1, 0x0b, 1, 0, 0, 0, 0, 0, 6, 1, 2, 3];
        assert_eq!(Packet::check(&short), Err(Error::DataMissing { promised: 6, present: 3 }));
        assert!(Error::Version(2).to_string().contains("version 1"));
    }

    #[test]
    fn late_packets_are_dropped_and_a_restart_is_not() {
        let mut light = Receiver::<1>::default();
        let packet = |sequence, value| [0x41, sequence, 0x0b, 1, 0, 0, 0, 0, 0, 3, value, value, value];
        let mut show = |s, v| light.accept(&Packet::check(&packet(s, v)).unwrap()).is_some();
        assert!(show(14, 1) && show(15, 2) && show(1, 3));
        assert!(!show(15, 9), "one behind is late");
        assert!(show(6, 4), "five ahead is loss");
    }

    proptest! {
        #[test]
        fn any_frame_arrives_whole(leds in 0_usize..=10_000, seed: u32) {
            let frame: Vec<[u8; 3]> =
                (0..leds as u32).map(|i| (i.wrapping_mul(seed | 1)).to_le_bytes()[..3].try_into().unwrap()).collect();
            let mut light = Box::new(Receiver::<10_000>::default());
            let mut shown = 0;
            for bytes in packets(&mut Sender::default(), &frame) {
                if let Some(pixels) = light.accept(&Packet::check(&bytes).unwrap()) {
                    shown += 1;
                    prop_assert_eq!(&pixels[..leds], &frame[..]);
                }
            }
            prop_assert_eq!(shown, 1);
        }

        #[test]
        fn no_bytes_can_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(p) = Packet::check(&bytes) {
                let _ = (p.id(), p.sequence(), p.timecode(), p.is_reply(), p.data().len(), p.offset());
                Receiver::<8>::default().accept(&p);
            }
        }
    }
}
