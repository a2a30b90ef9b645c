//! Reads WAV files in the lamp's format.

use std::path::Path;

use k1_engine::SAMPLE_RATE;

/// The samples of a WAV file, −1 … 1. If it is not 16 bit, mono, 16 kHz, the error says what it is.
pub fn read(path: &Path) -> Result<Vec<f32>, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    samples(&bytes).map_err(|e| format!("{}: {e}", path.display()))
}

fn samples(bytes: &[u8]) -> Result<Vec<f32>, String> {
    if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
        return Err("this is not a WAV file".into());
    }
    let mut rest = &bytes[12..];
    let mut format = None;
    while let Some((head, body)) = rest.split_at_checked(8) {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let here = &body[..length.min(body.len())];
        match &head[..4] {
            b"fmt " => format = here.first_chunk::<16>().copied(),
            b"data" => {
                let Some(f) = format else { return Err("its samples come before their format".into()) };
                expect_plain(&f)?;
                if here.len() < length {
                    return Err(format!("it ends after {} of {length} bytes of sound", here.len()));
                }
                let (pairs, _) = here.as_chunks::<2>();
                return Ok(pairs.iter().map(|b| f32::from(i16::from_le_bytes(*b)) / 32_768.0).collect());
            }
            _ => {}
        }
        // A chunk of odd length is padded by one byte.
        rest = body.get(length + length % 2..).unwrap_or_default();
    }
    Err("it contains no sound".into())
}

fn expect_plain(format: &[u8; 16]) -> Result<(), String> {
    let short = |at: usize| u16::from_le_bytes([format[at], format[at + 1]]);
    let rate = u32::from_le_bytes([format[4], format[5], format[6], format[7]]);
    if (short(0), short(2), short(14)) == (1, 1, 16) && rate == SAMPLE_RATE {
        return Ok(());
    }
    Err(format!(
        "it has {} channels, {rate} Hz, {} bit in format {}; convert it to mono, {SAMPLE_RATE} Hz, 16 bit PCM",
        short(2),
        short(14),
        short(0)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(rate: u32, channels: u16) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVE".to_vec();
        // An unknown chunk of odd length.
        bytes.extend(*b"LIST\x03\0\0\0abc\0fmt \x10\0\0\0\x01\0");
        bytes.extend(channels.to_le_bytes());
        bytes.extend(rate.to_le_bytes());
        bytes.extend([0, 0, 0, 0, 2, 0, 16, 0]);
        bytes.extend(*b"data\x06\0\0\0\0\0\0\x40\0\x80");
        bytes
    }

    #[test]
    fn samples_come_out_and_anything_else_is_named() {
        assert_eq!(samples(&file(16_000, 1)), Ok(vec![0.0, 0.5, -1.0]));
        assert!(samples(&file(44_100, 1)).unwrap_err().contains("44100 Hz"));
        assert!(samples(&file(16_000, 2)).unwrap_err().contains("2 channels"));
        let whole = file(16_000, 1);
        assert!(samples(&whole[..whole.len() - 2]).unwrap_err().contains("4 of 6"));
        for length in 0..whole.len() {
            assert!(samples(&whole[..length]).is_err(), "{length}");
        }
    }
}
