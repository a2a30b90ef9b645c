//! Consecutive frames: a frame counts if others of its kind follow it.

use std::io::Result;

use super::bytes::Bytes;
use super::frame::Head;
use super::{adts, marks, mpeg};

/// The header at the front of `bytes`, if there is one.
pub fn head(bytes: &[u8]) -> Option<Head> {
    mpeg::head(bytes).or_else(|| adts::head(bytes))
}

/// The frame at the front of `bytes`, if enough of its kind follow it or the file ends before they could.
pub fn chained(bytes: &mut Bytes, chain: usize) -> Result<Option<Head>> {
    let window = bytes.peek((chain + 1) * 8192)?;
    Ok(chained_in(window, chain))
}

/// The same within `bytes`, which are all that is left.
pub fn chained_in(window: &[u8], chain: usize) -> Option<Head> {
    let first = head(window)?;
    let mut at = first.bytes;
    for n in 1..chain {
        let rest = window.get(at..).unwrap_or_default();
        if rest.len() < 9 {
            // At the end of the file, two whole frames count as sound, but one frame and a part of another do not.
            return (n >= 2 || rest.is_empty() && at == window.len()).then_some(first);
        }
        match head(rest) {
            Some(next) if next.fits(&first) => at += next.bytes,
            // A tag may end the frames.
            _ => return (n >= 2 && marks::tag_length(rest).is_some()).then_some(first),
        }
    }
    Some(first)
}
