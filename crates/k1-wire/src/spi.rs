//! Strips at an SPI interface, such as a Raspberry Pi's: WS2812 and its relatives, whose bits are drawn with SPI bits on the data
//! line alone, and APA102 and SK9822, which have a clock line.

/// Number of SPI bits that draw one bit of a WS2812.
///
/// A WS2812 tells 0 and 1 apart by the time that its line is high: about 0.3 or 0.6 … 0.8 µs of 1.25 µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expansion {
    /// Three bits at 2.4 MHz: high for 0.42 or 0.83 µs.
    #[default]
    Three,
    /// Four bits at 3.2 MHz: high for 0.31 or 0.63 µs.
    Four,
}

/// Time in µs for which the line stays low behind a frame, so that the strip shows it. Newer chips need 280 µs.
const LATCH_US: u32 = 300;

impl Expansion {
    /// Number of SPI bits, and of SPI bytes for a channel.
    pub const fn bits(self) -> usize {
        match self {
            Self::Three => 3,
            Self::Four => 4,
        }
    }

    /// Clock of the interface in Hz: 800,000 bits a second for the strip.
    pub const fn speed_hz(self) -> u32 {
        800_000 * self.bits() as u32
    }

    /// Zeros behind a frame, in bytes.
    const fn latch(self) -> usize {
        (self.speed_hz() / 8 * LATCH_US).div_ceil(1_000_000) as usize
    }

    /// The SPI bits of a bit.
    const fn symbol(self, bit: bool) -> u32 {
        match (self, bit) {
            (Self::Three, false) => 0b100,
            (Self::Three, true) => 0b110,
            (Self::Four, false) => 0b1000,
            (Self::Four, true) => 0b1100,
        }
    }

    /// The SPI bytes of a channel.
    fn channel(self, value: u8) -> impl Iterator<Item = u8> {
        let bits = (0..8).rev().fold(0, |bits, bit| bits << self.bits() | self.symbol(value >> bit & 1 == 1));
        bits.to_be_bytes().into_iter().skip(4 - self.bits())
    }

    /// Number of bytes of a WS2812 frame with `channels` channels.
    pub const fn size(self, channels: usize) -> usize {
        channels * self.bits() + self.latch()
    }
}

/// The bytes of a frame for WS2812, in the order of its colours. They must leave in one transfer, because a pause ends the frame.
pub fn ws2812(channels: &[u8], expansion: Expansion) -> impl Iterator<Item = u8> {
    let data = channels.iter().flat_map(move |channel| expansion.channel(*channel));
    data.chain(core::iter::repeat_n(0, expansion.latch()))
}

/// Beginning of an APA102 frame.
const START: [u8; 4] = [0; 4];
/// Three set bits, and the LED's own brightness in full.
const FULL: u8 = 0xff;

/// The bytes of a frame for APA102 or SK9822, three channels for each LED in the order of its colours. An incomplete LED at the
/// end is left out.
pub fn apa102(channels: &[u8]) -> impl Iterator<Item = u8> {
    let (leds, _) = channels.as_chunks::<3>();
    let data = leds.iter().flat_map(|[a, b, c]| [FULL, *a, *b, *c]);
    // A SK9822 shows the frame at the next 32 zeros. Each LED delays the data by half a clock, so that the last ones need
    // half as many clocks more as there are LEDs. Ones would be a white LED on a longer strip.
    let end = core::iter::repeat_n(0, START.len() + leds.len().div_ceil(16));
    START.into_iter().chain(data).chain(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Times for which the line is high and then low, in SPI bits.
    fn pulses(bytes: &[u8]) -> Vec<(usize, usize)> {
        let bits: Vec<bool> =
            bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
        let mut pulses: Vec<(usize, usize)> = Vec::new();
        let mut before = false;
        for bit in bits {
            match (before, bit) {
                (false, true) => pulses.push((1, 0)),
                (true, true) => pulses.last_mut().unwrap().0 += 1,
                (_, false) => pulses.last_mut().unwrap().1 += 1,
            }
            before = bit;
        }
        pulses
    }

    /// What a WS2812 strip reads, by the times of its data sheet.
    fn strip(bytes: &[u8], expansion: Expansion) -> Vec<u8> {
        let ns = |bits: usize| bits * 1_000_000_000 / expansion.speed_hz() as usize;
        let all = pulses(bytes);
        let bit = |(high, _): &(usize, usize)| match ns(*high) {
            200..=450 => 0,
            550..=950 => 1,
            other => panic!("high for {other} ns"),
        };
        let (last, others) = all.split_last().unwrap();
        assert!(ns(last.1) >= 280_000, "the strip shows the frame");
        assert!(others.iter().all(|(high, low)| (1_200..=1_300).contains(&ns(high + low))));
        all.chunks(8).map(|bits| bits.iter().fold(0, |byte, pulse| byte << 1 | bit(pulse))).collect()
    }

    /// What APA102 LEDs read.
    fn leds(bytes: &[u8]) -> Vec<[u8; 3]> {
        assert_eq!(bytes[..4], [0; 4]);
        let (all, rest) = bytes[4..].as_chunks::<4>();
        let shown: Vec<[u8; 3]> =
            all.iter().take_while(|led| led[0] == 0xff).map(|[_, a, b, c]| [*a, *b, *c]).collect();
        assert!(all[shown.len()..].as_flattened().iter().chain(rest).all(|byte| *byte == 0));
        let behind = bytes.len() - 4 - 4 * shown.len();
        assert!((behind - 4) * 16 >= shown.len(), "{behind} bytes of clock for {} LEDs", shown.len());
        shown
    }

    #[test]
    fn golden_bytes() {
        // 0b10100011 and 0.
        let three: Vec<u8> = ws2812(&[0xa3, 0], Expansion::Three).collect();
        assert_eq!(
            three[..6],
            [0b1101_0011, 0b0100_1001, 0b0011_0110, 0b1001_0010, 0b0100_1001, 0b0010_0100]
        );
        assert_eq!(three[6..], [0; 90]);
        let four: Vec<u8> = ws2812(&[0xa3], Expansion::Four).collect();
        assert_eq!(four[..4], [0xc8, 0xc8, 0x88, 0xcc]);
        assert_eq!(four[4..], [0; 120]);
        let apa: Vec<u8> = apa102(&[1, 2, 3, 4, 5, 6, 7]).collect();
        assert_eq!(apa, [0, 0, 0, 0, 0xff, 1, 2, 3, 0xff, 4, 5, 6, 0, 0, 0, 0, 0]);
        assert_eq!((Expansion::Three.speed_hz(), Expansion::Four.speed_hz()), (2_400_000, 3_200_000));
    }

    proptest! {
        #[test]
        fn a_strip_reads_what_was_sent(channels in prop::collection::vec(any::<u8>(), 1..1_500), four: bool) {
            let expansion = if four { Expansion::Four } else { Expansion::Three };
            let bytes: Vec<u8> = ws2812(&channels, expansion).collect();
            prop_assert_eq!(bytes.len(), expansion.size(channels.len()));
            prop_assert_eq!(strip(&bytes, expansion), channels);
        }

        #[test]
        fn leds_with_a_clock_read_what_was_sent(channels in prop::collection::vec(any::<u8>(), 0..3_000)) {
            let bytes: Vec<u8> = apa102(&channels).collect();
            prop_assert_eq!(&leds(&bytes)[..], channels.as_chunks::<3>().0);
        }
    }
}
