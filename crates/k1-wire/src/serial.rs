//! Lights on a serial port: Adalight and TPM2, RGB.
//!
//! Both are a stream of frames with a header; a receiver that begins in the middle looks for the next header.

/// Most LEDs in a frame of Adalight, whose header counts them in 16 bits.
pub const ADALIGHT_LEDS: usize = 65_536;
/// Most bytes of pixels in a frame of TPM2, whose header counts them in 16 bits.
pub const TPM2_BYTES: usize = 65_535;
/// Size of Adalight's header.
pub const ADALIGHT_HEADER: usize = 6;
/// Size of TPM2's header.
pub const TPM2_HEADER: usize = 4;
/// Last byte of a frame of TPM2.
pub const TPM2_END: u8 = 0x36;

const MAGIC: &[u8; 3] = b"Ada";
const CHECK: u8 = 0x55;
/// Beginning of a block of TPM2, and its type: data.
const BLOCK: u8 = 0xc9;
const DATA: u8 = 0xda;

/// Why bytes do not begin with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// They do not begin with a header.
    Foreign,
    /// The check byte of the header is wrong.
    Check,
    /// The frame is not complete; this number of bytes is needed.
    Incomplete(usize),
    /// The byte behind the pixels is not that of the protocol.
    End(u8),
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        match self {
            Self::Foreign => f.write_str("the bytes do not begin with a header"),
            Self::Check => f.write_str("the check byte of the header is wrong"),
            Self::Incomplete(need) => write!(f, "the frame is not complete; it has {need} bytes"),
            Self::End(byte) => write!(f, "the frame ends with {byte:#04x} in place of {TPM2_END:#04x}"),
        }
    }
}

impl core::error::Error for Error {}

/// Adalight's header for a frame of `leds` LEDs; `None` if there are none, or more than 65,536.
pub fn adalight_header(leds: usize) -> Option<[u8; ADALIGHT_HEADER]> {
    let [high, low] = u16::try_from(leds.checked_sub(1)?).ok()?.to_be_bytes();
    Some([MAGIC[0], MAGIC[1], MAGIC[2], high, low, high ^ low ^ CHECK])
}

/// TPM2's header for a frame of `bytes` bytes of pixels; `None` if they are more than 65,535. [`TPM2_END`] follows the pixels.
pub fn tpm2_header(bytes: usize) -> Option<[u8; TPM2_HEADER]> {
    let [high, low] = u16::try_from(bytes).ok()?.to_be_bytes();
    Some([BLOCK, DATA, high, low])
}

/// Reads the frame of Adalight with which `bytes` begin: its pixels, and the bytes behind it.
///
/// # Errors
///
/// If they do not begin with a whole frame.
pub fn read_adalight(bytes: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let here = &bytes[..bytes.len().min(MAGIC.len())];
    if here != &MAGIC[..here.len()] {
        return Err(Error::Foreign);
    }
    let Some((header, rest)) = bytes.split_first_chunk::<ADALIGHT_HEADER>() else {
        return Err(Error::Incomplete(ADALIGHT_HEADER));
    };
    let [_, _, _, high, low, check] = *header;
    if high ^ low ^ CHECK != check {
        return Err(Error::Check);
    }
    let size = (usize::from(u16::from_be_bytes([high, low])) + 1) * 3;
    rest.split_at_checked(size).ok_or(Error::Incomplete(ADALIGHT_HEADER + size))
}

/// Reads the frame of TPM2 with which `bytes` begin: its pixels, and the bytes behind it.
///
/// # Errors
///
/// If they do not begin with a whole frame.
pub fn read_tpm2(bytes: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let here = &bytes[..bytes.len().min(2)];
    if here != &[BLOCK, DATA][..here.len()] {
        return Err(Error::Foreign);
    }
    let Some((header, rest)) = bytes.split_first_chunk::<TPM2_HEADER>() else {
        return Err(Error::Incomplete(TPM2_HEADER));
    };
    let size = usize::from(u16::from_be_bytes([header[2], header[3]]));
    match rest.split_at_checked(size) {
        Some((data, [TPM2_END, rest @ ..])) => Ok((data, rest)),
        Some((_, [other, ..])) => Err(Error::End(*other)),
        _ => Err(Error::Incomplete(TPM2_HEADER + size + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn adalight(pixels: &[u8]) -> Vec<u8> {
        [&adalight_header(pixels.len() / 3).unwrap()[..], pixels].concat()
    }

    fn tpm2(pixels: &[u8]) -> Vec<u8> {
        [&tpm2_header(pixels.len()).unwrap()[..], pixels, &[TPM2_END]].concat()
    }

    #[test]
    fn golden_frames() {
        assert_eq!(adalight(&[1, 2, 3]), b"Ada\x00\x00\x55\x01\x02\x03");
        assert_eq!(adalight(&[0; 300 * 3])[..6], *b"Ada\x01\x2b\x7f");
        assert_eq!(tpm2(&[1, 2, 3]), b"\xc9\xda\x00\x03\x01\x02\x03\x36");
        assert_eq!((adalight_header(0), adalight_header(65_537), tpm2_header(65_536)), (None, None, None));
    }

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        assert_eq!(read_adalight(b"Adb"), Err(Error::Foreign));
        assert_eq!(read_adalight(b"Ad"), Err(Error::Incomplete(6)));
        assert_eq!(read_adalight(b"Ada\x00\x00\x54\x01\x02\x03"), Err(Error::Check));
        assert_eq!(read_adalight(b"Ada\x00\x00\x55\x01\x02"), Err(Error::Incomplete(9)));
        assert_eq!(read_tpm2(b"\xc9\xdb"), Err(Error::Foreign));
        assert_eq!(read_tpm2(b"\xc9\xda\x00\x01\x07"), Err(Error::Incomplete(6)));
        assert_eq!(read_tpm2(b"\xc9\xda\x00\x01\x07\x37"), Err(Error::End(0x37)));
    }

    proptest! {
        #[test]
        fn any_frames_arrive_whole(leds in 1_usize..=10_000, more in 1_usize..40, seed: u32) {
            let pixels = |n: usize| -> Vec<u8> {
                (0..(n * 3) as u32).map(|i| (i.wrapping_mul(seed | 1) >> 8) as u8).collect()
            };
            let (one, two) = (pixels(leds), pixels(more));
            let bytes = [adalight(&one), adalight(&two)].concat();
            let (first, rest) = read_adalight(&bytes).unwrap();
            prop_assert_eq!((first, read_adalight(rest)), (&one[..], Ok((&two[..], &[][..]))));
            let bytes = [tpm2(&one), tpm2(&two)].concat();
            let (first, rest) = read_tpm2(&bytes).unwrap();
            prop_assert_eq!((first, read_tpm2(rest)), (&one[..], Ok((&two[..], &[][..]))));
        }

        #[test]
        fn no_bytes_can_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), which in 0_usize..3) {
            let bytes = [[&b""[..], b"Ada", b"\xc9\xda"][which], &bytes[..]].concat();
            let _ = (read_adalight(&bytes), read_tpm2(&bytes));
        }
    }
}
