//! WLED's own realtime protocol over UDP port 21324: pixels from a given one on, in RGB (`DNRGB`) or RGBW (`DNRGBW`).
//!
//! Each packet says for how long WLED shows it before it returns to its own effects.

use crate::big_endian::be16;
use crate::pixel::Pixel;

/// UDP port of WLED.
pub const PORT: u16 = 21_324;
/// Size of the largest packet that this module writes.
pub const MAX_PACKET: usize = HEADER + RGBW_LEDS * 4;
/// WLED shows the pixels until a packet says otherwise.
pub const FOR_EVER: u8 = 255;
/// WLED returns to its own effects at once.
pub const HAND_BACK: u8 = 0;
/// Largest number of LEDs, because an index has 16 bits.
pub const MAX_LEDS: usize = 65_536;

const HEADER: usize = 4;
const RGB_LEDS: usize = 489;
const RGBW_LEDS: usize = 367;
const DNRGB: u8 = 4;
const DNRGBW: u8 = 5;

/// Why bytes are not a packet of pixels from a given one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Shorter than its header; the field has the number of bytes.
    Truncated(usize),
    /// Another kind of packet.
    Kind(u8),
    /// The pixels are not complete; the field has the number of bytes.
    Pixels(usize),
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        match self {
            Self::Truncated(n) => write!(f, "WLED packet of {n} bytes, its header needs {HEADER}"),
            Self::Kind(n) => write!(f, "WLED packet of kind {n}; only DNRGB (4) and DNRGBW (5) are known"),
            Self::Pixels(n) => write!(f, "WLED packet with {n} bytes, which are not whole pixels"),
        }
    }
}

impl core::error::Error for Error {}

/// A checked view of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a>(&'a [u8]);

impl<'a> Packet<'a> {
    /// Checks that `bytes` are such a packet, after which accessors cannot panic.
    ///
    /// # Errors
    ///
    /// If they are not.
    pub fn check(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.len() < HEADER {
            return Err(Error::Truncated(bytes.len()));
        }
        if !matches!(bytes[0], DNRGB | DNRGBW) {
            return Err(Error::Kind(bytes[0]));
        }
        let packet = Self(bytes);
        match packet.data().len() {
            n if !n.is_multiple_of(packet.bytes_per_pixel()) => Err(Error::Pixels(n)),
            _ => Ok(packet),
        }
    }

    /// Bytes per pixel: 3 or 4.
    pub fn bytes_per_pixel(&self) -> usize {
        if self.0[0] == DNRGBW { 4 } else { 3 }
    }

    /// Seconds until WLED returns to its own effects; [`HAND_BACK`] and [`FOR_EVER`] are special.
    pub fn timeout(&self) -> u8 {
        self.0[1]
    }

    /// Index of the first pixel.
    pub fn first(&self) -> u16 {
        be16(self.0, 2)
    }

    /// Pixel bytes.
    pub fn data(&self) -> &'a [u8] {
        &self.0[HEADER..]
    }
}

/// Writes the packets of `frame` into `buffer`, one after the other, and passes each to `send`. An empty frame is one empty
/// packet. Pixels from 65,536 on are left out.
///
/// # Errors
///
/// The first error of `send` ends the frame.
pub fn frame<E>(
    pixel: Pixel,
    timeout: u8,
    frame: &[u8],
    buffer: &mut [u8; MAX_PACKET],
    mut send: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let size = pixel.size();
    let (kind, most) = match pixel {
        Pixel::Rgb => (DNRGB, RGB_LEDS),
        Pixel::Rgbw => (DNRGBW, RGBW_LEDS),
    };
    let mut first = 0;
    loop {
        let data = &frame[frame.len().min(first * size)..frame.len().min((first + most) * size)];
        let Ok(index) = u16::try_from(first) else { return Ok(()) };
        let [high, low] = index.to_be_bytes();
        buffer[..HEADER].copy_from_slice(&[kind, timeout, high, low]);
        buffer[HEADER..HEADER + data.len()].copy_from_slice(data);
        send(&buffer[..HEADER + data.len()])?;
        first += most;
        if first * size >= frame.len() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packets(pixel: Pixel, timeout: u8, channels: &[u8]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        let sent: Result<(), ()> = frame(pixel, timeout, channels, &mut [0xee; MAX_PACKET], |p| {
            out.push(p.to_vec());
            Ok(())
        });
        sent.unwrap();
        out
    }

    #[test]
    fn golden_packets() {
        assert_eq!(packets(Pixel::Rgb, 5, &[1, 2, 3]), [[4, 5, 0, 0, 1, 2, 3]]);
        assert_eq!(packets(Pixel::Rgbw, FOR_EVER, &[1, 2, 3, 9]), [[5, 255, 0, 0, 1, 2, 3, 9]]);
        assert_eq!(packets(Pixel::Rgb, HAND_BACK, &[]), [[4, 0, 0, 0]]);
        let two = packets(Pixel::Rgb, 1, &[7; 490 * 3]);
        assert_eq!((two[0].len(), &two[1][..]), (1_471, &[4, 1, 0x01, 0xe9, 7, 7, 7][..]));
        let two = packets(Pixel::Rgbw, 1, &[7; 368 * 4]);
        assert_eq!((two[0].len(), &two[1][..]), (1_472, &[5, 1, 0x01, 0x6f, 7, 7, 7, 7][..]));
        assert_eq!(packets(Pixel::Rgb, 1, &[7; 489 * 3]).len(), 1);
    }

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        assert_eq!(Packet::check(&[4, 1, 0]), Err(Error::Truncated(3)));
        assert_eq!(Packet::check(&[2, 1, 0, 0, 1, 2, 3]), Err(Error::Kind(2)));
        assert_eq!(Packet::check(&[4, 1, 0, 0, 1, 2]), Err(Error::Pixels(2)));
        assert_eq!(Packet::check(&[5, 1, 0, 0, 1, 2, 3]), Err(Error::Pixels(3)));
    }

    proptest! {
        #[test]
        fn any_frame_arrives_whole(leds in 1_usize..=10_000, white: bool, timeout: u8, seed: u32) {
            let (pixel, size) = if white { (Pixel::Rgbw, 4) } else { (Pixel::Rgb, 3) };
            let channels: Vec<u8> =
                (0..(leds * size) as u32).map(|i| (i.wrapping_mul(seed | 1) >> 8) as u8).collect();
            let mut got = Vec::new();
            for bytes in packets(pixel, timeout, &channels) {
                let packet = Packet::check(&bytes).unwrap();
                prop_assert_eq!((packet.bytes_per_pixel(), packet.timeout()), (size, timeout));
                prop_assert_eq!(usize::from(packet.first()) * size, got.len());
                prop_assert!(bytes.len() <= 1_472, "it fits into one Ethernet frame");
                got.extend_from_slice(packet.data());
            }
            prop_assert_eq!(got, channels);
        }

        #[test]
        fn no_bytes_can_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(p) = Packet::check(&bytes) {
                let _ = (p.first(), p.timeout(), p.data().len());
            }
        }
    }
}
