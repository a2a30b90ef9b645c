//! Skips tags without loading them: ID3v2 and APE before and between sound, ID3v1 and Lyrics3 after it.

use std::io::Result;

use super::bytes::Bytes;
use super::chain;
use super::marks::{self, tag_length};

/// Largest number of frames of a tag that are read.
const FRAMES: usize = 1000;

/// Skips all consecutive tags at this place, and returns their total length. Ignores a size that reaches beyond the file.
pub fn skip(bytes: &mut Bytes) -> Result<u64> {
    let from = bytes.pos();
    while let Some(n) = tag_length(bytes.peek(32)?) {
        let believed = bytes.left().is_none_or(|left| n <= left);
        // The size is too large, so it is wrong: skip the header, and search for sound after it.
        let n = if believed { content_ends(bytes, n)?.unwrap_or(n) } else { 10 };
        bytes.skip(n)?;
        // Some writers add uncounted padding after the tag. (A box of MP4 also begins with zeros.)
        loop {
            let head = bytes.peek(64)?;
            let zeros = head.iter().take_while(|b| **b == 0).count();
            let sound = (0..=zeros.min(3)).find(|n| marks::mark(&head[zeros - n..]).is_some());
            let step = if zeros == head.len() { zeros.saturating_sub(3) } else { zeros - sound.unwrap_or(0) };
            bytes.skip(step as u64)?;
            if step == 0 || zeros < 64 {
                break;
            }
        }
    }
    Ok(bytes.pos() - from)
}

/// Leaves out the tags at the very end of a file, whose headers may follow their content.
pub fn cut(bytes: &mut Bytes) -> Result<()> {
    let Some(length) = bytes.left().map(|left| bytes.pos() + left) else { return Ok(()) };
    let mut end = length;
    for _ in 0..8 {
        let Some(b) = bytes.look(end.saturating_sub(128), 128)?.filter(|b| b.len() == 128) else { break };
        let word = |at: usize| u64::from(u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]));
        let size = if b.starts_with(b"TAG") {
            128
        } else if b[96..].starts_with(b"APETAGEX") && word(116) & (1 << 29) == 0 {
            ape_behind(bytes, end, word(108))?
        } else if b[118..].starts_with(b"3DI") {
            20 + b[124..].iter().fold(0, |n, x| n << 7 | u64::from(x & 0x7f))
        } else if b.ends_with(b"LYRICS200") {
            let digits = std::str::from_utf8(&b[113..119]).unwrap_or_default();
            15 + digits.parse::<u64>().unwrap_or(u64::MAX / 2)
        } else {
            break;
        };
        // A size beyond the start of the file, or of 0, does not belong to a tag.
        if size < 20 || size >= end {
            break;
        }
        end -= size;
    }
    bytes.end_at(end);
    Ok(())
}

/// Length in bytes of the APE tag whose footer ends at `end` and states that items and footer have `size` bytes. If neither
/// its header nor an item begins there, the size is wrong, and only the footer counts.
fn ape_behind(bytes: &mut Bytes, end: u64, size: u64) -> Result<u64> {
    const FOOTER: u64 = 32;
    let Some(start) = end.checked_sub(size).filter(|_| size > FOOTER) else { return Ok(FOOTER) };
    let from = start.saturating_sub(FOOTER);
    let head = bytes.look(from, FOOTER as usize)?.unwrap_or_default();
    if start >= FOOTER && head.starts_with(b"APETAGEX") && head.get(23).is_some_and(|b| b & 0x20 != 0) {
        return Ok(size + FOOTER);
    }
    let item = bytes.look(start, 8 + 256)?.unwrap_or_default();
    let word = |at: usize| item.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let key = item.get(8..).unwrap_or_default();
    let key = key.iter().position(|c| *c == 0).map_or(&[][..], |n| &key[..n]);
    let fits = key.len() >= 2
        && key.iter().all(|c| (0x20..0x7f).contains(c))
        && word(0).is_some_and(|n| u64::from(n) + 9 + key.len() as u64 <= size - FOOTER)
        && word(4).is_some_and(|flags| flags & 0x1fff_fff8 == 0);
    Ok(if fits { size } else { FOOTER })
}

/// End of an ID3v2 tag's frames, if sound begins right there although the tag states a greater length.
fn content_ends(bytes: &mut Bytes, n: u64) -> Result<Option<u64>> {
    let head = bytes.peek(10)?;
    // Unsynchronised tags and those with an extended header are counted differently.
    let (b"ID3", version @ 3..=4, 0) =
        (&head[..3.min(head.len())], head.get(3).map_or(0, |v| *v), head.get(5).map_or(1, |f| *f))
    else {
        return Ok(None);
    };
    let (start, mut at) = (bytes.pos(), 10);
    for _ in 0..FRAMES {
        let Some(frame) = bytes.look(start + at, 10)?.filter(|f| f.len() == 10 && at + 10 <= n) else {
            return Ok(None);
        };
        if !frame[..4].iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) {
            break;
        }
        let seven = version == 4 && frame[4..8].iter().all(|b| b & 0x80 == 0);
        let size = frame[4..8].iter().fold(0_u64, |v, b| v << (if seven { 7 } else { 8 }) | u64::from(*b));
        at += 10 + size;
    }
    let Some(behind) = bytes.look(start + at, 32 * 1024)?.filter(|_| at > 10 && at < n) else {
        return Ok(None);
    };
    let sound =
        marks::marked(&behind) || behind.starts_with(b"ID3") || chain::chained_in(&behind, 3).is_some();
    Ok(sound.then_some(at))
}

#[cfg(test)]
mod tests {
    use super::super::bytes::tests::of;
    use super::*;

    fn id3(size: u32, flags: u8) -> Vec<u8> {
        let part = |shift: u32| (size >> shift) as u8 & 0x7f;
        let head = [b'I', b'D', b'3', 4, 0, flags, part(21), part(14), part(7), part(0)];
        [&head[..], &vec![0x55; size as usize]].concat()
    }

    #[test]
    fn tags_in_a_row_are_stepped_over_with_their_footers_and_what_fills_them_up() {
        let mut ape = b"APETAGEX".to_vec();
        for word in [2000_u32, 40, 0, 1 << 29 | 1 << 31, 0, 0] {
            ape.extend(word.to_le_bytes());
        }
        ape.extend([7; 40]);
        let footer = [b"3DI".to_vec(), vec![4, 0, 0x10, 0, 0, 7, 104]].concat();
        let all = [id3(5, 0), id3(1000, 0x10), footer, ape, id3(3_000_000, 0), vec![0; 77], b"fLaC".to_vec()];
        let all = all.concat();
        let (_dir, mut bytes) = of(&all);
        assert_eq!(skip(&mut bytes).unwrap(), all.len() as u64 - 4);
        assert_eq!(bytes.peek(9).unwrap(), b"fLaC");
    }

    #[test]
    fn a_size_that_reaches_beyond_the_file_is_not_believed() {
        let mut all = id3(2_000_000, 0);
        all.truncate(50);
        let (_dir, mut bytes) = of(&all);
        assert_eq!(skip(&mut bytes).unwrap(), 10);
        assert!(tag_length(b"ID3\xff\0\0\0\0\0\0").is_none(), "a version that cannot be");
        assert!(tag_length(b"ID3\x03\0\0\0\0\0\x80").is_none(), "a size that cannot be");
        assert!(tag_length(b"").is_none());
    }
}
