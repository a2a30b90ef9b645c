//! The wire of a strip of WS2812 or SK6812 as bits on an SPI bus.
//!
//! Each bit on the wire is four bits on the bus: 1000 is a zero, 1110 a one. At [`BUS_HZ`] one of them takes 312.5 ns, so
//! a zero is high for 312.5 ns and low for 937.5 ns, and a one the reverse. Both makes of LED accept this: the WS2812B
//! (zero 250 … 550 ns high, one 650 … 950 ns) and the WS2812B-2020 (220 … 380 ns, 580 … 1,000 ns).

use crate::settings::{MOST_CHANNELS, MOST_LEDS};

/// Bits per second on the bus: exactly a 25th of the 80 MHz of the ESP32-S3's and the C6's SPI.
pub const BUS_HZ: u32 = 3_200_000;
/// Number of bytes on the bus for one byte on the wire.
const BYTES: usize = 4;
/// Number of zero bytes before a frame. A bus may put its first bit on the line before its clock starts, and a zero that
/// is high for too long is a one: the first LED would be green.
const HEAD: usize = 4;
/// Number of zero bytes after a frame. They make the line low before the pause begins, whatever the bus does between
/// transfers.
const TAIL: usize = 4;
/// Longest frame in bytes.
const LONGEST_FRAME: usize = MOST_LEDS * MOST_CHANNELS;
/// Longest transfer in bytes.
pub const LONGEST: usize = HEAD + LONGEST_FRAME * BYTES + TAIL;

/// Four bits on the wire, as bytes on the bus.
const fn stretch(nibble: u8) -> [u8; 2] {
    let mut word = 0_u16;
    let mut bit = 0;
    while bit < 4 {
        let four = if nibble >> bit & 1 == 1 { 0b1110 } else { 0b1000 };
        word |= four << (4 * bit);
        bit += 1;
    }
    word.to_be_bytes()
}

static NIBBLES: [[u8; 2]; 16] = {
    let mut all = [[0; 2]; 16];
    let mut i = 0;
    while i < 16 {
        all[i] = stretch(i as u8);
        i += 1;
    }
    all
};

/// Encodes a frame, in the order of the wire, for the bus. Bytes beyond those of [`MOST_LEDS`] are left out. Returns the length
/// of the transfer in bytes.
///
/// # Panics
///
/// If `place` is shorter than the transfer; [`LONGEST`] is always enough.
pub fn encode(frame: &[u8], place: &mut [u8]) -> usize {
    let frame = &frame[..frame.len().min(LONGEST_FRAME)];
    let end = HEAD + frame.len() * BYTES;
    place[..HEAD].fill(0);
    for (four, byte) in place[HEAD..end].chunks_exact_mut(BYTES).zip(frame) {
        four[..2].copy_from_slice(&NIBBLES[usize::from(byte >> 4)]);
        four[2..].copy_from_slice(&NIBBLES[usize::from(byte & 15)]);
    }
    place[end..end + TAIL].fill(0);
    end + TAIL
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::wire_us;
    use alloc::vec::Vec;
    use core::ops::RangeInclusive;
    use proptest::prelude::*;

    /// Time of one bit on the bus in ns.
    const BIT_NS: f64 = 1e9 / BUS_HZ as f64;

    /// The times in ns for which the line is high and then low, for each bit on the wire, and the low time before the
    /// first.
    fn edges(bus: &[u8]) -> (f64, Vec<(f64, f64)>) {
        let levels = bus.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1));
        let (mut before, mut pulses, mut last) = (0.0, Vec::new(), false);
        for high in levels {
            match (high, last, pulses.last_mut()) {
                (true, false, _) => pulses.push((BIT_NS, 0.0)),
                (true, true, Some((up, _))) => *up += BIT_NS,
                (false, _, Some((_, down))) => *down += BIT_NS,
                (_, _, None) => before += BIT_NS,
            }
            last = high;
        }
        (before, pulses)
    }

    /// What a LED reads whose sheet permits these times in ns: high and low of a zero, high and low of a one.
    fn read(pulses: &[(f64, f64)], sheet: &[RangeInclusive<f64>; 4]) -> Vec<u8> {
        let last = pulses.len() - 1;
        let bits: Vec<u8> = (pulses.iter().enumerate())
            .map(|(i, (up, down))| {
                // After the last bit the line stays low.
                let low = |range: &RangeInclusive<f64>| i == last || range.contains(down);
                match () {
                    () if sheet[0].contains(up) && low(&sheet[1]) => 0,
                    () if sheet[2].contains(up) && low(&sheet[3]) => 1,
                    () => panic!("bit {i}: {up} ns high, {down} ns low"),
                }
            })
            .collect();
        bits.chunks(8).map(|byte| byte.iter().fold(0, |b, bit| b << 1 | bit)).collect()
    }

    /// The makers' times for the WS2812B and the WS2812B-2020.
    fn sheets() -> [[RangeInclusive<f64>; 4]; 2] {
        [
            [250.0..=550.0, 700.0..=1_000.0, 650.0..=950.0, 300.0..=600.0],
            [220.0..=380.0, 580.0..=1_000.0, 580.0..=1_000.0, 220.0..=420.0],
        ]
    }

    #[test]
    fn the_bus_clock_is_an_exact_division_of_80_mhz() {
        assert_eq!(80_000_000 % BUS_HZ, 0);
        assert_eq!(80_000_000 / BUS_HZ, 25, "a divider from 2 to 64 needs no second one");
    }

    #[test]
    fn a_frame_takes_the_wire_for_as_long_as_the_pace_allows() {
        let mut bus = [0xff; LONGEST];
        for bytes in [3, 540, LONGEST_FRAME] {
            let length = encode(&alloc::vec![0x55; bytes], &mut bus);
            let wire_ns = (length - HEAD - TAIL) as f64 * 8.0 * BIT_NS;
            assert_eq!(wire_ns, wire_us(bytes, 0) as f64 * 1_000.0);
        }
    }

    #[test]
    fn a_first_bit_that_begins_a_bus_bit_early_is_still_read() {
        // A bus that raises its line half a bit before its clock lengthens only the low time of the head.
        let mut bus = [0xff; LONGEST];
        let length = encode(&[0, 0, 0], &mut bus);
        let (before, pulses) = edges(&bus[..length]);
        assert_eq!(before, HEAD as f64 * 8.0 * BIT_NS, "the line is low first");
        assert_eq!(pulses.len(), 24);
        assert!(pulses[23].1 >= TAIL as f64 * 8.0 * BIT_NS, "and last");
    }

    #[test]
    fn a_longer_frame_is_cut() {
        let mut bus = [0xff; LONGEST];
        assert_eq!(encode(&[0xaa; LONGEST_FRAME + 3], &mut bus), LONGEST);
    }

    proptest! {
        #[test]
        fn leds_of_both_makes_read_what_was_written(leds in 0_usize..40, seed: [u8; 120]) {
            let frame = &seed[..leds * 3];
            let mut bus = [0xff; LONGEST];
            let length = encode(frame, &mut bus);
            let (_, pulses) = edges(&bus[..length]);
            prop_assert_eq!(pulses.len(), frame.len() * 8);
            for sheet in sheets().iter().filter(|_| leds > 0) {
                prop_assert_eq!(&read(&pulses, sheet), frame);
            }
        }
    }
}
